"""How much of its trunks a plan may use, in figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

HOUR = 3600.0
DAY = 86400.0
"""Windows are rolling, in seconds of real time: no midnight at which twice a cap fits into an hour, no time
zone; what keeps a cap in each 24 hours keeps it on each calendar day."""
HANG_UP = 1.0
"""Seconds that a BYE may take to end the billing."""
TIMER_B = 32.0
"""Seconds for which a call that was given up can still be answered (RFC 3261, 17.1.1.2)."""
SHORT_CALLS_FROM = 20
"""Answered calls in a day below which their share of short ones means nothing."""
ROUNDING = 1e-9
"""Error that sums of prices may have."""


@dataclass(frozen=True)
class Limits:
    """Caps on calls, each None where there is none; ValueError for a negative one.

    `calls_per_second` may be below 1; minutes are whole ones begun; spend is in the unit of the prices;
    `short_calls_at_most` is a share of the day's answered calls, in [0, 1].
    """

    at_once: int | None = None
    calls_per_second: float | None = None
    calls_per_hour: int | None = None
    calls_per_day: int | None = None
    minutes_per_day: float | None = None
    spend_per_day: float | None = None
    short_calls_at_most: float | None = None

    def __post_init__(self) -> None:
        for limit in fields(Limits):
            value = getattr(self, limit.name)
            if value is not None and not value >= 0:
                raise ValueError(f"{limit.name}(={value}) must be at least 0")
        if self.calls_per_second == 0:
            raise ValueError("calls_per_second(=0) must be above 0")
        if (self.short_calls_at_most or 0) > 1:
            raise ValueError(f"short_calls_at_most(={self.short_calls_at_most}) must be at most 1")

    @property
    def rate_window(self) -> float:
        """Seconds over which the rate is counted: one, or as long as one call takes at that rate."""
        return max(1.0, 1.0 / (self.calls_per_second or 1.0))

    def broken(self, used: Used, call: Worst) -> Iterator[str]:
        """Say in words which caps one more call would break, its worst case supposed."""
        rate = None if self.calls_per_second is None else self.calls_per_second * self.rate_window
        for name, before, more, limit in (
            ("at_once", used.at_once, 1, self.at_once),
            ("calls_per_second", used.second, 1, rate),
            ("calls_per_hour", used.hour, 1, self.calls_per_hour),
            ("calls_per_day", used.day, 1, self.calls_per_day),
            ("minutes_per_day", used.minutes, call.minutes, self.minutes_per_day),
            ("spend_per_day", used.spend, call.minutes * (call.price or 0.0), self.spend_per_day),
        ):
            if limit is not None and before + more > limit + ROUNDING:
                yield f"{name}: {before:.6g} so far and {more:.6g} for this call are over {limit:.6g}"
        share = self.short_calls_at_most
        answered, short = used.answered + 1, used.short + 1
        if share is not None and call.short and answered >= SHORT_CALLS_FROM and short > share * answered:
            yield f"short_calls_at_most: {short} short ones of {answered} answered calls are over {share:.6g}"


@dataclass(frozen=True)
class Caps(Limits):
    """Limits of all trunks together, those of single ones, and what a call costs.

    A call of `short_call` seconds or less is short. `cost_per_minute` holds the price of each trunk,
    `per_trunk` further limits of one.
    """

    short_call: float = 6.0
    cost_per_minute: Mapping[str, float] = field(default_factory=dict)
    per_trunk: Mapping[str, Limits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for trunk, price in self.cost_per_minute.items():
            if not 0 <= price < math.inf:
                raise ValueError(f"cost_per_minute of {trunk}(={price}) must be at least 0")

    def worst(self, trunk: str, talk: float, ring: float) -> Worst:
        """Give the most that a call can come to: it rings for `ring` seconds, and is talked over."""
        lasts = ring + talk + HANG_UP + TIMER_B
        minutes = billed_minutes(talk + HANG_UP)
        return Worst(trunk, minutes, self.cost_per_minute.get(trunk), talk <= self.short_call, lasts)

    def scopes(self, trunk: str) -> Iterator[tuple[str | None, Limits]]:
        """Give the limits that a call over a trunk falls under, with their trunk (None: all)."""
        yield None, self
        if trunk in self.per_trunk:
            yield trunk, self.per_trunk[trunk]

    def unpriced(self, trunk: str) -> bool:
        """Whether a trunk's spend is capped while its price is not known."""
        capped = any(limits.spend_per_day is not None for _, limits in self.scopes(trunk))
        return capped and trunk not in self.cost_per_minute


@dataclass(frozen=True)
class Worst:
    """What a call can come to: its trunk, minutes billed, price of each, whether short, seconds held."""

    trunk: str
    minutes: int
    price: float | None
    short: bool
    lasts: float


@dataclass(frozen=True)
class Used:
    """What calls have used, or hold reserved: now, in the rate's window, the last hour, the last day."""

    at_once: int
    second: int
    hour: int
    day: int
    minutes: int
    spend: float
    answered: int
    short: int


def billed_minutes(seconds: float) -> int:
    """Minutes that a carrier bills for a call of some seconds: whole ones begun, none without an answer."""
    return max(1, math.ceil(seconds / 60.0)) if seconds > 0 else 0
