"""Why a guard does not let a request go to the wire."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Why a guard refuses."""

    EMERGENCY = "emergency number, as it is or behind a prefix (a full number begins with +)"
    NOT_E164 = "not a full telephone number (E.164)"
    NUMBER = "number not on the allow-list"
    TRUNK = "not a trunk's SIP URI"
    HOST = "host not on the allow-list"
    TARGET = "address that DNS may not send calls to"
    CALLER_ID = "caller-ID not among the owned ones"
    HEADER = "header that routes or identifies a call, or that is none"
    PRICE = "trunk has no price, so that its spend cannot be capped"
    CAP = "over a cap"
    COUNTERS = "counters cannot be read or written"


class RefusedError(Exception):
    """The guard refuses a request, which is not sent."""

    def __init__(self, reason: Reason, what: str, detail: str = "") -> None:
        super().__init__(f"{what!r}: {reason.value}" + f" ({detail})" * bool(detail))
        self.reason = reason
