"""How trunks answer: calls from us, and whether calls to us come through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carriers.faults import EFFECTS, Fault, Kind, Reply
from carriers.laws import Law


@dataclass(frozen=True)
class Answer:
    """One way a trunk may answer an INVITE."""

    chance: float
    connects: bool = False
    status: int | None = None
    """A final refusal, given at once."""
    trying: bool = False
    """A 100 and then nothing within the progress timeout."""
    delay: Law | None = None
    """Law of the post-dial delay when it connects, cut at the progress timeout."""


def answers(fault: Fault | None, post_dial_delay: Law | None, progress_timeout: float) -> list[Answer]:
    """Ways a trunk may answer under a fault; the chances sum to 1.

    A 100 comes at once, a refusal too. A call that connects rings after the post-dial delay; what would
    ring after the progress timeout is a call that got a 100 and then nothing.
    """
    reply = EFFECTS[fault.kind if fault else None].invite
    if reply is Reply.NOTHING:
        return [Answer(1.0)]
    if reply is Reply.ONLY_100:
        return [Answer(1.0, trying=True)]
    delay = post_dial_delay
    if fault is not None and fault.kind is Kind.SLOW:
        delay = fault.post_dial_delay
    in_time = 1.0 if delay is None else float(delay.cdf(np.asarray(progress_timeout)))
    refused = fault.share if fault is not None and reply is Reply.REFUSAL else 0.0
    found = [
        Answer((1.0 - refused) * in_time, connects=True, delay=delay),
        Answer((1.0 - refused) * (1.0 - in_time), trying=True),
        Answer(refused, status=fault.status if fault else None),
    ]
    return [answer for answer in found if answer.chance > 0.0]


def delivered(fault: Fault | None) -> float:
    """Chance that a carrier delivers a call to us over a trunk that shows this fault."""
    reply = EFFECTS[fault.kind if fault else None].inbound
    if reply is Reply.NORMAL:
        return 1.0
    return 1.0 - fault.share if fault is not None and reply is Reply.REFUSAL else 0.0
