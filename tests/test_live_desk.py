"""The desk: what an errand becomes, and when it has to wait."""

import asyncio
import time
from types import SimpleNamespace

import numpy as np
import pytest

from callgen.guarding.caps import Worst
from callgen.guarding.counters import Counters
from callgen.messages import Audio
from callsim.live import desk as desks
from callsim.live.desk import Desk, Errand, lab_plan
from callsim.live.setup import caps_of

NUMBER = "+12025550100"
AUDIO = Audio("speech", "echo", "1#")


class Line:
    """Notes what is asked of it."""

    def __init__(self):
        self.asked = []

    async def line(self):
        return self

    async def call(self, number, talk, rng, *, audio, codecs):
        self.asked.append(("route", number, talk, audio, codecs))
        return SimpleNamespace(to_json=lambda: {"outcome": "answered"})

    async def call_over(self, trunk, number, talk, rng, *, audio, codecs):
        self.asked.append((trunk, number, talk, audio, codecs))
        return SimpleNamespace(to_json=lambda: {"outcome": "busy"})


@pytest.fixture
def desk():
    """A desk whose guard allows one call at once."""
    counters = Counters()
    yield Desk(lab_plan(NUMBER, 1), Line(), SimpleNamespace(), np.random.default_rng(0), counters)
    counters.close()


def test_an_errand_goes_over_its_trunk_or_by_the_router(desk):
    placed = [
        asyncio.run(desk.call(Errand(NUMBER, over, 3.0, AUDIO, ("G722",))))["outcome"] for over in (None, 2)
    ]
    assert placed == ["answered", "busy"]
    assert desk.lines.asked == [(over, NUMBER, 3.0, AUDIO, ("G722",)) for over in ("route", 2)]


def test_a_patient_call_waits_for_room_and_another_does_not(desk):
    caps = caps_of(desk.plan)
    held = desk.counters.reserve(Worst("atlantic/1", 1, None, short=False, lasts=60.0), caps, time.time)

    async def run():
        patient = asyncio.create_task(desk.call(Errand(NUMBER, None, 1.0)))
        await desk.call(Errand(NUMBER, 1, 1.0), patient=False)
        await asyncio.sleep(3 * desks.LOOK_EVERY)
        assert [asked[0] for asked in desk.lines.asked] == [1]
        desk.counters.settle(held, 0, short=False, now=time.time())
        await patient

    asyncio.run(run())
    assert [asked[0] for asked in desk.lines.asked] == [1, "route"]


def test_a_call_that_waits_too_long_is_left_to_the_guard(desk, monkeypatch):
    monkeypatch.setattr(desks, "LONGEST_WAIT", 0.05)
    desk.counters.reserve(
        Worst("atlantic/1", 1, None, short=False, lasts=60.0), caps_of(desk.plan), time.time
    )
    asyncio.run(desk.call(Errand(NUMBER, None, 1.0)))
    assert len(desk.lines.asked) == 1
