"""Measures the speed and the memory of predictions."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import plain_simpy_five_nines
import plain_simpy_pairs
from rows import FIVE_NINES, ROOT, ROUNDS, Row, Rows, in_turns

from callsim.agreements.accounts import agreements_of
from callsim.agreements.reckoner import LedgerReckoner, reckoner_of
from callsim.build import build
from callsim.scenario.load import load_scenario
from callsim.study import Goal, run_study
from sim import Tables

OUTBOUND = ROOT / "benchmarks" / "five-nines-outbound.yaml"
"""Its part that the hand-written version has."""
FIVE = ("run", str(FIVE_NINES))
GOLD = ROOT / "scenarios" / "slas" / "gold.yaml"
PAIRS = ROOT / "tests" / "oracles" / "five-pairs-own-crews.yaml"
MANY_YEARS = 100_000
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


def seconds_apart(years: int) -> float:
    """Let callsim simulate on one process, twice at once; return what the slower one took."""
    with ThreadPoolExecutor(2) as both:
        return max(both.map(lambda _: seconds(years, 1), range(2)))


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
    # Short turns, many of them: a machine that others share is twice as fast in one second as in another.
    years = round(300 * times)
    outbound = build(load_scenario(OUTBOUND))
    ours, plain = in_turns(
        lambda: years_a_cpu_second(outbound, years),
        lambda: plain_simpy_five_nines.main(years)[0],
        rounds=5 * ROUNDS,
        of=max,
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
    # Whole seconds on both cores: what others take of them lengthens some turns by half, and shortens none.
    one, two, apart = in_turns(
        lambda: seconds(years, 1), lambda: seconds(years, 2), lambda: seconds_apart(years // 2), of=min
    )
    yield Row(
        f"five-nines, {years:,} years, one process against two, best of {ROUNDS}",
        f"{one:.1f} to {two:.1f} s: {one / two:.2f} "
        f"(two runs of half the years side by side, which is what the machine has: {one / apart:.2f})",
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
    return own + (jobs - 1) * of_a_worker


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
