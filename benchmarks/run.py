"""Measures speed, memory, coverage and agreement with exact values, each against its target."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import coverage
import numpy as np
import plain_simpy_five_nines
import plain_simpy_pairs
import validate

from callsim.agreements.accounts import agreements_of
from callsim.agreements.reckoner import LedgerReckoner, reckoner_of
from callsim.build import build
from callsim.call_files import write_calls
from callsim.placed import place
from callsim.result import unavailability
from callsim.scenario import load_scenario
from callsim.study import Goal, run_study
from sim import Tables, place_calls

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benchmarks" / "README.md"
FIVE_NINES = ROOT / "scenarios" / "five-nines.yaml"
OUTBOUND = ROOT / "benchmarks" / "five-nines-outbound.yaml"
"""Its part that the hand-written version has."""
FIVE = ("run", str(FIVE_NINES))
GOLD = ROOT / "scenarios" / "slas" / "gold.yaml"
PAIRS = ROOT / "tests" / "oracles" / "five-pairs-own-crews.yaml"
ONE_UNIT = ROOT / "tests" / "oracles" / "one-unit.yaml"
ROUNDS = 5
"""Of every comparison, in turns, so that what slows the machine down slows both sides."""
MANY_YEARS = 100_000
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
PEAK = """
import resource, sys
from callsim.cli import main
main(sys.argv[1:], standalone_mode=False)
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss)
"""
"""Prints the peak memory of a command, and that of the largest of its processes."""
TO_MB = 1e-6 if sys.platform == "darwin" else 1.024e-3
"""`ru_maxrss` is in bytes there, in KiB elsewhere."""


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    what: str
    measured: str
    target: str
    held: bool

    def __str__(self) -> str:
        return f"| {self.what} | {self.measured} | {self.target} | {'yes' if self.held else '**no**'} |"


Rows = Iterator[Row]


def in_turns(*sides: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """Measure A B A B ...; return the median of each."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, values in zip(sides, found, strict=True):
            values.append(side())
    return [statistics.median(values) for values in found]


def years_a_cpu_second(tables: Tables, years: int, reckoner: LedgerReckoner | None = None) -> float:
    """Simulate in this process, outages and summaries included."""
    began = time.process_time()
    run_study(tables, 1, Goal(years), reckoner=reckoner)
    return years / (time.process_time() - began)


def seconds(years: int, jobs: int) -> float:
    """Let callsim simulate on several processes; return what it took, their start included.

    As a command, since processes that are spawned import the main module: here that would be this file.
    """
    with TemporaryDirectory() as out:
        seconds_of(*FIVE, "--years", str(years), "--jobs", str(jobs), "--quiet", "--out", out)
        (timing,) = Path(out).glob("*/timing.json")
        return float(json.loads(timing.read_text())["wall_s"])


