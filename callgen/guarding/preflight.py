"""Whether a plan could break a cap, worked out before its first call."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from callgen.guarding.caps import DAY, HANG_UP, HOUR, ROUNDING, SHORT_CALLS_FROM, Caps, Limits, billed_minutes
from callgen.guarding.counters import Counted, Counters


@dataclass(frozen=True)
class Planned:
    """Calls that a plan will place: talked over for `talk` seconds, each `every` seconds (None: once).

    The worst case is that each fails and is placed again, `repeats` times. Each may come `jitter` seconds
    early or late, and ring for `ring` seconds. A call that the router may try over several trunks is one
    `Planned` for each of them.
    """

    name: str
    trunk: str
    every: float | None
    talk: float
    repeats: int = 0
    jitter: float = 0.0
    ring: float = 60.0

    @property
    def calls(self) -> int:
        """Calls in the worst case, for one that is due."""
        return 1 + self.repeats

    @property
    def minutes(self) -> int:
        """Minutes that one call is billed in the worst case."""
        return billed_minutes(self.talk + HANG_UP)

    def due(self, window: float) -> int:
        """How often it can be due within some seconds, at the most."""
        if self.every is None:
            return 1
        # Placed again, a call comes later by what the one before it took.
        spread = 2 * self.jitter + (self.ring + self.talk) * bool(self.repeats)
        return math.ceil((window + spread) / self.every)


@dataclass(frozen=True)
class Excess:
    """What a plan needs of a cap and how much there is; `words` has the arithmetic."""

    cap: str
    trunk: str | None
    """Whose cap it is; None: that of all trunks together."""
    need: float
    limit: float
    words: str

    @property
    def over(self) -> bool:
        """Whether the need is above the limit."""
        return self.need > self.limit + ROUNDING


def preflight(
    planned: Sequence[Planned], caps: Caps, now: float, counters: Counters | None = None
) -> list[Excess]:
    """Give the caps that a plan could break, beside what `counters` hold at `now` (POSIX time)."""
    return [need for need in needs(planned, caps, now, counters) if need.over]


def needs(
    planned: Sequence[Planned], caps: Caps, now: float, counters: Counters | None = None
) -> list[Excess]:
    """Give what a plan needs of each cap there is, met or not.

    Raises ValueError where spend is capped and a trunk has no price.
    """
    past = counters.since(now - DAY) if counters else []
    found: list[Excess] = []
    for trunk in (None, *caps.per_trunk):
        mine = [plan for plan in planned if trunk in {None, plan.trunk}]
        before = [call for call in past if trunk in {None, call.trunk}]
        limits = caps if trunk is None else caps.per_trunk[trunk]
        if mine:
            found += _Scope(trunk, limits, mine, before, caps, now).needs()
    return found


@dataclass(frozen=True)
class _Scope:
    """One trunk, or all of them, with what is planned there and what was called there."""

    trunk: str | None
    limits: Limits
    planned: Sequence[Planned]
    past: Sequence[Counted]
    caps: Caps
    now: float

    def needs(self) -> Iterable[Excess]:
        """Give the need of each cap there is."""
        limits = self.limits
        if limits.at_once is not None:
            yield self._at_once(limits.at_once)
        if limits.calls_per_second is not None:
            yield self._rate(limits.calls_per_second)
        for name, limit, window, each, was in (
            ("calls_per_hour", limits.calls_per_hour, HOUR, _one, _one_before),
            ("calls_per_day", limits.calls_per_day, DAY, _one, _one_before),
            ("minutes_per_day", limits.minutes_per_day, DAY, _minutes, _minutes_before),
            ("spend_per_day", limits.spend_per_day, DAY, self._cost, _spend_before),
        ):
            if limit is not None:
                yield self._window(name, limit, window, each, was)
        if limits.short_calls_at_most is not None:
            yield self._short(limits.short_calls_at_most)

    def _window(
        self,
        cap: str,
        limit: float,
        window: float,
        each: Callable[[Planned], float],
        was: Callable[[Counted], float],
    ) -> Excess:
        """Find the rolling window with the most, the first of which still hold calls of the past."""
        past = [call for call in self.past if call.at > self.now - window]
        # The sum is highest just before a call of the past leaves the window, or when all have.
        left = list(itertools.accumulate(map(was, reversed(past)), initial=0.0))
        ends = [window, *(call.at + window - self.now for call in reversed(past))]
        sums = [
            before + sum(plan.due(min(end, window)) * plan.calls * each(plan) for plan in self.planned)
            for before, end in zip(left, ends, strict=True)
        ]
        need = max(sums)
        worst = sums.index(need)
        parts = [self._part(plan, min(ends[worst], window), each(plan)) for plan in self.planned]
        if left[worst]:
            parts.append(f"{left[worst]:.6g} from calls already made")
        return self._excess(cap, need, limit, f"{'; '.join(parts)}; {need:.6g} in all")

    def _part(self, plan: Planned, window: float, each: float) -> str:
        due = plan.due(window)
        often = "once" if plan.every is None else f"{due} in {window:.6g} s"
        tries = f" x {plan.calls} tries" if plan.repeats else ""
        return f"{plan.name} over {plan.trunk}: {often}{tries} x {each:.6g} = {due * plan.calls * each:.6g}"

    def _at_once(self, limit: float) -> Excess:
        """Offered traffic: calls that must wait for their turn can keep a cap only if it is not more."""
        parts = {
            plan: plan.calls * (plan.ring + plan.talk) / plan.every for plan in self.planned if plan.every
        }
        need = max(1.0, sum(parts.values()))
        each = [
            f"{plan.name} over {plan.trunk} ({plan.calls} x ({plan.ring:.6g} s ringing + {plan.talk:.6g} s)"
            f" / {plan.every:.6g} s) {mean:.3g}"
            for plan, mean in parts.items()
        ]
        words = " + ".join(each) or "one call after the other"
        return self._excess("at_once", need, limit, f"{words}: {need:.3g} on average")

    def _rate(self, limit: float) -> Excess:
        need = sum(plan.calls / plan.every for plan in self.planned if plan.every)
        return self._excess("calls_per_second", need, limit, f"{need:.3g} on average")

    def _short(self, limit: float) -> Excess:
        """Compare the share of short calls in a day, where none is placed again."""
        total = sum(plan.due(DAY) for plan in self.planned)
        short = sum(plan.due(DAY) for plan in self.planned if plan.talk <= self.caps.short_call)
        need = short / total if total >= SHORT_CALLS_FROM else 0.0
        words = f"{short} of {total} calls a day last {self.caps.short_call:.6g} s or less"
        if total < SHORT_CALLS_FROM:
            words += f", which counts from {SHORT_CALLS_FROM} calls on"
        return self._excess("short_calls_at_most", need, limit, words)

    def _cost(self, plan: Planned) -> float:
        if plan.trunk not in self.caps.cost_per_minute:
            raise ValueError(f"spend is capped, so {plan.trunk} needs a cost_per_minute")
        return plan.minutes * self.caps.cost_per_minute[plan.trunk]

    def _excess(self, cap: str, need: float, limit: float, words: str) -> Excess:
        whose = f" of {self.trunk}" if self.trunk else ""
        fit = "more than" if need > limit + ROUNDING else "within"
        return Excess(cap, self.trunk, need, limit, f"{cap}{whose}: {words}, {fit} the {limit:.6g} allowed")


def _one(_: Planned) -> float:
    return 1.0


def _minutes(plan: Planned) -> float:
    return plan.minutes


def _one_before(_: Counted) -> float:
    return 1.0


def _minutes_before(call: Counted) -> float:
    return call.minutes


def _spend_before(call: Counted) -> float:
    return call.spend
