"""Watches the lab for half an hour of real time, and kills probers at random moments."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rows import ROOT, Row, Rows

from results.store.opening import open_store

LENGTH = 1800.0
SETTLED = 300.0
"""Seconds after which memory is to grow no more."""
WINDOW = 90.0
"""Seconds over which memory is taken, since workers come and go."""
LOOK_EVERY = 3.0
RENEW_CALLS = 100
"""Calls after which workers are replaced, so that it is done several times meanwhile."""
PORT = 26070
PLAN = f"""
name: bench
trunks:
  - {{carrier: atlantic, uri: "sip:127.0.0.1:{PORT}"}}
  - {{carrier: boreal, uri: "sip:127.0.0.1:{PORT + 1}"}}
routing:
  {{order: priority, routes: [atlantic, boreal], no_reply_timeout: 2s, ring_timeout: 5s, max_attempts: 2,
   health: {{ping_every: 10s, ping_timeout: 1s, down_after: 3, up_after: 2}}}}
tests:
  - {{name: each, to: "+12025550100", over: [atlantic, boreal, route], every: 10s, jitter: 2s, talk: 2s,
     expect: {{two_way_audio: true}}}}
guard: {{allow: ["+1202555"], country: US, at_once: 4, calls_per_day: 100000}}
"""
PROBER = """
import sys
from callsim.cli import main
from callsim.watching import watcher
watcher.RENEW_CALLS = int(sys.argv.pop(1))
renew = watcher.Watcher._renew
async def told(self, opened):
    await renew(self, opened)
    print("RENEWED", opened.desk.dialer.renewals, flush=True)
watcher.Watcher._renew = told
main()
"""


@contextmanager
def lab() -> Iterator[None]:
    """Run two good carriers."""
    words = ["lab", "--carriers", "atlantic,boreal", "--port", str(PORT)]
    running = subprocess.Popen(
        [sys.executable, "-m", "callsim", *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        time.sleep(10.0)
        yield
    finally:
        running.terminate()
        running.wait()


def children(process: int) -> list[int]:
    """Give the processes below one, and itself."""
    found = [process]
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        for child in tasks.read_text().split():
            found += children(int(child))
    return found


def pss(process: int) -> float:
    """Give the proportional set size of a process with those below it, in bytes (proc(5))."""
    total = 0.0
    for one in children(process):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it has ended meanwhile
        total += sum(float(line.split()[1]) * 1024.0 for line in lines if line.startswith("Pss:"))
    return total


def watched(seconds: float, folder: Path) -> tuple[list[tuple[float, float]], str]:
    """Watch for so long; gives memory (seconds, bytes), and what was said."""
    (folder / "plan.yaml").write_text(PLAN)
    words = ["watch", f"{folder}/plan.yaml", "--store", f"{folder}/store.db", "--state", f"{folder}/state"]
    words += ["--for", f"{seconds:g}s", "--location", "bench"]
    begun = time.monotonic()
    memory = []
    with (
        lab(),
        subprocess.Popen(
            [sys.executable, "-c", PROBER, str(RENEW_CALLS), *words],
            cwd=ROOT,
            env=os.environ | {"XDG_STATE_HOME": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        ) as prober,
    ):
        while prober.poll() is None:
            if time.monotonic() - begun < seconds:
                memory.append((time.monotonic() - begun, pss(prober.pid)))
            time.sleep(LOOK_EVERY)
        assert prober.stdout is not None  # it is a pipe
        return memory, prober.stdout.read()


def killed(times: int) -> dict[str, Any]:
    """Kill so many probers, and say what is left (see `tests/watch_victim.py`)."""
    with TemporaryDirectory() as folder:
        words = [sys.executable, str(ROOT / "tests" / "watch_victim.py"), folder, str(times), "2026"]
        ran = subprocess.run(words, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    return dict(json.loads(ran.stdout))


def watch(times: float, _: int) -> Rows:
    """Measure cadence and memory of the prober on the lab, and what kills leave."""
    seconds = max(LENGTH * times, 60.0)
    with TemporaryDirectory() as name:
        memory, said = watched(seconds, Path(name))
        with open_store(f"{name}/store.db") as store:
            probes = store.probes("bench")
            missed = sum(one.count for one in store.missed("bench"))
    late = probes.started - probes.due
    passed = int((probes.passed == 1).sum())
    told = f"{len(late)} probes in {seconds / 60:.0f} min, {passed} passed, {missed} slots missed"
    yield Row(
        f"{told}: error of the cadence, median and largest",
        f"{np.median(late) * 1000:.0f} ms, {late.max() * 1000:.0f} ms",
        "under 100 ms",
        bool(late.max() < 0.1 and len(late) > 0),
    )
    settled = min(SETTLED, seconds / 3)
    first = median(size for at, size in memory if settled <= at < settled + WINDOW)
    last = median(size for at, size in memory if at >= memory[-1][0] - WINDOW)
    growth = last / first - 1.0
    renewals = said.count("RENEWED")
    yield Row(
        f"memory of parent and workers after {settled / 60:.0f} min and at the end, workers replaced "
        f"{renewals} times",
        f"{first / 2**20:.0f} MB, {last / 2**20:.0f} MB: {growth:+.1%}",
        "grows less than 5 %",
        growth < 0.05 and renewals > 0,
    )
    found = killed(max(int(200 * times), 20))
    spoilt = [found[part] for part in ("lost", "double", "holes")] + [len(found["troubles"])]
    yield Row(
        f"{max(int(200 * times), 20)} probers killed: committed probes lost, slots double, slots without a "
        "word, troubles of the store",
        f"{', '.join(map(str, spoilt))}; {found['counted']} calls counted of {found['placed']} placed",
        "0, 0, 0, 0; caps kept",
        not any(spoilt) and found["placed"] <= found["counted"],
    )


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=float, default=1.0, help="of the usual length")
    for row in watch(parser.parse_args().times, 1):
        print(row, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
