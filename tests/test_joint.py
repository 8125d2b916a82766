"""One silent fault, predicted by the simulator and measured with real calls through the same router."""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import callsim
from callgen.dialer import Workers
from callgen.guarding.guard import Guard
from callgen.lab.lab import HOST, LabCarrier
from callgen.measures.records import CallRecord, Outcome
from callgen.pings import keep_pinging
from callgen.placing import Line
from callsim.build import build
from carriers.faults import Fault, Kind
from carriers.routing import Router
from results.timeline import Branch
from sim import Tables, simulate
from sim.conditions import Conditions

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)

NUMBER = "+12025550100"
PHASES = (0.3, 0.6)
"""When the fault begins, in seconds after a ping: far from where a millisecond decides."""
PDD_WITHIN = 0.1
LEARNT_WITHIN = 0.05
PATIENCE = 15.0


@dataclass
class Measured:
    """What happened in one fault, in seconds of the event loop's clock."""

    failed_at: float
    detected_at: float
    repaired_at: float
    back_at: float
    before: CallRecord
    """A call while all was well."""
    undetected: CallRecord
    """A call just after the fault began."""
    detected: CallRecord
    """A call once the router knew."""


@dataclass
class Experiment:
    faults: list[Measured] = field(default_factory=list)
    late: float = 0.0
    """Longest that our own event loop was late: a busy machine is no matter of the router's."""
    pids: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return build(callsim.load(Path(__file__).with_name("joint.yaml")))


def silent(tables: Tables) -> Fault:
    (fault,) = tables.faults
    assert fault.kind is Kind.SILENT
    return fault


@pytest.fixture(scope="module")
def experiment(tables: Tables) -> Experiment:
    return asyncio.run(experiment_with(tables))


async def experiment_with(tables: Tables) -> Experiment:
    found = Experiment()
    started = asyncio.Barrier(len(PHASES))
    found.faults = await asyncio.gather(*(one_fault(tables, phase, started, found) for phase in PHASES))
    return found


async def watch_lateness(found: Experiment) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        found.late = max(found.late, loop.time() - due)


async def one_fault(tables: Tables, phase: float, started: asyncio.Barrier, found: Experiment) -> Measured:
    """Play one fault on carriers of its own, with calls before it, in it, and when it is known."""
    async with LabCarrier() as first, LabCarrier() as second, Workers() as workers:
        found.pids += [*first.pids, *second.pids, *workers.pids]
        line = Line(Router(tables.routing), (first.uri, second.uri), Guard([NUMBER], [HOST]), workers)
        news: asyncio.Queue[tuple[int, bool, float]] = asyncio.Queue()
        await started.wait()
        background = [
            asyncio.ensure_future(keep_pinging(line, lambda *what: news.put_nowait(what))),
            asyncio.ensure_future(watch_lateness(found)),
        ]
        try:
            return await calls_around(line, first, silent(tables), news, phase)
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)


async def calls_around(
    line: Line, first: LabCarrier, fault: Fault, news: asyncio.Queue[tuple[int, bool, float]], phase: float
) -> Measured:
    loop = asyncio.get_running_loop()
    rng = np.random.default_rng(0)
    before = await line.call(NUMBER, 0.2, rng)
    ping, _ = line.router.next_ping(loop.time())
    await asyncio.sleep(ping + phase - loop.time())
    failed_at = await first.play(fault)
    undetected = await line.call(NUMBER, 0.2, rng)
    async with asyncio.timeout(PATIENCE):
        trunk, up, detected_at = await news.get()
    assert (trunk, up) == (0, False)
    detected = await line.call(NUMBER, 0.2, rng)
    repaired_at = await first.play(None)
    async with asyncio.timeout(PATIENCE):
        trunk, up, back_at = await news.get()
    assert (trunk, up) == (0, True)
    return Measured(failed_at, detected_at, repaired_at, back_at, before, undetected, detected)


# ---- what the simulator says


def predicted(tables: Tables, failed: bool, believed_up: bool) -> Branch:
    """How the simulator has every call fare; the second carrier is good, and believed to be."""
    fault = tables.faults.index(silent(tables)) + 1 if failed else 0
    _, state = Conditions(tables).look((1, 2 * fault + believed_up, 1))
    (branch,) = state.condition.branches
    assert branch.share.tolist() == pytest.approx([1.0] * 168)
    return branch


