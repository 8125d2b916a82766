"""What the other side can object, and what every objection needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callsim import figures
from callsim.claiming.claim import Claim, Outage


@dataclass(frozen=True)
class Objection:
    """Something that the other side may say."""

    name: str
    """The same in every claim, like `few_probes`."""
    says: str
    answer: str
    open: bool
    """Whether the records here do not answer it."""
    outages: tuple[int, ...] = ()
    """Numbers of the outages that it is about; none: all of the claim."""


def numbers(outages: Iterable[Outage]) -> tuple[int, ...]:
    """Give the numbers of outages."""
    return tuple(one.number for one in outages)


def claimed(claim: Claim) -> list[Outage]:
    """Give the outages that the claim rests on; where nothing is proven all of them."""
    return [one for one in claim.outages if one.counts > 0] or list(claim.outages)


def lasting(value: float) -> str:
    """Write seconds."""
    return figures.plain_duration(value)
