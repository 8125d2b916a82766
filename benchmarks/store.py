"""Kills writers of the store at any moment, and measures it with ten million calls."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import sqlalchemy as sa
from rows import ROOT, Row, Rows, in_turns

from results.store.entries import Attempt, Call, new_id
from results.store.errors import StoreError
from results.store.keeper import Keeper
from results.store.opening import open_store
from results.store.store import Store
from results.store.tables import TABLES, calls
from results.store.writing import DAY, HOUR

NOW = 1_792_800_000.0
"""A midnight, UTC."""
PLAN, OLD = "production", "old"
"""The plan that is written while another one is pruned."""
OLD_CALLS = 2000
SOON = 60.0
"""Seconds that anything may take on a busy machine."""
LEGS = ("atlantic/1", "atlantic/2", "boreal/1", "route")
LIVES = 0.4
"""Seconds within which a writer is killed after it has started."""


@dataclass(frozen=True)
class Keep:
    """What the old plan keeps."""

    records: float = DAY
    failures: float | None = DAY
    traces: float | None = None
    recordings: float | None = None


def call(at: float, plan: str = PLAN, passed: bool = True, over: str = LEGS[0]) -> Call:
    """A call as probers write them."""
    id_ = new_id(at)
    return Call(
        id=id_,
        probe=id_,
        location="berlin",
        plan=plan,
        test="echo",
        over=over,
        trunk=over,
        carrier="atlantic",
        number="+12025550100",
        due_at=at,
        started_at=at,
        ended_at=at + 14.0,
        outcome="answered" if passed else "timeout",
        sip_status=200 if passed else 408,
        passed=passed,
        pdd_s=1.25,
        mos=4.21,
        checks=[{"expect": "status", "wanted": "200", "found": "answered, 200", "kept": passed}],
        record={"rtp": {"sent": 600, "received": 598, "lost": 2}, "audio": {"two_way": True}, "trunk": over},
    )


def attempt(of: Call) -> Attempt:
    """Its only INVITE."""
    return Attempt(id=new_id(of.started_at), call=of.id, no=1, trunk=of.over, carrier=None, sip_status=200)


# ---- killing


@dataclass
class Killed:
    """What was found after killing."""

    kills: int = 0
    kept: int = 0
    """Calls that were said to be kept."""
    lost: int = 0
    """Those of them that are nowhere."""
    doubled: int = 0
    """Calls that the sums count more or less than once."""
    torn: int = 0
    """Attempts without their call, though both are written or pruned at once."""
    migrations: int = 0
    """Kills before the schema was there."""
    spooled: int = 0
    """Kills that left something in the spool."""
    pruned: int = 0
    """Old calls that went meanwhile."""


def _write(folder: str, said: Connection, away: bool) -> None:
    """Write calls until killed, and say the id of each once it is kept; prune old ones beside.

    `away` has the store away for the first calls, so that these are spooled.
    """
    path = str(Path(folder) / "store.db")
    opens = time.monotonic() + (LIVES / 3 if away else 0.0)

    def opener() -> Store:
        if time.monotonic() < opens:
            raise StoreError("away")
        return open_store(path)

    keeper = Keeper(opener, Path(folder) / "spool", retry=0.01)
    if not away:
        threading.Thread(target=_prune, args=(path,), daemon=True).start()
    at = NOW
    while True:
        one = call(at, passed=bool(int(at) % 7))
        keeper.put(one, attempt(one))
        while not keeper.drain(SOON) and keeper.state.held:
            pass
        said.send(one.id)
        at += 1.0


def _prune(path: str) -> None:
    with open_store(path) as store:
        while True:
            store.prune(Keep(), NOW, OLD)
            time.sleep(0.01)


def kills(times: int, seed: int, lives: float = LIVES) -> Killed:
    """Kill writers at random moments of starting, migrating, writing, spooling, landing and pruning.

    They go on in the same folder, but every fifth begins with an empty one, and dies young. The one before
    it may die as young, the others once they are at work.
    """
    rng = np.random.default_rng(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["store", "alembic.command", "results.store.keeper"])
    found = Killed()
    with TemporaryDirectory() as name:
        folder, kept, old = _fresh(Path(name), 0, filled=True)
        for number in range(times):
            young = number % 5 == 4
            if young:
                _judge(folder, kept, old, found)
                folder, kept, old = _fresh(Path(name), number, filled=False)
            hearing, saying = context.Pipe(duplex=False)
            writer = context.Process(target=_write, args=(str(folder), saying, number % 5 == 2), daemon=True)
            writer.start()
            saying.close()
            if not young and number % 5 != 3:
                hearing.poll(SOON)  # it is at work
            time.sleep(float(rng.uniform(0.0, lives / (4 if young else 1))))
            writer.kill()
            with suppress(EOFError):
                while True:
                    kept.append(hearing.recv())
            writer.join()
            found.kills += 1
            found.migrations += young and not _migrated(folder)
            found.spooled += (folder / "spool").exists() and (folder / "spool").stat().st_size > 0
            if young:
                _fill(folder)
                old = OLD_CALLS
        _judge(folder, kept, old, found)
    return found


def _fresh(home: Path, number: int, *, filled: bool) -> tuple[Path, list[str], int]:
    folder = home / str(number)
    folder.mkdir()
    if filled:
        _fill(folder)
    return folder, [], OLD_CALLS if filled else 0


def _fill(folder: Path) -> None:
    """Write what there is to prune."""
    with open_store(str(folder / "store.db")) as store:
        old = [call(NOW - 9 * DAY + n, OLD, bool(n % 5)) for n in range(OLD_CALLS)]
        store.write([entry for one in old for entry in (one, attempt(one))])


def _migrated(folder: Path) -> bool:
    path = folder / "store.db"
    if not path.exists():
        return False
    engine = sa.create_engine(f"sqlite:///{path}")
    try:
        return "calls" in sa.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def _judge(folder: Path, kept: list[str], old: int, found: Killed) -> None:
    """Let what is spooled land, as the next start does, and count."""
    keeper = Keeper(str(folder / "store.db"), folder / "spool")
    keeper.drain(SOON)
    keeper.close()
    with open_store(str(folder / "store.db")) as store, store.reading() as connection:
        there = set(connection.execute(sa.select(calls.c.id)).scalars())
        found.kept += len(kept)
        found.lost += len(set(kept) - there)
        found.doubled += len(store.check())
        (leg,) = store.month(PLAN, NOW, NOW + DAY) or [None]
        rows = connection.execute(sa.select(sa.func.count()).where(calls.c.plan == PLAN)).scalar_one()
        found.doubled += abs(rows - (leg.passed + leg.failed if leg else 0))
        table = TABLES[Attempt]
        attempts = set(connection.execute(sa.select(table.c.call)).scalars())
        found.torn += len(attempts ^ there)
        found.pruned += old - len(list(store.calls(OLD)))


# ---- ten million calls

FILL = """
INSERT INTO calls (id, probe, attempt_no, last, location, plan, test, over, trunk, carrier, direction, number,
    due_at, started_at, ended_at, outcome, sip_status, passed, checks, pdd_s, setup_s, talk_s, codec, mos,
    mos_source, loss_share, jitter_ms, record)
