"""No cap is ever passed: a call is reserved as its worst case, then counted as what it was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgen.guarding.caps import DAY, HOUR, Caps, Limits
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard, Permit, Reason, RefusedError

TRUNK = "sip:127.0.0.1:5060"
NUMBER = "+12025550100"


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


class Capped:
    """A guard under caps, with its clock."""

    def __init__(self, **caps: object) -> None:
        self.clock = Clock()
        self.counters = Counters()
        limits = Caps(**caps)  # type: ignore[arg-type]
        self.guard = Guard([NUMBER], ["127.0.0.1"], limits, self.counters, clock=self.clock)

    def invite(self, seconds: float = 12.0, trunk: str = "atlantic") -> Permit:
        return self.guard.invite(NUMBER, TRUNK, trunk=trunk, seconds=seconds, ring=60.0)

    def call(self, seconds: float | None, planned: float = 12.0, trunk: str = "atlantic") -> None:
        """A call that is over at once, after so many seconds of talk."""
        self.guard.settle(self.invite(planned, trunk), seconds, placed=True)

    def refusal(self, **asked: object) -> str:
        with pytest.raises(RefusedError) as refused:
            self.invite(**asked)  # type: ignore[arg-type]
        assert refused.value.reason is Reason.CAP
        return str(refused.value)


def test_calls_at_once_are_those_that_are_not_over():
    on = Capped(at_once=2)
    first, _ = on.invite(), on.invite()
    assert "at_once: 2 so far and 1 for this call are over 2" in on.refusal()
    on.guard.settle(first, 12.0, placed=True)
    on.invite()
    on.refusal()


def test_a_call_that_was_never_placed_is_as_if_never_asked_for():
    on = Capped(at_once=1, calls_per_day=1, minutes_per_day=1)
    for _ in range(3):
        on.guard.settle(on.invite(), None, placed=False)
    on.invite()
    on.refusal()


def test_what_nobody_settles_leaves_the_line_when_its_lease_is_over_and_counts_in_full():
    on = Capped(at_once=1, minutes_per_day=4)
    on.guard.settle(on.invite(seconds=100.0), None, placed=True)  # lost by the tool
    on.clock.now += 60 + 100 + 1 + 32 - 0.1
    on.refusal()
    on.clock.now += 0.2
    on.invite(seconds=100.0)
    assert on.counters.used(on.clock.now).minutes == 4


def test_spend_and_minutes_are_reserved_at_their_worst_and_settled_at_their_real_length():
    on = Capped(minutes_per_day=10, spend_per_day=1.0, cost_per_minute={"atlantic": 0.1})
    permit = on.invite(seconds=119.5)  # the BYE takes a moment: a third minute may begin
    assert on.counters.used(on.clock.now).minutes == 3
    assert on.counters.used(on.clock.now).spend == pytest.approx(0.3)
    for seconds, minutes in ((0.0, 0), (0.1, 1), (60.0, 1), (60.1, 2), (119.6, 2)):
        on.guard.settle(permit, seconds, placed=True)
        used = on.counters.used(on.clock.now)
        assert used.minutes == minutes
        assert used.spend == pytest.approx(0.1 * minutes)


def test_a_cap_on_spend_is_met_to_the_cent_and_not_passed():
    on = Capped(spend_per_day=0.3, cost_per_minute={"atlantic": 0.1, "boreal": 0.01})
    for _ in range(3):
        on.call(12.0)
    assert "spend_per_day: 0.3 so far and 0.01 for this call are over 0.3" in on.refusal(trunk="boreal")


def test_spend_cannot_be_capped_where_a_price_is_missing():
    guard = Guard([NUMBER], ["127.0.0.1"], Caps(spend_per_day=1.0, cost_per_minute={"atlantic": 0.1}))
    for trunk in ("boreal", None):
        with pytest.raises(RefusedError) as refused:
            guard.invite(NUMBER, TRUNK, trunk=trunk)
        assert refused.value.reason is Reason.PRICE
    guard.invite(NUMBER, TRUNK, trunk="atlantic")


@pytest.mark.parametrize(
    ("cap", "window"), [("calls_per_second", 1.0), ("calls_per_hour", HOUR), ("calls_per_day", DAY)]
)
def test_a_window_rolls_call_by_call(cap, window):
    on = Capped(**{cap: 3})
    for _ in range(3):
        on.call(0.0)
        on.clock.now += 0.25 * window
    assert f"{cap}: 3 so far" in on.refusal()
    on.clock.now += 0.25 * window  # the first has left
    on.call(0.0)
    on.refusal()
    on.clock.now += 0.25 * window
    on.call(0.0)
    on.refusal()


def test_a_rate_below_one_a_second_is_one_call_in_its_time():
    on = Capped(calls_per_second=0.1)
    on.call(0.0)
    on.clock.now += 9.9
    on.refusal()
    on.clock.now += 0.2
    on.call(0.0)


def test_a_clock_that_is_put_back_frees_nothing():
    on = Capped(calls_per_hour=1)
    on.call(0.0)
    on.clock.now -= 10 * DAY
    on.refusal()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 2000.0), st.floats(0.0, 400.0), st.sampled_from("ab")),
        min_size=5,
        max_size=40,
    )
)
def test_no_hour_and_no_day_ever_holds_more_than_its_cap(calls):
    prices = {"a": 0.1, "b": 0.25}
    on = Capped(
        calls_per_hour=4, minutes_per_day=20, spend_per_day=3.0, cost_per_minute=prices,
        per_trunk={"b": Limits(calls_per_day=6)},
    )  # fmt: skip
    made: list[tuple[float, int, str]] = []
    for wait, seconds, trunk in calls:
        on.clock.now += wait
        try:
            on.call(seconds, planned=max(seconds - 1.0, 0.0), trunk=trunk)
        except RefusedError:
            continue
        made.append((on.clock.now, -int(-seconds // 60), trunk))
    for start, _, _ in made:
        day = [call for call in made if start <= call[0] < start + DAY]
        assert sum(call[0] < start + HOUR for call in day) <= 4
        assert sum(minutes for _, minutes, _ in day) <= 20
        assert sum(minutes * prices[trunk] for _, minutes, trunk in day) <= 3.0 + 1e-9
        assert sum(trunk == "b" for _, _, trunk in day) <= 6


def test_a_trunk_has_caps_of_its_own_under_those_of_all():
    on = Capped(calls_per_day=3, per_trunk={"atlantic": Limits(calls_per_day=1)})
    on.call(0.0)
    assert "'atlantic': over a cap (calls_per_day: 1 so far" in on.refusal()
    on.call(0.0, trunk="boreal")
    on.call(0.0, trunk="boreal")
    assert "'all trunks': over a cap" in on.refusal(trunk="boreal")


def test_short_calls_stay_under_their_share():
    on = Capped(short_calls_at_most=0.10)
    for _ in range(18):
        on.call(12.0)
    on.call(3.0)  # meant to be long, and hung up by the far end
    on.call(0.0)  # no answer: it is no short call, nor one at all here
    on.call(6.0, planned=6.0)
    assert "short_calls_at_most: 3 short ones of 21 answered calls are over 0.1" in on.refusal(seconds=6.0)
    on.invite(seconds=6.1)
    for _ in range(9):
        on.call(12.0)
    held = on.invite(seconds=2.0)
    on.refusal(seconds=2.0)  # the one under way counts already
    on.guard.settle(held, 0.0, placed=True)
    on.invite(seconds=2.0)


def test_few_calls_have_no_share_of_short_ones():
    on = Capped(short_calls_at_most=0.0)
    for _ in range(19):
        on.call(2.0, planned=2.0)
    on.refusal(seconds=2.0)


@pytest.mark.parametrize(
    "caps",
    [{"at_once": -1}, {"spend_per_day": float("nan")}, {"calls_per_second": 0},
     {"short_calls_at_most": 1.5}, {"cost_per_minute": {"a": -0.1}},
     {"cost_per_minute": {"a": float("inf")}}],
)  # fmt: skip
def test_a_cap_that_caps_nothing_is_an_error(caps):
    with pytest.raises(ValueError, match="must be"):
        Caps(**caps)
