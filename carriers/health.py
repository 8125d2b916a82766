"""What a router believes about one trunk."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class HealthRule:
    """How OPTIONS pings decide whether a trunk is up (`routing.health`); durations in seconds.

    `down_after` misses in a row mark it down. The first good ping that is at least the `up_after`th in a row,
    and not earlier than `hold_down` after the trunk was marked down, brings it back.
    """

    ping_every: float
    ping_timeout: float
    down_after: int
    up_after: int
    hold_down: float = 0.0
    any_answer_counts: bool = False
    """Whether a final answer other than 2xx is good too."""

    def good(self, status: int | None) -> bool:
        """Judge a ping by its final answer; None is no answer in time, which a transport error is too.

        Raises ValueError for what is not a final SIP status.
        """
        if status is None:
            return False
        if not 200 <= status <= 699:
            raise ValueError(f"a ping ends with a final status, 200 to 699, or None, not {status}")
        return self.any_answer_counts or status < 300


@dataclass(frozen=True, slots=True)
class CallRule:
    """How failing calls take a trunk out (`routing.failing_calls`).

    Once at least ⌈share · of_last⌉ of its last `of_last` calls have failed, a trunk is out for `hold` seconds
    (`for` in a scenario). Its window starts as if filled with successes, and so it does whenever the
    trunk comes back.
    """

    of_last: int
    share: float
    hold: float

    @property
    def needed(self) -> int:
        """Failures within the window that take the trunk out."""
        # 7 % of 100 is 7, though 0.07 * 100 is a little more in binary.
        return math.ceil(round(self.share * self.of_last, 9))


@dataclass(frozen=True, slots=True)
class QualityRule:
    """How calls that sound poor take a trunk out (`routing.poor_calls`): a `CallRule` on MOS below a level.

    A call's MOS is known when it ends. The last trunk that is believed up stays: poor calls are better than
    none.
    """

    mos_below: float
    calls: CallRule


class TrunkHealth:
    """The state of one trunk, moved by what is observed; instants in seconds, never going back."""

    def __init__(
        self, health: HealthRule | None, calls: CallRule | None, quality: QualityRule | None = None
    ) -> None:
        self._health = health
        self._calls = calls
        self._quality = quality
        self._misses = 0
        self._successes = 0
        self._marked_down_at: float | None = None
        self._window: deque[bool] = deque(maxlen=calls.of_last if calls else 0)
        self._poor: deque[bool] = deque(maxlen=quality.calls.of_last if quality else 0)
        self._drained = False
        self.out_until = -math.inf
        """When it returns, or did return, from being taken out by its calls."""
        self.up_from = -math.inf
        """Calls may be sent from then on; infinity while it is marked down or drained."""

    def up(self, now: float) -> bool:
        """Whether calls may be sent: not marked down by pings, not taken out by its calls, not drained."""
        return now >= self.up_from

    def _look(self) -> None:
        """Bring `up_from` up to date."""
        out = self._drained or self._marked_down_at is not None
        self.up_from = math.inf if out else self.out_until

    def observe_ping(self, status: int | None, now: float) -> bool:
        """Take in a ping's final status (None: no answer in time); return whether the belief changed.

        Raises ValueError without a health rule, or for what is not a final status.
        """
        return self.observe_pings(status, now, 0.0, now)[0]

    def observe_pings(self, status: int | None, sent: float, wait: float, until: float) -> tuple[bool, float]:
        """Take in pings in a row that all end with `status`, each `wait` seconds after it was sent.

        The first is sent at `sent`; those that end by `until` count. Returns whether the belief changed, with
        the instant when the next is sent. Raises what `observe_ping` does.
        """
        rule = self._health
        if rule is None:
            raise ValueError("a ping was observed, and there is no rule to judge it by")
        every, good, changed = rule.ping_every, rule.good(status), False
        misses, successes, marked = self._misses, self._successes, self._marked_down_at
        while (now := sent + wait) <= until:
            sent += every
            if good:
                misses = 0
                successes += 1
                if marked is None or successes < rule.up_after or now < marked + rule.hold_down:
                    continue
                marked = None
            else:
                successes = 0
                misses += 1
                if marked is not None or misses < rule.down_after:
                    continue
                marked = now
                self._start_anew()
            changed = changed or (now >= self.out_until and not self._drained)
        self._misses, self._successes = misses, successes
        if marked != self._marked_down_at:
            self._marked_down_at = marked
            self._look()
        return changed, sent

    def observe_call(self, failed: bool, now: float) -> bool:
        """Take in how an attempt ended; return whether that took the trunk out.

        Attempts that end while the trunk gets no calls anyway do not count: they were sent before.
        """
        if self._calls is None or not self.up(now):
            return False
        self._window.append(failed)
        if self._window.count(True) < self._calls.needed:
            return False
        self.take_out(now)
        return True

    def observe_quality(self, mos: float | None, now: float, *, last: bool = False) -> bool:
        """Take in how a call over it sounded, at its end; return whether that took the trunk out.

        None: one side heard nothing, which is as bad as can be. Calls that end while the trunk gets no calls
        anyway do not count. The `last` trunk stays, its calls are counted anew.
        """
        rule = self._quality
        if rule is None or not self.up(now):
            return False
        self._poor.append(mos is None or mos < rule.mos_below)
        if self._poor.count(True) < rule.calls.needed:
            return False
        if last:
            self._poor.clear()
            return False
        self.take_out_as_poor(now)
        return True

    def take_out(self, now: float) -> None:
        """Do what the rule on failing calls does when it trips; ValueError without such a rule."""
        self._take_out(self._calls, now)

    def take_out_as_poor(self, now: float) -> None:
        """Do what the rule on poor calls does when it trips; ValueError without such a rule."""
        self._take_out(self._quality.calls if self._quality else None, now)

    def _take_out(self, rule: CallRule | None, now: float) -> None:
        if rule is None:
            raise ValueError("a trunk was taken out by its calls, and there is no rule for how long")
        self.out_until = max(self.out_until, now + rule.hold)
        self._look()
        self._start_anew()

    def drain(self, out: bool) -> None:
        """Take the trunk out for planned work, or put it back."""
        self._drained = out
        self._look()
        self._start_anew()

    def _start_anew(self) -> None:
        """Forget the calls so far."""
        self._window.clear()
        self._poor.clear()

    def next_change(self, good: bool) -> tuple[int, float]:
        """How many pings that all end as `good` says it takes, at least, until one can change anything.

        With it the instant before which none can: the end of the hold-down. Raises ValueError without a rule.
        """
        if self._health is None:
            raise ValueError("there is no health rule, so no ping changes anything")
        marked = self._marked_down_at
        if marked is None:
            return (1 if good else self._health.down_after - self._misses), -math.inf
        if good:
            return max(self._health.up_after - self._successes, 1), marked + self._health.hold_down
        return 1, -math.inf

    def first_that_matters(self, good: bool, sent: float) -> float | None:
        """When the first ping is sent, of some from `sent` on that all end as `good` says, that may matter.

        None: a trunk that is settled stays so.
        """
        rule, marked = self._health, self._marked_down_at
        if rule is None:
            return None
        if marked is None:
            if not good:
                return sent + (rule.down_after - self._misses - 1) * rule.ping_every
            return sent if self._misses else None
        if not good:
            return sent if self._successes else None
        sent += max(rule.up_after - self._successes - 1, 0) * rule.ping_every
        early = marked + rule.hold_down - sent
        return sent + math.ceil(early / rule.ping_every) * rule.ping_every if early > 0.0 else sent

    def settled(self, good: bool) -> bool:
        """Whether pings that all end as `good` says would change nothing that a later ping could notice."""
        return self.first_that_matters(good, 0.0) is None


def calls_to_trip(rule: CallRule, failed: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index of the call that takes the trunk out, (n,); -1: none does.

    Each row of `failed` (n, m) has calls in order of their ends, that of `before` (n, of_last) those before
    them, which did not take it out. The answer is that of `TrunkHealth.observe_call`, call by call.
    """
    calls = failed.shape[1]
    running = np.cumsum(np.concatenate([before, failed], axis=1), axis=1, dtype=np.int32)
    trips = running[:, rule.of_last :] - running[:, :calls] >= rule.needed
    return np.where(trips.any(axis=1), trips.argmax(axis=1) if calls else 0, -1)