@pytest.fixture(scope="module")
def stretches(tables: Tables) -> dict[str, np.ndarray]:
    """A year of such faults: how long the router did not know, and how long it thought so too long."""
    (replication,) = simulate(tables, [(0, 1)], seed=1)
    timeline = replication.timeline
    seconds = timeline.end - timeline.start
    labels = [timeline.conditions[number].label for number in timeline.condition]
    return {
        label: seconds[[found == label for found in labels]]
        for label in ("first/1 silent, believed up", "first/1 good, believed down")
    }


def agrees(record: CallRecord, branch: Branch) -> None:
    assert record.outcome is Outcome.ANSWERED
    assert record.trunk == f"{branch.carrier}/1"
    assert len(record.attempts) == branch.attempts


# ---- and what calls say


def test_a_call_goes_over_the_first_carrier_while_all_is_well(tables, experiment):
    for fault in experiment.faults:
        agrees(fault.before, predicted(tables, failed=False, believed_up=True))


def test_a_call_in_a_fault_that_is_not_detected_pays_the_timeout(tables, experiment):
    branch = predicted(tables, failed=True, believed_up=True)
    assert (branch.carrier, branch.attempts, branch.offset) == ("second", 2, tables.routing.no_reply_timeout)
    for fault in experiment.faults:
        agrees(fault.undetected, branch)
        assert [attempt.status for attempt in fault.undetected.attempts] == [408, 200]


def test_a_call_after_the_detection_does_not(tables, experiment):
    branch = predicted(tables, failed=True, believed_up=False)
    assert branch.attempts == 1
    for fault in experiment.faults:
        agrees(fault.detected, branch)


def test_post_dial_delay_is_the_predicted_one_on_top_of_the_labs_own(tables, experiment):
    own = float(np.median([fault.before.pdd for fault in experiment.faults]))
    for fault in experiment.faults:
        for record, believed_up in ((fault.undetected, True), (fault.detected, False)):
            offset = predicted(tables, failed=True, believed_up=believed_up).offset
            assert record.pdd - own == pytest.approx(offset, abs=PDD_WITHIN + experiment.late)


def test_detection_takes_as_long_as_in_a_simulated_year(tables, experiment, stretches):
    rule = tables.routing.health
    low = (rule.down_after - 1) * rule.ping_every + rule.ping_timeout
    high = rule.down_after * rule.ping_every + rule.ping_timeout
    simulated = stretches["first/1 silent, believed up"]
    assert len(simulated) > 1000
    assert low <= simulated.min() < simulated.max() <= high + 1e-3
    for fault in experiment.faults:
        assert low <= fault.detected_at - fault.failed_at <= high + LEARNT_WITHIN + experiment.late


def test_recovery_takes_as_long_as_in_a_simulated_year(tables, experiment, stretches):
    rule = tables.routing.health
    low, high = (rule.up_after - 1) * rule.ping_every, rule.up_after * rule.ping_every
    simulated = stretches["first/1 good, believed down"]
    assert low <= simulated.min() < simulated.max() <= high + 1e-3
    for fault in experiment.faults:
        assert low <= fault.back_at - fault.repaired_at <= high + LEARNT_WITHIN + experiment.late


def test_detection_comes_with_the_ping_that_the_routers_schedule_has(tables, experiment):
    rule = tables.routing.health
    for fault in experiment.faults:
        first = Router(tables.routing).next_ping_of(0, fault.failed_at)
        expected = first + (rule.down_after - 1) * rule.ping_every + rule.ping_timeout
        assert fault.detected_at == pytest.approx(expected, abs=LEARNT_WITHIN + experiment.late)


def test_voice_flows_both_ways(experiment):
    for fault in experiment.faults:
        rtp = fault.before.attempts[-1].rtp
        assert rtp.sent > 0
        assert rtp.received > 0


def test_no_process_is_left_and_this_one_never_knew_pjsua2(experiment):
    assert len(experiment.pids) == 3 * len(PHASES)  # two carriers, one worker
    assert not multiprocessing.active_children()
    for pid in experiment.pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert "pjsua2" not in sys.modules
