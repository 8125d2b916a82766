"""Sets the simulator beside exact values, what intervals promise, and calls that are placed one by one."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import coverage
import numpy as np
import validate
from rows import FIVE_NINES, ROOT, Row, Rows

from callsim.build import build
from callsim.call_files import write_calls
from callsim.placed import place
from callsim.result import unavailability
from callsim.scenario.load import load_scenario
from callsim.study import Goal, run_study
from sim import place_calls

ONE_UNIT = ROOT / "tests" / "oracles" / "one-unit.yaml"
FAULTS_OFTEN = (
    "carriers.atlantic.failures.silent.mtbf=12h",
    "carriers.atlantic.failures.trying_only.mtbf=1d",
    "carriers.atlantic.failures.refuses.mtbf=6h",
    "carriers.boreal.failures.silent.mtbf=12h",
    "carriers.cirrus.failures.refuses.mtbf=12h",
    "shared_risks.docklands-meet-me-room.mtbf=1d",
)
BUSY_HOURS = ROOT / "tests" / "busy-hours.yaml"
"""Its busy hours overflow; the variants below add what makes that hard to reckon."""
BUSY = {
    "overflow over three carriers": (BUSY_HOURS, ()),
    "overflow, with calls to us on the same channels": (
        BUSY_HOURS,
        (
            "traffic.inbound=40%",
            "numbers=[{block: main, home: atlantic, share: 60%}, {block: other, home: boreal, share: 40%}]",
            "carriers.atlantic.channels=76",
            "carriers.boreal.channels=26",
            "carriers.cirrus.channels=6",
        ),
    ),
    "overflow, the first carrier refuses 30 % half the time": (
        BUSY_HOURS,
        ("carriers.atlantic.failures.refuses.mtbf=4h",),
    ),
    "five-nines, carriers fail often": (FIVE_NINES, FAULTS_OFTEN),
}
CALLS_HORIZON = 5 * 86400.0
CALLS_REPEATED = {BUSY_HOURS: 14, FIVE_NINES: 20}
"""Stretches that make a million calls."""
MOST_APART = 0.05
"""Percentage points of the calls that connect."""
TOLD = ("connect share, inbound", "blocked share", "dropped share", "post-dial delay p95 (s)", "MOS, mean")
MARGINS = 1.5
"""Of 95 %: of twenty figures all lie within so many by chance, but for one time in fifteen."""


def coverages(times: float, _: int) -> Rows:
    """Count how often the printed intervals hold the exact value."""
    runs = round(1000 * times)
    for outages in (10, 100):
        hours = 100 * 8766 // outages
        tables = build(load_scenario(ONE_UNIT, [f"platform.groups.unit.failures.hardware.mtbf={hours}h"]))
        exact = 2 / (hours + 2)
        tally = coverage.Tally()
        for seed in range(runs):
            found = unavailability(run_study(tables, seed, Goal(100)).summary, seed, 0.95)
            if found.low is not None and found.high is not None:
                tally.add(found.low, found.high, exact)
        yield covered(f"one unit, simulated, {outages} outages in 100 years", [tally])
    rng = np.random.default_rng(2026)
    for name, law in coverage.LENGTHS.items():
        for outages in (10, 100):
            cells = [c for c in coverage.CELLS if c[0] == outages]
            tallies = [coverage.coverage(law, *cell, runs, rng)["unavailability"] for cell in cells]
            yield covered(f"{name} lengths, {outages} outages, years drawn directly", tallies)


def covered(what: str, tallies: list[coverage.Tally]) -> Row:
    """Report the 95 % interval on unavailability in runs with two-sided intervals."""
    held = [tally.held for tally in tallies]
    shares = ", ".join(f"{100 * share:.1f} %" for share in held)
    counted = ", ".join(f"{tally.runs:,}" for tally in tallies)
    right = all(0.93 <= round(share, 4) <= 0.97 for share in held)
    return Row(what, f"{shares} of {counted} runs", "93 to 97 %", right)


def exact(times: float, jobs: int) -> Rows:
    """Judge the simulator by exact values, with twelve times the years as the tests."""
    for oracle, found in validate.scores(12 * times, jobs):
        width = validate.half_width(found)
        yield Row(
            oracle.model,
            f"half-width {100 * width:.1f} %, chi-square {found.chi_square:.1f}, z {found.pooled_z:+.2f}",
            f"5 %, {found.limit:.1f}, ±{validate.LARGEST_Z:g}",
            width <= 0.05 and validate.holds(found),
        )


def calls(times: float, jobs: int) -> Rows:
    """Place a million calls of each scenario, and set them beside what is expected of the same faults.

    Redials are left out: the evaluated mode knows none. The files of calls are written too.
    """
    for name, (file, overrides) in BUSY.items():
        scenario = load_scenario(file, overrides)
        repeated = max(jobs, round(CALLS_REPEATED[file] * times))
        placed = place(scenario, CALLS_HORIZON, repeated, 1, jobs, redials=False)
        rows = placed.beside()
        connects = rows[0]
        apart = 100 * (connects.counted - connects.expected)
        told = f"{placed.offered:,} calls, {100 * connects.counted:.3f} % connect, {apart:+.3f} points apart"
        held = abs(apart) <= MOST_APART
        yield Row(f"{name}: success", told, f"within {MOST_APART:g} points", held)
        for row in rows[1:]:
            if row.name in TOLD and row.margin is not None:
                told = f"{row.counted:.6g} for {row.expected:.6g}, {row.counted - row.expected:+.2g}"
                held = abs(row.counted - row.expected) <= MARGINS * row.margin
                yield Row(f"{name}: {row.name}", told, f"±{MARGINS} x {row.margin:.2g}", held)
    yield from call_speed(times)


def call_speed(times: float) -> Rows:
    """Measure how many calls a core places, and how fast their files are written."""
    tables = build(load_scenario(FIVE_NINES))
    place_calls(tables, 0, 3600.0, 1)
    began = time.process_time()
    placed = place_calls(tables, 1, 10 * CALLS_HORIZON * times, 1).calls
    rate = len(placed) / (time.process_time() - began)
    yield Row("five-nines, one core", f"{rate:,.0f} calls/s", "at least 8,000", rate >= 8000)
    with TemporaryDirectory() as folder:
        began = time.process_time()
        write_calls(Path(folder), tables.zone, 0, placed, parquet=False)
        rate = len(placed) / (time.process_time() - began)
    yield Row("its file of calls, CSV", f"{rate:,.0f} calls/s", "at least 50,000", rate >= 50_000)
