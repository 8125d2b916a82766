"""Rates of call attempts by their final SIP status, as RFC 6076, ITU-T E.425 and E.411 define them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class StatusClass(Enum):
    """What a final status says of a call; its value is the word in records."""

    ANSWERED = "answered"
    REDIRECTED = "redirected"
    BUSY = "busy"
    NOT_AVAILABLE = "not_available"
    """The callee does not answer."""
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The caller gave up while it rang."""
    TIMEOUT = "timeout"
    OUT_OF_SERVICE = "out_of_service"
    """The network cannot set it up now."""
    FAILED = "failed"
    REJECTED = "rejected"


_HUNDREDS = {
    2: StatusClass.ANSWERED,
    3: StatusClass.REDIRECTED,
    4: StatusClass.REJECTED,
    5: StatusClass.FAILED,
    6: StatusClass.REJECTED,
}
_CLASSES = {
    408: StatusClass.TIMEOUT,
    480: StatusClass.NOT_AVAILABLE,
    486: StatusClass.BUSY,
    487: StatusClass.CANCELLED,
    500: StatusClass.OUT_OF_SERVICE,
    503: StatusClass.OUT_OF_SERVICE,
    504: StatusClass.OUT_OF_SERVICE,
    600: StatusClass.BUSY,
    603: StatusClass.DECLINED,
}
"""The classes of single statuses; others have that of their hundred."""


def class_of(status: int) -> StatusClass:
    """Give the class of a final SIP status; raises ValueError for another number."""
    if not 200 <= status <= 699:
        raise ValueError(f"status(={status}) must be a final one, 200 to 699")
    return _CLASSES.get(status, _HUNDREDS[status // 100])


_EFFECTIVE = (StatusClass.ANSWERED, StatusClass.BUSY, StatusClass.NOT_AVAILABLE, StatusClass.DECLINED)


@dataclass(frozen=True)
class Rates:
    """Rates of INVITEs in percent; None where there is none to count."""

    invites: int
    asr: float | None
    """Answer-seizure ratio (E.411)."""
    ner: float | None
    """Network effectiveness ratio (E.425): answered, or for the users' own reasons not."""
    ser: float | None
    """Session establishment ratio (RFC 6076, 4.6): answered, of those not redirected."""
    seer: float | None
    """Session establishment effectiveness ratio (RFC 6076, 4.7): with 480, 486, 600, 603 as well."""
    isa: float | None
    """Ineffective session attempts (RFC 6076, 4.8): 408, 500, 503, 504."""
    scr: float | None
    """Session completion ratio (RFC 6076, 4.9); by statuses alone each that was answered is completed."""


def rates_of(statuses: Iterable[int]) -> Rates:
    """Rate INVITEs by their final statuses, re-INVITEs and challenges (401, 407) left out by the caller.

    Raises ValueError for a status that is not final.
    """
    counts = Counter(map(class_of, statuses))
    every = counts.total()
    direct = every - counts[StatusClass.REDIRECTED]
    answered = counts[StatusClass.ANSWERED]
    effective = sum(counts[kind] for kind in _EFFECTIVE)
    ineffective = counts[StatusClass.TIMEOUT] + counts[StatusClass.OUT_OF_SERVICE]
    return Rates(
        invites=every,
        asr=_percent(answered, every),
        ner=_percent(effective + counts[StatusClass.CANCELLED], every),
        ser=_percent(answered, direct),
        seer=_percent(effective, direct),
        isa=_percent(ineffective, every),
        scr=_percent(answered, every),
    )


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None
