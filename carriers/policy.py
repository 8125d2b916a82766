"""A routing policy: where calls are sent, and when an attempt is given up for the next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from carriers.health import CallRule, HealthRule, QualityRule
from carriers.laws import Law
from carriers.path import CLEAR, Transit


@dataclass(frozen=True)
class Trunk:
    """A SIP peer that takes our calls; `carrier` is an index, `name` reads like `atlantic/1`."""

    name: str
    carrier: int


@dataclass(frozen=True)
class Carrier:
    """A company that carries calls, over one trunk or several."""

    name: str
    trunks: tuple[int, ...]
    """In the order they are tried."""
    channels: int | None
    """Calls at once, over all its trunks; None: no limit."""
    calls_per_second: float | None
    cost_per_minute: float
    post_dial_delay: Law | None
    """From INVITE to the first ringing or answer, in seconds; None: at once."""
    quality: Transit = CLEAR
    """What packets meet from us to the callee's network."""


@dataclass(frozen=True)
class Route:
    """A carrier that calls may take; one with weight 0 is a backup of the weighted ones."""

    carrier: int
    weight: float = 1.0


class Order(Enum):
    """In which order the carriers are tried."""

    PRIORITY = "priority"
    WEIGHTED = "weighted"
    LEAST_COST = "least_cost"


@dataclass(frozen=True)
class RoutingPolicy:
    """Where calls are sent, when an attempt is given up for the next, what keeps a trunk out; in seconds.

    Raises ValueError where what the router guarantees would not hold: a carrier with two routes, no
    attempt at all, a negative weight.
    """

    order: Order
    routes: tuple[Route, ...]
    advance_on: frozenset[int]
    """Final statuses after which the next trunk is tried; 600 to 699 never are (RFC 3261, 21.6)."""
    no_reply_timeout: float
    """From INVITE to any response, 100 included."""
    progress_timeout: float
    """From a 100 to ringing, session progress or an answer."""
    ring_timeout: float
    """From ringing to an answer."""
    max_attempts: int
    trunks: tuple[Trunk, ...]
    carriers: tuple[Carrier, ...]
    health: HealthRule | None = None
    failing_calls: CallRule | None = None
    poor_calls: QualityRule | None = None

    def __post_init__(self) -> None:
        listed = [route.carrier for route in self.routes]
        if len(set(listed)) < len(listed):
            raise ValueError(f"a carrier has more than one route: {listed}")
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts(={self.max_attempts}) must be at least 1")
        if any(route.weight < 0 for route in self.routes):
            raise ValueError(f"weights must not be negative: {[route.weight for route in self.routes]}")
