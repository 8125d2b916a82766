"""The clock plays timers and SimPy's events as one calendar."""

from __future__ import annotations

import pytest

from sim.clock import VALUE, Clock


def test_timers_and_processes_take_turns_in_the_order_of_their_instants():
    clock, told = Clock(-5.0), []

    def process():
        for _ in range(3):
            yield clock.timeout(2.0)
            told.append(("process", clock.now))

    clock.process(process())
    clock.after(4.0, lambda timer: told.append((timer[VALUE], clock.now)), "timer")
    clock.play(until=1.0)
    # At -1.0 both are due: the timer was set first. What falls on the end does not happen.
    assert told == [("process", -3.0), ("timer", -1.0), ("process", -1.0)]
    assert clock.now == 1.0
    clock.play(until=2.0)
    assert told[3:] == [("process", 1.0)]


def test_what_goes_wrong_in_a_process_is_raised():
    clock = Clock(0.0)

    def process():
        yield clock.timeout(1.0)
        raise LookupError("nobody caught this")

    clock.process(process())
    with pytest.raises(LookupError, match="nobody caught this"):
        clock.play(until=2.0)


def test_a_timer_in_the_past_is_refused():
    with pytest.raises(ValueError, match=r"delay\(=-1\.0\) must not be negative"):
        Clock(0.0).after(-1.0, lambda _: None)