WITH RECURSIVE n(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM n WHERE n < :last)
SELECT printf('%012x%020x', (:begin + n * :step) * 1000, n), printf('%032x', n), 1, 1, 'berlin', 'production',
    'echo', over, over, 'atlantic', 'outbound', '+12025550100', :begin + n * :step, :begin + n * :step,
    :begin + n * :step + 2, iif(good, 'answered', 'timeout'), iif(good, 200, 408), good,
    '[{"expect":"status","kept":true}]',
    0.5 + n % 97 / 50.0, 2.5, 12.0, 'PCMU', 3.5 + n % 89 / 100.0, 'G.107', 0.001, 2.5,
    '{"rtp":{"sent":600,"received":598,"lost":2,"late":0},"audio":{"two_way":true,"silence_share":0.01}}'
FROM (SELECT n, n % 9973 > 0 AND n / 240 % 180 > 0 AS good,
    iif(n % 2, iif(n % 4 = 1, 'atlantic/1', 'atlantic/2'), iif(n % 4, 'boreal/1', 'route')) AS over
    FROM n)
"""
SUMS = f"""
INSERT INTO sums SELECT plan, test, over, location, CAST(started_at / {HOUR} AS INTEGER), sum(passed),
    sum(NOT passed), 0, count(pdd_s), count(mos), total(pdd_s), total(mos) FROM calls GROUP BY 1, 2, 3, 4, 5
"""
BINS = f"""
INSERT INTO bins SELECT plan, test, over, location, CAST(started_at / {DAY} AS INTEGER), 'pdd',
    CAST(ln(pdd_s / 0.001) / ln(1.05) AS INTEGER), count(*) FROM calls GROUP BY 1, 2, 3, 4, 5, 7
UNION ALL SELECT plan, test, over, location, CAST(started_at / {DAY} AS INTEGER), 'mos',
    CAST(mos / 0.05 AS INTEGER), count(*) FROM calls GROUP BY 1, 2, 3, 4, 5, 7
"""
MONTH = "2026-09"
STEP = 3.0
"""Seconds from one call to the next; each leg has every fourth."""
WATCHED = f"""
name: production
trunks:
  - {{carrier: atlantic, uri: "sip:127.0.0.1:26090"}}
  - {{carrier: atlantic, uri: "sip:127.0.0.1:26091"}}
  - {{carrier: boreal, uri: "sip:127.0.0.1:26092"}}
