"""Carriers of a lab in processes of their own."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal

import pytest
from lab_caller import ALMOST_SURE, HOST, Caller, runs
from scipy import stats

from callgen.lab import lab
from callgen.lab.impairment import LabFault
from callgen.lab.lab import LabCarrier, LabError, lab_of
from callgen.messages import Answers, Ended, Endpoint, Place
from callgen.process import Process
from carriers.faults import Fault, Kind
from carriers.laws import Fixed
from carriers.path import Transit

# ---- in a process of its own


def test_a_hundred_calls_at_once_lose_nothing():
    async def one(port):
        async with Caller(port) as caller:
            assert (await caller.call())[-1] == 200
            await asyncio.sleep(2.0)
            numbers = [packet.sequence for _, packet in caller.heard()]
            assert await caller.status_of("BYE", number=2) == 200
            return numbers

    async def scene():
        async with LabCarrier() as carrier:
            port = int(carrier.uri.rpartition(":")[2])
            for numbers in await asyncio.gather(*(one(port) for _ in range(100))):
                # On a busy machine some may be on their way still.
                assert len(numbers) > 50
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    runs(scene)


@pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed")
def test_sipp_places_its_calls():
    async def scene():
        async with LabCarrier() as carrier:
            where = carrier.uri.removeprefix("sip:")
            options = f"-sn uac -i {HOST} -s +12025550100 {where} -r 100 -m 150 -d 1000 -nostdin"
            sipp = await asyncio.create_subprocess_exec(
                "sipp", *options.split(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            async with asyncio.timeout(60):
                assert await sipp.wait() == 0, "of 150 calls each has gone as SIPp expects"

    runs(scene)


@pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed")
def test_pjsua2_measures_what_was_set():
    fault = LabFault("impaired", loss=0.1, delay=0.04)

    async def scene():
        heard = asyncio.Queue()
        async with LabCarrier() as carrier:
            await carrier.play(fault)
            worker = Process("callgen.endpoint.worker", Endpoint(HOST), heard.put_nowait, lambda code: None)
            for number in range(4):
                worker.tell(Place(number, carrier.uri.replace("sip:", "sip:+12025550100@"), talk=9.0))
            ended = []
            async with asyncio.timeout(60):
                while len(ended) < 4:
                    if isinstance(message := await heard.get(), Ended):
                        ended.append(message.rtp)
            await worker.close()
        lost = sum(rtp.lost for rtp in ended)
        low, high = stats.binomtest(lost, lost + sum(rtp.received for rtp in ended)).proportion_ci(
            ALMOST_SURE
        )
        assert low <= fault.loss <= high
        # Reports come every five seconds or so, and are lost too, but hardly those of all calls.
        assert min(rtp.rtt for rtp in ended if rtp.rtt) == pytest.approx(2 * fault.delay, abs=0.005)

    runs(scene)


def test_a_crash_takes_its_process_and_recovery_brings_it_back_at_the_same_address():
    async def scene():
        async with LabCarrier("atlantic") as crashed:
            uri, pids = crashed.uri, crashed.pids
            async with Caller(int(uri.rpartition(":")[2])) as caller:
                await crashed.play(LabFault("crash"))
                assert (crashed.pids, crashed.uri) == ([], uri)
                caller.send("OPTIONS")
                assert await caller.hears_nothing()
                before = asyncio.get_running_loop().time()
                assert await crashed.play(None) >= before
                assert crashed.uri == uri
                assert crashed.pids not in ([], pids)
                assert await caller.status_of("OPTIONS", number=2) == 200
            os.kill(crashed.pids[0], signal.SIGSTOP)
            played = asyncio.ensure_future(crashed.play(LabFault("silent")))
            await asyncio.sleep(0)
            os.kill(crashed.pids[0], signal.SIGKILL)
            with pytest.raises(LabError, match="the process of atlantic ended with -9"):
                await played

    runs(scene)


def test_a_lab_has_carriers_side_by_side():
    async def scene():
        async with lab_of(["a", "b"], channels=4) as carriers:
            assert list(carriers) == ["a", "b"]
            await carriers["a"].play(LabFault("silent"))
            ports = {name: int(one.uri.rpartition(":")[2]) for name, one in carriers.items()}
            async with Caller(ports["b"]) as caller:
                assert await caller.status_of("OPTIONS") == 200
            async with Caller(ports["a"]) as caller:
                caller.send("OPTIONS")
                assert await caller.hears_nothing()
                # A fault of a scenario is played too.
                await carriers["a"].play(Fault("a/refuses", Kind.REFUSES, status=404))
                assert await caller.call() == [404]
        assert [one.pids for one in carriers.values()] == [[], []]

    runs(scene)


@pytest.mark.parametrize(
    ("fault", "played"),
    [
        (Fault("f", Kind.SILENT), LabFault("silent")),
        (Fault("f", Kind.MAINTENANCE), LabFault("maintenance")),
        (Fault("f", Kind.REFUSES, status=486, share=0.3), LabFault("refuses", 486, 0.3)),
        (
            Fault("f", Kind.SLOW, post_dial_delay=Fixed(2.0)),
            LabFault("slow", post_dial_delay=(2.0,) * lab.DELAYS),
        ),
        (Fault("f", Kind.ONE_WAY_AUDIO), LabFault("one_way")),
        (
            Fault("f", Kind.POOR_AUDIO, transit=Transit(0.1, 2.0, 0.01, 0.05)),
            LabFault("impaired", loss=0.1, burst_ratio=2.0, jitter=0.01, delay=0.05),
        ),
        (Fault("f", Kind.CAPACITY, channels_left=0.5), LabFault("capacity", channels=5)),
    ],
)
def test_a_fault_of_a_scenario_is_played_as(fault, played):
    assert LabCarrier(channels=10).translated(fault) == played


@pytest.mark.parametrize("fault", [Fault("f", Kind.CONGESTION), Fault("f", Kind.CAPACITY, channels_left=0.5)])
def test_what_a_lab_cannot_play_is_refused(fault):
    with pytest.raises(ValueError, match="lab of the lab does not play"):
        asyncio.run(LabCarrier().play(fault))


def test_a_sound_that_cannot_be_read_is_told_before_it_starts(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        LabCarrier(answers=Answers(plays=str(tmp_path / "none.wav")))
