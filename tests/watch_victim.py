"""Kills a prober at random moments, again and again, and looks at what is left.

Run as `python tests/watch_victim.py FOLDER TIMES SEED`; prints what was found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import watch_lab
from watch_lab import NUMBER, FaultyDialer, WatchLab, plan_of

from callgen.guarding import numbers
from callgen.guarding.counters import Counters
from callsim.reading.tracking import IncidentTracker
from callsim.watching.clock import SystemClock
from callsim.watching.events import ProbeDone, Reloaded
from callsim.watching.keeping import put_of, take_up
from callsim.watching.lanes import lanes_of
from callsim.watching.recording import Books, Recorder
from callsim.watching.watcher import Outside, Watcher
from results.store.keeper import Keeper
from results.store.opening import open_store

CAP = 150
"""Calls a day that the guard allows."""
LOCATION = "here"


def plan():
    over = ["atlantic", "boreal"]
    cadence = {"every": "200ms", "jitter": "50ms", "talk": "50ms"}
    tests = [{"name": "each", "to": NUMBER, "over": over, **cadence}]
    guard = {"allow": ["+1202555"], "country": "US", "at_once": 500, "calls_per_day": CAP}
    return plan_of(tests=tests, guard=guard)


class Wire(FaultyDialer):
    """Writes down each INVITE before it is sent."""

    def __init__(self, folder, clock):
        super().__init__(clock)
        self.file = (folder / "wire").open("a")

    async def place(self, permit, talk, **how):
        self.file.write("INVITE\n")
        self.file.flush()
        return await super().place(permit, talk, **how)


class Victim(WatchLab):
    """A prober in real time over scripted trunks, with a real store, spool and guard."""

    def __init__(self, folder, begun):
        super().__init__(plan(), counters=Counters(folder / "counters"))
        self.folder = folder
        self.clock = SystemClock()
        self.dialer = Wire(folder, self.clock)
        self.done = []
        self.begun = begun

    async def watch(self, seconds):
        url = f"sqlite:///{self.folder / 'store.db'}"
        keeper = Keeper(url, self.folder / "spool")
        put = put_of(keeper, lambda: self.plan)
        tracker = IncidentTracker(self.plan, LOCATION, keep=put)
        recorder = Recorder(
            self.plan, LOCATION, self.clock.wall(), "0", lambda: None, put, self.counters.since
        )
        outside = Outside(
            self.clock, self.open, self.place, Books(LOCATION, lambda: None).entries, self.network
        )
        self.watcher = Watcher(self.plan, outside, [recorder, tracker, self.note])
        keeper.drain(5.0)
        taken = take_up(url, self.plan, LOCATION, self.watcher.started, tracker)
        self.watcher.fill(taken.handled)
        threading.Thread(target=self.tell, args=(keeper,), daemon=True).start()
        asyncio.get_running_loop().call_later(seconds, self.watcher.stop)
        await self.watcher.run()
        keeper.drain(10.0)
        keeper.close()

    def note(self, event):
        if isinstance(event, ProbeDone):
            self.done.append(event.id)
        elif isinstance(event, Reloaded) and self.begun is not None:
            os.write(self.begun, b"!")

    def tell(self, keeper):
        """Write down which probes are known to have been committed."""
        with (self.folder / "committed").open("a") as file:
            told = 0
            while True:
                known = len(self.done)
                if known > told and keeper.drain(5.0):
                    file.write("".join(f"{name}\n" for name in self.done[told:known]))
                    file.flush()
                    told = known
                time.sleep(0.01)


def live(folder, seconds, begun=None):
    """Be a prober, in a process of its own; a byte goes to `begun` once it probes."""
    watch_lab.RING, watch_lab.ANSWER = 0.01, 0.02
    asyncio.run(Victim(folder, begun).watch(seconds))


def warm_up(folder):
    """Load what a prober loads, so that its lives may be short."""
    open_store(f"sqlite:///{folder / 'other.db'}").close()
    numbers.warm_up()


def kill_often(folder, times, seed):
    """Kill so many probers, let one end by itself, and say what is left."""
    rng = np.random.default_rng(seed)
    (folder / "committed").touch()
    warm_up(folder)
    for life in range(times):
        hear, begun = os.pipe()
        victim = os.fork()
        if victim == 0:
            live(folder, 3600.0, begun)
            os._exit(1)
        os.close(begun)
        if life % 4:
            os.read(hear, 1)
        time.sleep(float(rng.uniform(0.0, 0.6)))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        os.close(hear)
    last = os.fork()
    if last == 0:
        live(folder, 1.0)
        os._exit(0)
    _, code = os.waitpid(last, 0)
    return {"last_code": code, **left(folder)}


def left(folder):
    """Look through store, spool and guard."""
    made = plan()
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        calls, missed = list(store.calls(made.name)), list(store.missed(made.name))
        troubles = store.check()
    committed = (folder / "committed").read_text().split()
    ids = Counter(call.probe for call in calls)
    # A slot that the guard refused is a miss; what was tried of it is kept, and counts for nothing.
    counting = [call for call in calls if call.last]
    slots = Counter((entry.over, round(entry.due_at, 3)) for entry in [*counting, *missed])
    holes = 0
    for lane in lanes_of(made, time.time()):
        over = lane.leg.over
        dues = [due for leg, due in slots if leg == over]
        expected = lane.schedule.between(min(dues) - 1e-2, max(dues) + 1e-2)
        holes += sum(slots[over, round(due, 3)] == 0 for due in expected)
    return {
        "calls": len(calls),
        "committed": len(committed),
        "lost": len(set(committed) - set(ids)),
        "double": sum(count > 1 for count in slots.values()) + len(calls) - len({call.id for call in calls}),
        "holes": holes,
        "missed": dict(Counter(one.reason for one in missed)),
        "placed": len((folder / "wire").read_text().split()),
        "counted": Counters(folder / "counters").used(time.time()).day,
        "troubles": troubles,
    }


if __name__ == "__main__":
    place, number, start = sys.argv[1:]
    print(json.dumps(kill_often(Path(place), int(number), int(start))))