def seconds_of(*arguments: str) -> tuple[float, float]:
    """Run callsim; return the seconds until its first line of output, and until its end."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "callsim", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = time.perf_counter() - began
        process.stdout.read()
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return first, time.perf_counter() - began


def speed(times: float, _: int) -> Rows:
    """Compare with hand-written loops and with two processes, and wait for a verdict."""
    pairs, five = build(load_scenario(PAIRS)), build(load_scenario(FIVE_NINES))
    years = round(10_000 * times)
    ours, plain = in_turns(lambda: years_a_cpu_second(pairs, years), lambda: plain_simpy_pairs.main(years)[0])
    yield Row(
        "five pairs, one core, against plain SimPy",
        f"{ours:,.0f} to {plain:,.0f} years/s: {ours / plain:.2f}",
        "at least 0.33",
        ours / plain >= 1 / 3,
    )
    years = round(600 * times)
    outbound = build(load_scenario(OUTBOUND))
    ours, plain = in_turns(
        lambda: years_a_cpu_second(outbound, years), lambda: plain_simpy_five_nines.main(years)[0]
    )
    yield Row(
        "five-nines with calls from us only, one core, against a stripped version in plain SimPy",
        f"{ours:,.0f} to {plain:,.0f} years/s: {ours / plain:.2f}",
        "at least 0.25",
        ours / plain >= 1 / 4,
    )
    whole = statistics.median(years_a_cpu_second(five, years) for _ in range(ROUNDS))
    yield Row("five-nines, one core", f"{whole:,.0f} years/s", "at least 150", whole >= 150)
    years = round(4000 * times)
    one, two = in_turns(lambda: seconds(years, 1), lambda: seconds(years, 2), rounds=3)
    yield Row(
        f"five-nines, {years:,} years, one process against two",
        f"{one:.1f} to {two:.1f} s: {one / two:.2f}",
        "at least 1.8",
        one / two >= 1.8,
    )
    years = round(2000 * times)
    with TemporaryDirectory() as out:
        run = (*FIVE, "--years", str(years), "--jobs", "2", "--quiet", "--out", out)
        first, end = zip(*(seconds_of(*run) for _ in range(3)), strict=True)
    verdict = statistics.median(first)
    yield Row(
        f"`callsim run scenarios/five-nines.yaml --years {years}`, two processes",
        f"verdict after {verdict:.1f} s, files after {statistics.median(end):.1f} s",
        "verdict within 10 s",
        verdict <= 10,
    )
    start = statistics.median(seconds_of("--help")[1] for _ in range(ROUNDS))
    yield Row("`callsim --help`", f"{start:.2f} s", "within 0.3 s", start <= 0.3)


def voice(times: float, _: int) -> Rows:
    """Compare five-nines with and without how calls sound, over the same faults and beliefs."""
    tables = build(load_scenario(FIVE_NINES))
    assert tables.routing is not None
    # What only makes calls sound poor is left out of both, and with it the switching that it causes.
    units = tuple(unit for unit in tables.units if unit.segment is None)
    heard = replace(tables, units=units, own_paths=(), routing=replace(tables.routing, poor_calls=None))
    mute = replace(heard, voice=None)
    years = round(600 * times)
    with_it, without = in_turns(
        lambda: years_a_cpu_second(heard, years), lambda: years_a_cpu_second(mute, years)
    )
    ratio = without / with_it
    yield Row(
        "five-nines, the same faults, with how calls sound against without, one core",
        f"{with_it:,.0f} to {without:,.0f} years/s: {ratio:.2f} times the time",
        "at most 1.3",
        ratio <= 1.3,
    )


def peak(years: int, jobs: int) -> float:
    """Return the peak memory of a run of five-nines in MB, all its processes together (an upper bound)."""
    with TemporaryDirectory() as out:
        options = ["--years", str(years), "--jobs", str(jobs), "--quiet", "--out", out]
        printed = subprocess.run(
            [sys.executable, "-c", PEAK, "run", str(FIVE_NINES), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    own, of_a_worker = (int(line) * TO_MB for line in printed.splitlines()[-2:])
    return own + (jobs * of_a_worker if jobs > 1 else 0.0)


def memory(times: float, jobs: int) -> Rows:
    """Measure the memory of the longest run that is promised."""
    years = round(MANY_YEARS * times)
    found = peak(years, jobs)
    what = f"five-nines, {years:,} years, {jobs} processes together"
    yield Row(what, f"{found:,.0f} MB", "below 1,000 MB", found < 1000)


def agreements(times: float, _: int) -> Rows:
    """Measure what agreements add to a run, and how long a long record takes."""
    scenario = load_scenario(FIVE_NINES)
    tables = build(scenario)
    reckoner = reckoner_of(scenario, tables, agreements_of(scenario))
    years = round(300 * times)
    bare, judged = in_turns(
        lambda: years_a_cpu_second(tables, years), lambda: years_a_cpu_second(tables, years, reckoner)
    )
    yield Row(
        "five-nines, with its agreements against without, one core",
        f"{judged:,.0f} to {bare:,.0f} years/s: {bare / judged:.2f} times the time",
        "at most 1.3",
        bare / judged <= 1.3,
    )
    rows = round(100_000 * times)
    with TemporaryDirectory() as folder:
        record = Path(folder) / "outages.csv"
        record.write_text("\n".join(["start,end,cause", *outages(rows)]) + "\n", encoding="utf-8")
        judge = ("sla", "assess", str(GOLD), str(record), "--json", "-")
        took = statistics.median(seconds_of(*judge)[1] for _ in range(3))
    yield Row(f"`callsim sla assess`, {rows:,} rows", f"{took:.1f} s", "within 5 s", took <= 5)


def outages(rows: int) -> Iterator[str]:
    """Write outages of a minute, one every five minutes from 2026 on."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(rows):
        start = begin + timedelta(minutes=5 * number)
        yield f"{start.isoformat()},{(start + timedelta(minutes=1)).isoformat()},provider:{number % 7}"


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


PARTS: dict[str, Callable[[float, int], Rows]] = {
    "speed": speed,
    "memory": memory,
    "voice": voice,
    "agreements": agreements,
    "coverage": coverages,
    "oracles": exact,
    "calls": calls,
}


def table(rows: Rows, note: str) -> str:
    """Set rows in a Markdown table, and print each as it comes."""
    lines = ["| What | Measured | Target | Held |", "|---|---|---|---|"]
    print("\n".join(lines))
    for row in rows:
        lines.append(str(row))
        print(row, flush=True)
    print(f"\n{note}\n")
    return "\n".join([*lines, "", note])


def machine(times: float) -> str:
    """Say under which conditions the figures came about."""
    busy = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    scale = "" if times == 1 else f", {times:g} times the usual size"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores{busy}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}{scale}."
    )


def replaced(text: str, part: str, new: str) -> str:
    """Return a text with what stands between the marks of a part replaced."""
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
    before, mark, rest = text.partition(begin)
    _, end_mark, after = rest.partition(end)
    if not mark or not end_mark:
        raise ValueError(f"part(={part}) has no place between {begin.strip()} and {end}")
    return f"{before}{begin}{new}\n{end_mark}{after}"


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="a part; may be repeated (default: all)"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--times", type=float, default=1.0, help="multiply years and runs, to try things out")
    parser.add_argument("--jobs", type=int, default=2, help="processes for memory and oracles")
    options = parser.parse_args()
    for part in options.only or PARTS:
        note = machine(options.times)
        print(f"## {part}\n", flush=True)
        new = table(PARTS[part](options.times, options.jobs), note)
        if options.write:
            TABLE.write_text(replaced(TABLE.read_text("utf-8"), part, new), "utf-8")


if __name__ == "__main__":
    main()
