"""What a lab's carrier does to media, measured against what was set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest
from lab_caller import ALMOST_SURE, SOON, by_port, carrier, runs
from scipy import stats

from callgen.lab.impairment import LabFault
from callgen.lab.lab import conduct_of

# ---- faults of media, measured

CALLS, PACKETS, PACE = 10, 250, 10
"""Of each measurement; a packet every `PACE` ms."""
LOSSES = {
    "one": LabFault("impaired", loss=0.01),
    "five": LabFault("impaired", loss=0.05),
    "ten": LabFault("impaired", loss=0.10),
    "bursts": LabFault("impaired", loss=0.10, burst_ratio=3.0),
}


@dataclass
class Measured:
    lost: list[np.ndarray]
    """Of each call: which of the packets to the caller did not come."""
    far_lost: int
    far_due: int


@pytest.fixture(scope="module")
def measured():
    """Calls over carriers that lose packets, all at once."""

    async def one(far, finished):
        async with by_port(far, packet_time=PACE) as caller:
            await caller.call()
            await caller.talk(PACKETS)
            numbers = [packet.sequence for _, packet in caller.heard()]
            lost = ~np.isin(np.arange(min(numbers), max(numbers) + 1), numbers)
            await finished.wait()
            far.behave(conduct_of(None))  # so that this comes through
            block = None
            async with asyncio.timeout(SOON):
                while block is None:  # the carrier's own regular report may take the news just before ours
                    caller.say(b"")
                    await asyncio.sleep(0.05)
                    _, block = await caller.report()
            return lost, block["lost"], block["highest"] + 1

    async def over(fault):
        async with carrier(fault) as far:
            finished = asyncio.Barrier(CALLS)
            found = await asyncio.gather(*(one(far, finished) for _ in range(CALLS)))
            return Measured([f[0] for f in found], sum(f[1] for f in found), sum(f[2] for f in found))

    async def all_of():
        return await asyncio.gather(*map(over, LOSSES.values()))

    return dict(zip(LOSSES, asyncio.run(all_of()), strict=True))


@pytest.mark.parametrize("name", ["one", "five", "ten"])
def test_loss_is_as_set_each_way(name, measured):
    found = measured[name]
    to_caller = np.concatenate(found.lost)
    for lost, due in ((int(to_caller.sum()), len(to_caller)), (found.far_lost, found.far_due)):
        assert due >= CALLS * PACKETS * 0.9
        low, high = stats.binomtest(lost, due).proportion_ci(ALMOST_SURE)
        assert low <= LOSSES[name].loss <= high


def test_bursts_of_loss_are_as_long_as_set(measured):
    fault = LOSSES["bursts"]
    lengths = []
    for lost in measured["bursts"].lost:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
        lengths += list(edges[1::2] - edges[::2])
    mean = fault.burst_ratio / (1 - fault.loss)
    margin = stats.norm.ppf((1 + ALMOST_SURE) / 2) * np.std(lengths) / np.sqrt(len(lengths))
    assert np.mean(lengths) == pytest.approx(mean, abs=margin)
    # Random loss would have runs of 1.1.
    assert np.mean(lengths) - margin > 1.3


def test_delay_is_as_set():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            await caller.call()
            before = min([(await caller.report())[0] for _ in range(5)])
            far.behave(conduct_of(LabFault("impaired", delay=0.06)))
            there_and_back = min([(await caller.report())[0] for _ in range(5)])
            assert there_and_back - before == pytest.approx(2 * 0.06, abs=0.005)

    runs(scene)


def test_jitter_is_as_set():
    async def one(far):
        async with by_port(far) as caller:
            await caller.call()
            await asyncio.sleep(1.5)
            transit = [at - packet.timestamp / 8000 for at, packet in caller.heard()]
            return np.abs(np.diff(transit))

    async def scene():
        loop = asyncio.get_running_loop()
        async with carrier(LabFault("impaired", jitter=0.01)) as far:
            calls = asyncio.gather(*(one(far) for _ in range(8)))
            late = 0.0
            while not calls.done():
                due = loop.time() + 0.01
                await asyncio.sleep(0.01)
                late = max(late, loop.time() - due)
            found = await calls
        differences = np.concatenate(found)
        assert len(differences) > 400
        # Differences spread as wide as they are long, and neighbours have a wait in common.
        margin = stats.norm.ppf((1 + ALMOST_SURE) / 2) * 1.25 * 0.01 / np.sqrt(len(differences))
        assert differences.mean() == pytest.approx(0.01, abs=margin + late / 10)

    runs(scene)


def test_order_is_lost_as_set():
    async def scene():
        async with carrier(LabFault("impaired", reorder=0.2)) as far:

            async def numbers():
                async with by_port(far) as caller:
                    await caller.call()
                    await asyncio.sleep(1.5)
                    return np.array([packet.sequence for _, packet in caller.heard()])

            found = await asyncio.gather(*(numbers() for _ in range(8)))
            late = sum(int((np.diff(each) < 0).sum()) for each in found)
            low, high = stats.binomtest(late, sum(map(len, found))).proportion_ci(ALMOST_SURE)
            assert low <= 0.2 * 0.8 <= high, "of those held back a share is so with its next"

    runs(scene)


def test_one_way_audio_is_lost_the_way_that_was_set():
    async def scene():
        async with carrier(LabFault("one_way", way="to_callee")) as far, by_port(far) as caller:
            await caller.call()
            await caller.talk(10)
            assert len(caller.heard()) >= 5
            assert {packet.payload for _, packet in caller.heard()} == {b"\xff" * 160}, "no echo"
            far.behave(conduct_of(LabFault("one_way", way="to_caller")))
            await asyncio.sleep(0.02)
            caller.rtp.all()
            await caller.talk(10)
            assert not caller.heard()
            far.behave(conduct_of(None))
            _, block = await caller.report()
            assert (block["highest"], block["lost"]) == (19, 0), "the callee has heard it"
            far.behave(conduct_of(LabFault("no_audio")))
            await asyncio.sleep(0.02)
            caller.rtp.all()
            await caller.talk(5)
            assert not caller.heard()

    runs(scene)
