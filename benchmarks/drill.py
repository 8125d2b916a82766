"""Sets real calls on the lab's carriers beside the simulator's prediction of the same stretch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rows import FIVE_NINES, Row, Rows, machine, table

SHARE = 0.95
CALLS = 200
MODES = 9
"""Causes of the carriers' faults in `five-nines`."""
TYPICAL, ALL = 180.0, 600.0
"""Seconds that a drill may take."""
TIMES = ("post-dial delay", "time to detect", "time to fail over", "time to recover")


def drilled(*words: str) -> tuple[dict[str, Any], int, float]:
    """Run `callsim drill` on `five-nines`; give its answer, its exit code, the seconds that it took."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "drill.json"
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "callsim", "drill", str(FIVE_NINES), *words, "--json", str(out)],
            check=False,
        )
        return json.loads(out.read_text("utf-8")), done.returncode, time.monotonic() - begun


def rows_of(name: str, words: tuple[str, ...], longest: float) -> Rows:
    answer, code, seconds = drilled(*words)
    found = answer["as_predicted"]
    share, low, high = found["value"], found["low"], found["high"]
    enough = found["count"] >= CALLS or "--all" not in words
    causes = {fault["cause"] for fault in answer["faults"]}
    if "--all" in words:
        yield Row(f"{name}: causes", str(len(causes)), str(MODES), len(causes) == MODES)
    yield Row(
        f"{name}: calls whose outcome and carrier were predicted",
        f"{share:.1%} of {found['count']} ({low:.1%} to {high:.1%})",
        f"at least {SHARE:.0%}" + (f" of {CALLS}" if "--all" in words else ""),
        share >= SHARE and enough,
    )
    for test in answer["tests"]:
        if test["kind"] == "time" and test["pairs"]:
            interval = "" if test["low"] is None else f" ({test['low']:+.3f} to {test['high']:+.3f})"
            yield Row(
                f"{name}: {test['name']}, real less simulated, {test['pairs']} pairs",
                f"{test['difference']:+.3f} s{interval}",
                "no systematic difference",
                not test["differs"],
            )
    differing = [test["name"] for test in answer["tests"] if test["differs"]]
    yield Row(f"{name}: systematic differences", ", ".join(differing) or "none", "none", code == 0)
    yield Row(f"{name}: duration", f"{seconds:.0f} s", f"under {longest:.0f} s", seconds < longest)


def drill(times: float, jobs: int) -> Rows:
    """Play the typical bad day, a fault of every cause, then those with Kamailio where it is installed."""
    del jobs
    again = ("--repeat", str(max(1, round(times))))
    yield from rows_of("typical bad day", (), TYPICAL)
    yield from rows_of("every cause", ("--all", *again), ALL * max(1.0, times))
    if shutil.which("kamailio") is not None:
        yield from rows_of("by Kamailio", ("--all", "--carriers", "kamailio", *again), ALL * max(1.0, times))


if __name__ == "__main__":
    table(drill(1.0, 1), machine(1.0))
