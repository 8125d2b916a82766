"""Workers and whole runs are killed in mid-call: what is left behind is nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

from callgen.measures.records import Outcome

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import kills

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL"),
]


def test_killed_workers_cost_their_calls_and_no_cap():
    left = asyncio.run(kills.kill_workers(8))
    assert left.kills >= 8
    assert len(left.records) == left.begun > 60
    assert left.blamed == 0
    outcomes = [record.outcome for record in left.records]
    assert outcomes.count(Outcome.ANSWERED) > left.begun / 3
    lost = [record.reason for record in left.records if record.outcome is Outcome.LOST_BY_TOOL]
    assert lost
    assert all("worker" in reason for reason in lost)
    assert left.invites <= left.cap, "calls a day, as the carrier counts them"
    assert left.most <= kills.AT_ONCE - 2, "calls at once, as the carrier counts them"
    assert left.up == kills.LAST, "which were gone soon"
    assert left.processes == 0


def test_a_cap_holds_over_all_the_lives_of_a_run_that_is_killed():
    left = asyncio.run(kills.kill_runs(5))
    assert left.invites <= left.cap, "calls a day, as the carrier counts them"
    assert left.begun >= left.invites, "what the guard has counted"
    assert left.counted >= left.up > 0, "what was on the line is told of at the next start"
    names = [record["call_id"] for record in left.told if record["call_id"] is not None]
    assert len(names) == len(set(names)) > 0, "each call that ended is in its file once"
    assert {record["outcome"] for record in left.told} <= {"answered", "refused_by_guard"}
