"""Kills workers, or a whole run, in mid-call, and counts what is left behind.

The carrier is in this process, so that it counts what really came: INVITEs, and calls that were up at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rows import Row, Rows

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from callgen.dialer import SLOTS, Workers
from callgen.guarding.caps import Caps
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard
from callgen.lab.far_end import FarEnd, Settings
from callgen.lab.lab import HOST
from callgen.load import Kept, Shape, generate
from callgen.measures.records import CallRecord, Outcome
from callgen.messages import Answers
from callgen.placing import Line
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

NUMBER = "+12025550100"
SOON = 15.0
"""Seconds that anything may take on a busy machine."""
START = 60.0
"""Seconds that a run may take to its first call, likewise."""
GRACE = 2.0
"""Seconds in which the far end has to be rid of the calls of what was killed."""
RATE, AT_ONCE = 6.0, 12
RING, TALK = 0.3, 0.7
LAST = 6
"""Calls that are up when every worker is killed."""
A_LIFE = 8
"""Calls that a run which is killed would place, on the four slots of one worker."""
PLAN = """
name: killed
trunks: [{{carrier: boreal, uri: "sip:{host}:{port}"}}]
guard: {{allow: ["{number}"], at_once: {at_once}, calls_per_day: {a_day}}}
"""


class Seen(FarEnd):
    """A carrier that counts."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(Settings(HOST, 0, answers, None, 0))
        self.invites: set[str] = set()
        self.most = 0

    async def __aenter__(self) -> Seen:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a message, and count."""
        super().datagram_received(data, addr)
        if data.startswith(b"INVITE"):
            self.invites.add(data.partition(b"Call-ID: ")[2].partition(b"\r")[0].decode())
        self.most = max(self.most, self.calls)


@dataclass
class Left:
    """What was found after killing."""

    kills: int = 0
    begun: int = 0
    records: list[CallRecord] = field(default_factory=list)
    invites: int = 0
    cap: int = 0
    """Calls a day."""
    most: int = 0
    """Calls at once."""
    up: int = 0
    """Calls that were up when everything, or a run, was killed."""
    seconds: float = 0.0
    """Until the last of them was gone from the far end."""
    processes: int = 0
    told: list[dict[str, object]] = field(default_factory=list)
    """Records that killed runs have written."""
    counted: int = 0
    """Calls that they left to be counted as their worst case."""

    @property
    def blamed(self) -> int:
        """Calls whose record says that a carrier failed; none did."""
        fair = {Outcome.ANSWERED, Outcome.LOST_BY_TOOL, Outcome.REFUSED_BY_GUARD}
        return sum(record.outcome not in fair for record in self.records)


async def until(true, within: float = SOON) -> float:
    began = time.monotonic()
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)
    return time.monotonic() - began


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def policy() -> RoutingPolicy:
    return RoutingPolicy(
        order=Order.PRIORITY,
        routes=(Route(0),),
        advance_on=frozenset({408, 503}),
        no_reply_timeout=SOON,
        progress_timeout=SOON,
        ring_timeout=SOON,
        max_attempts=1,
        trunks=(Trunk("boreal/1", 0),),
        carriers=(Carrier("boreal", (0,), None, None, 0.0, None),),
    )


async def kill_workers(kills: int, seed: int = 1) -> Left:
    """Kill random workers of a pool that is under load; the caps are tighter than the load."""
    rng = np.random.default_rng(seed)
    shape = Shape(RATE, AT_ONCE, 1.25 * kills)
    left = Left(cap=shape.calls - 5)
    kept, pids = Kept(), set()
    counters = Counters()
    guard = Guard([NUMBER], [HOST], Caps(at_once=AT_ONCE - 2, calls_per_day=left.cap), counters)
    async with Seen(Answers(ring=RING)) as carrier, Workers(4, grow_to=8) as workers:
        line = Line(
            Router(policy()), [f"sip:{HOST}:{carrier.port}"], guard, workers, keep=left.records.append
        )

        async def kill() -> None:
            for pause in rng.uniform(0.5, 1.5, kills) * shape.seconds / (kills + 1):
                await asyncio.sleep(pause)
                # The last one is left, for a pool without any waits longer and longer.
                while len(workers.pids) < 2 and kept.due < shape.calls:
                    await asyncio.sleep(0.01)
                if kept.due == shape.calls:
                    break
                pids.update(workers.pids)
                os.kill(int(rng.choice(workers.pids)), signal.SIGKILL)
                left.kills += 1

        killing = asyncio.create_task(kill())
        await generate(lambda: line.call(NUMBER, TALK, rng), shape, lambda record: None, kept)
        await killing
        pids.update(workers.pids)
        left.begun, left.invites, left.most = kept.placed, len(carrier.invites), carrier.most
        await _kill_all(left, line, workers, carrier)
    await line.settled()
    counters.close()
    left.processes = sum(map(lives, pids))
    return left


async def _kill_all(left: Left, line: Line, workers: Workers, carrier: Seen) -> None:
    """Kill every worker while some calls ring and others are answered, and see how soon none is up."""
    uncapped = Line(line.router, line.uris, Guard([NUMBER], [HOST]), workers, keep=line.keep)
    # A worker that was killed again and again soon after its start is started after a minute at most.
    await until(lambda: not carrier.calls and workers.free_slots >= LAST, START + SOON)
    placed = []
    for _ in range(LAST):
        placed.append(asyncio.ensure_future(uncapped.call(NUMBER, SOON, np.random.default_rng(0))))
        await asyncio.sleep(2 * RING / LAST)
    await until(lambda: carrier.calls == LAST)
    left.kills += len(workers.pids)
    left.up = carrier.calls
    for pid in workers.pids:
        os.kill(pid, signal.SIGKILL)
    left.seconds = await until(lambda: not carrier.calls)
    await asyncio.gather(*placed)
    left.begun += LAST


async def kill_runs(kills: int, seed: int = 1) -> Left:
    """Kill `callsim load` again and again, all with one cap on calls a day, which the last ones meet."""
    rng = np.random.default_rng(seed)
    left = Left(kills, cap=max(A_LIFE, 4 * kills))
    async with Seen(Answers(ring=RING)) as carrier:
        with TemporaryDirectory() as name:
            await _lives(left, carrier, Path(name), rng.uniform(0.1, 1.9, kills))
        left.invites, left.most = len(carrier.invites), carrier.most
    return left


async def _lives(left: Left, carrier: Seen, folder: Path, pauses: np.ndarray) -> None:
    plan = folder / "killed.yaml"
    plan.write_text(PLAN.format(host=HOST, port=carrier.port, number=NUMBER, at_once=1000, a_day=left.cap))
    for life, pause in enumerate(pauses):
        await _one_life(left, carrier, plan, folder / f"{life}.jsonl", float(pause))
    counters = Counters(folder / "callsim" / "killed.counters")
    left.counted += len(counters.left(time.time()))
    left.begun = counters.used(time.time()).day
    counters.close()
    for file in folder.glob("*.jsonl"):
        left.told += [json.loads(line) for line in file.read_text().splitlines()]


async def _one_life(left: Left, carrier: Seen, plan: Path, records: Path, after: float) -> None:
    words = ["load", str(plan), "--to", NUMBER, "--talk", f"{TALK}s", "--records", str(records), "--quiet"]
    words += ["--calls-per-second", "4", "--at-once", str(SLOTS), "--for", f"{A_LIFE / 4}s"]
    before = len(carrier.invites)
    run = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "callsim", *words),
        env={**os.environ, "XDG_STATE_HOME": str(plan.parent)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=plan.parent,
    )
    assert run.stderr is not None
    said = asyncio.create_task(run.stderr.read())
    ended = asyncio.create_task(run.wait())
    try:
        # Where the cap lets nothing through any more, it ends by itself.
        await until(lambda: len(carrier.invites) > before or ended.done(), START)
        await asyncio.wait({ended}, timeout=after)
        if not ended.done():
            run.kill()
            left.up += carrier.calls
            left.seconds = max(left.seconds, await until(lambda: not carrier.calls))
    finally:
        with suppress(ProcessLookupError):
            run.kill()
        # Whoever lives holds the other end, so that it closes with the last of its processes.
        async with asyncio.timeout(2 * SOON):
            told = (await said).decode()
        await ended
    if " of a process that died " in told:
        left.counted += int(told.split("NOTE: ")[1].split(" call")[0].replace(",", ""))


def kills(times: float, _: int) -> Rows:
    """Kill 200 workers and 20 runs, or `times` as many."""
    workers = asyncio.run(kill_workers(max(2, round(200 * times))))
    what = f"{workers.kills:,} workers killed under load: calls with a record"
    missing = workers.begun - len(workers.records)
    yield Row(what, f"{len(workers.records):,} of {workers.begun:,}", "all", missing == 0)
    yield Row("... calls whose record blames a carrier", f"{workers.blamed}", "0", workers.blamed == 0)
    runs = asyncio.run(kill_runs(max(2, round(20 * times))))
    for name, left in (("...", workers), (f"{runs.kills} runs killed", runs)):
        held = left.invites <= left.cap
        yield Row(f"{name}: INVITEs that the carrier saw", f"{left.invites:,}", f"at most {left.cap:,}", held)
        yield Row(
            "... until the far end had no call of theirs any more",
            f"{left.seconds:.2f} s",
            f"within {GRACE:g} s",
            left.seconds <= GRACE,
        )
    yield Row("... processes left behind", f"{workers.processes}", "0", workers.processes == 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="workers to kill; of runs a tenth")
    for row in kills(parser.parse_args().runs / 200, 1):
        print(f"{'ok' if row.held else 'NO':<4}{row.what}: {row.measured} ({row.target})")


if __name__ == "__main__":
    main()