routing: {{order: priority, routes: [atlantic, boreal]}}
tests:
  - {{name: echo, to: "+12025550100", over: [{", ".join(LEGS)}], every: {len(LEGS) * STEP:g}s, talk: 2s}}
guard: {{allow: ["+1202555"], country: US, at_once: 8, calls_per_day: 100000}}
"""
MILLION = 1_000_000
COVERED = """
SELECT over, sum(passed), sum(NOT passed), avg(pdd_s), avg(mos) FROM calls
WHERE plan = 'production' AND started_at >= ? AND started_at < ? AND last GROUP BY test, over, location
"""


def fill(path: str, many: int) -> None:
    """Load the calls before `NOW` at once, with their sums.

    All legs fail for 12 minutes every 36 hours, and one call every 8 hours by itself.
    """
    with open_store(path) as store, store.outside() as connection:
        # Nobody minds if this is lost in a power cut.
        for how in ("synchronous = OFF", "cache_size = -500000", "temp_store = MEMORY"):
            connection.exec_driver_sql(f"PRAGMA {how}")
        for first in range(0, many, MILLION):
            last = min(first + MILLION, many) - 1
            values = {"first": first, "last": last, "begin": NOW - many * STEP, "step": STEP}
            connection.exec_driver_sql(FILL, values)
        driver = connection.connection.driver_connection
        driver.create_function("ln", 1, math.log, deterministic=True)
        for statement in (SUMS, BINS):
            connection.exec_driver_sql(statement)


def seconds_of(do: Callable[[], object]) -> Callable[[], float]:
    """Make what measures it."""

    def measure() -> float:
        began = time.perf_counter()
        do()
        return time.perf_counter() - began

    return measure


def store(times: float, _: int) -> Rows:
    """Measure inserts into, and month reports of, a store with ten million calls."""
    many = max(int(10 * MILLION * times), 1000)
    with TemporaryDirectory() as folder:
        path = f"{folder}/store.db"
        fill(path, many)
        yield from _speeds(path)
    killed = kills(max(int(200 * times), 20), 2026)
    held = killed.lost == killed.doubled == killed.torn == 0
    yield Row(
        f"{killed.kills} writers killed at any moment: calls lost, doubled, torn, of those said to be kept",
        f"{killed.lost}, {killed.doubled}, {killed.torn} of {killed.kept:,}",
        "0, 0, 0",
        held,
    )


def _speeds(path: str) -> Rows:
    since, until = NOW - 60.5 * DAY, NOW - 29.5 * DAY
    with open_store(path) as store:
        info = store.info()
        count, size = info.rows["calls"], info.size

        def insert() -> None:
            entries = [call(time.time(), over=LEGS[n % 4], passed=n % 100 > 0) for n in range(5000)]
            for first in range(0, 5000, 1000):
                store.write(entries[first : first + 1000])

        month = seconds_of(lambda: store.month("production", since, until))
        failures = seconds_of(lambda: store.failures_with_neighbours("production", since, until))
        scan = seconds_of(lambda: _covered(store, since, until))
        took, took_failures, took_scan = in_turns(month, failures, scan)
        (took_insert,) = in_turns(seconds_of(insert))
        told = f"{count:,} calls, {size / 1e9:.1f} GB"
        both = took + took_failures
        legs = store.month("production", since, until)
        probes = sum(leg.passed + leg.failed for leg in legs)
        yield Row(f"month report of {probes:,} calls out of {told}", f"{both:.2f} s", "under 2 s", both < 2.0)
        yield Row("... from the calls, without sums", f"{took_scan:.2f} s", "", True)
        yield _status(path, told)
        speed = 5000 / took_insert
        yield Row(f"calls written a second, into {told}", f"{speed:,.0f}", "at least 5,000", speed >= 5000)


def _status(path: str, told: str) -> Row:
    """Ask for a whole month's status as a person does."""
    plan = Path(path).with_name("plan.yaml")
    plan.write_text(WATCHED)
    words = [sys.executable, "-m", "callsim", "status", str(plan), "--store", path, "--month", MONTH]

    def asked() -> None:
        ran = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True)
        if ran.returncode not in (0, 1, 3) or "service" not in ran.stdout:
            raise RuntimeError(f"{ran.stdout}{ran.stderr}")

    (took,) = in_turns(seconds_of(asked))
    what = f"`callsim status PLAN --month {MONTH}` out of {told}"
    return Row(what, f"{took:.2f} s", "under 2 s", took < 2.0)


def _covered(store: Store, since: float, until: float) -> None:
    with store.reading() as connection:
        connection.exec_driver_sql(COVERED, (since, until)).all()


def main() -> None:
    """Print the rows, or kill so many writers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=float, default=1.0, help="of the usual size")
    parser.add_argument("--kills", type=int, help="kill so many writers, and measure nothing")
    options = parser.parse_args()
    if options.kills:
        print(kills(options.kills, 2026))
        return
    for row in store(options.times, 1):
        print(row, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
