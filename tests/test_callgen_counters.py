"""What calls have used is known to every process, and after every crash."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgen.guarding.caps import DAY, HOUR, Caps, Limits, Used, Worst
from callgen.guarding.counters import FORMAT, GRACE, KEPT, Counters, Left
from callgen.guarding.guard import Guard, Reason, RefusedError

NOW = 1e9
CALLER = """
import sys
import time
from callgen.guarding.caps import Caps
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard, RefusedError

path, at_once, a_day, settles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "settles"
guard = Guard(["+12025550100"], ["127.0.0.1"], Caps(at_once=at_once, calls_per_day=a_day), Counters(path))
print("ready", flush=True)
sys.stdin.readline()
while True:
    time.sleep(0.001)  # a lock that is asked for without a pause starves the others
    try:
        permit = guard.invite("+12025550100", "sip:127.0.0.1", trunk="atlantic", seconds=30.0)
    except RefusedError as refused:
        if "calls_per_day" in str(refused):
            break
        continue
    print(permit.number, flush=True)
    if settles:
        guard.settle(permit, 5.0, placed=True)
"""


def callers(count: int, path: Path, at_once: int, a_day: int, settles: bool) -> list[subprocess.Popen[str]]:
    """Processes that place calls one after the other, from now on, until the day's cap ends them."""
    command = [sys.executable, "-c", CALLER, str(path), str(at_once), str(a_day)]
    command.append("settles" if settles else "leaves")
    made = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    for process in made:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in made:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return made


def placed(process: subprocess.Popen[str]) -> int:
    """How many more calls a process has placed, when it is over."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout as said:
        count = len(said.readlines())
    process.wait()
    return count


def worst(trunk: str = "atlantic", minutes: int = 1, lasts: float = 100.0, short: bool = False) -> Worst:
    return Worst(trunk, minutes, 0.01, short, lasts)


def reserve(counters: Counters, call: Worst, at: float = NOW, **caps: object) -> int:
    return counters.reserve(call, Caps(**caps), lambda: at)  # type: ignore[arg-type]


# ---- several processes


def test_processes_at_once_share_a_cap(tmp_path):
    made = callers(3, tmp_path / "counters", at_once=10**6, a_day=60, settles=True)
    assert sum(map(placed, made)) == 60
    assert Counters(tmp_path / "counters").used(time.time()).day == 60


def test_processes_at_once_are_never_on_more_lines_than_there_are(tmp_path):
    made = callers(3, tmp_path / "counters", at_once=2, a_day=60, settles=True)
    assert sum(map(placed, made)) == 60
    rows = sqlite3.connect(tmp_path / "counters").execute("SELECT at, until FROM calls").fetchall()
    assert max(sum(at <= start < until for at, until in rows) for start, _ in rows) <= 2


def test_a_killed_process_leaves_all_that_it_reserved_and_no_more(tmp_path):
    path = tmp_path / "counters"
    made = callers(3, path, at_once=10**6, a_day=10**6, settles=False)
    said = [0, 0, 0]
    for n, process in enumerate(made):
        assert process.stdout is not None
        for _ in range(15):
            process.stdout.readline()
            said[n] += 1
        os.kill(process.pid, signal.SIGKILL)
    said = [before + placed(process) for before, process in zip(said, made, strict=True)]
    used = Counters(path).used(time.time())
    # The one that it was about to tell of may have been written.
    assert sum(said) <= used.day <= sum(said) + len(made)
    assert (used.at_once, used.minutes) == (used.day, used.day)
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_a_killed_process_held_is_off_the_line_after_its_lease_and_still_counts(tmp_path):
    path = tmp_path / "counters"
    (process,) = callers(1, path, at_once=2, a_day=10**6, settles=False)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["+12025550100\n"] * 2
    os.kill(process.pid, signal.SIGKILL)
    assert placed(process) == 0
    later = time.time()
    caps = Caps(at_once=2, minutes_per_day=3)
    guard = Guard(["+12025550100"], ["127.0.0.1"], caps, Counters(path), clock=lambda: later)
    with pytest.raises(RefusedError, match="at_once: 2 so far"):
        guard.invite("+12025550100", "sip:127.0.0.1", seconds=30.0)
    later += 180 + 30 + 1 + 32
    guard.settle(guard.invite("+12025550100", "sip:127.0.0.1", seconds=30.0), 5.0, placed=True)
    with pytest.raises(RefusedError, match="minutes_per_day: 3 so far"):
        guard.invite("+12025550100", "sip:127.0.0.1", seconds=30.0)


# ---- one file


def test_a_file_remembers(tmp_path):
    first = Counters(tmp_path / "counters")
    reserve(first, worst(minutes=3, short=True))
    settled = reserve(first, worst("boreal", minutes=2))
    first.settle(settled, minutes=1, short=False, now=NOW + 5)
    first.close()
    again = Counters(tmp_path / "counters")
    assert again.used(NOW + 6) == Used(1, 0, 2, 2, 4, pytest.approx(0.04), 2, 1)
    assert again.used(NOW + 6, "boreal") == Used(0, 0, 1, 1, 1, pytest.approx(0.01), 1, 0)
    assert [(call.trunk, call.minutes) for call in again.since(NOW - 1)] == [("atlantic", 3), ("boreal", 1)]


def test_a_reservation_is_written_before_the_permit_is_given(tmp_path):
    ours, theirs = Counters(tmp_path / "counters"), Counters(tmp_path / "counters")
    reserve(ours, worst())
    assert theirs.used(NOW).at_once == 1


def test_a_refusal_writes_nothing():
    counters = Counters()
    reserve(counters, worst(), calls_per_day=1)
    for _ in range(3):
        with pytest.raises(RefusedError):
            reserve(counters, worst(), calls_per_day=1)
    assert counters.used(NOW).day == 1


def test_where_counters_cannot_be_written_nothing_is_placed_and_the_worst_case_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("callgen.guarding.counters.PATIENCE", 0.01)
    counters = Counters(tmp_path / "counters")
    number = reserve(counters, worst(minutes=3))
    blocker = sqlite3.connect(tmp_path / "counters", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(RefusedError, match="locked") as refused:
        reserve(counters, worst())
    assert refused.value.reason is Reason.COUNTERS
    counters.settle(number, minutes=1, short=False, now=NOW)
    blocker.execute("ROLLBACK")
    assert counters.used(NOW) == Used(1, 1, 1, 1, 3, pytest.approx(0.03), 0, 0)
    reserve(counters, worst())


def test_what_is_long_past_is_forgotten():
    counters = Counters()
    reserve(counters, worst())
    held = reserve(counters, worst(lasts=3 * DAY))
    reserve(counters, worst(), NOW + KEPT + 1)
    assert len(counters.since(0.0)) == 2, "one is still on the line"
    counters.settle(held, minutes=1, short=False, now=NOW + KEPT + 2)
    reserve(counters, worst(), NOW + KEPT + 3)
    assert [call.at for call in counters.since(0.0)] == [NOW + KEPT + 1, NOW + KEPT + 3]


def test_a_number_is_never_given_again():
    counters = Counters()
    first = reserve(counters, worst())
    counters.release(first)
    assert reserve(counters, worst()) != first


def test_a_file_of_another_kind_is_left_alone(tmp_path):
    text, other, newer = tmp_path / "text", tmp_path / "other", tmp_path / "newer"
    text.write_text("name: a plan, and long enough to be no database" * 100)
    sqlite3.connect(other).execute("CREATE TABLE theirs (a)")
    Counters(newer).close()
    sqlite3.connect(newer).execute(f"PRAGMA user_version = {FORMAT + 1}")
    for path in (text, other, newer, tmp_path / "nowhere" / "counters"):
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(ValueError, match=f"counters: .*{path.name}: "):
            Counters(path)
        assert (path.read_bytes() if path.exists() else None) == before


# ---- sums

TIMES = st.floats(NOW - 1.2 * DAY, NOW + 100.0) | st.integers(-1500, 2).map(lambda m: NOW + 20 + 60.0 * m)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            TIMES,
            st.integers(0, 5),
            st.sampled_from("ab"),
            st.booleans(),
            st.sampled_from(["settled", "released", "left"]),
        ),
        max_size=25,
    )
)
def test_sums_are_those_of_the_calls_one_by_one(calls):
    counters = Counters()
    kept: list[tuple[float, int, str, bool, bool]] = []
    for at, minutes, trunk, short, fate in calls:
        number = reserve(counters, worst(trunk, minutes, 0.0, short), at)
        if fate == "released":
            counters.release(number)
        elif fate == "settled":
            counters.settle(number, minutes + 1, not short, at)
            kept.append((at, minutes + 1, trunk, not short, True))
        else:
            kept.append((at, minutes, trunk, short, short))
    for trunk in (None, "a", "b"):
        day = [c for c in kept if c[0] > NOW - DAY and trunk in {None, c[2]}]
        minutes = sum(c[1] for c in day)
        expected = Used(
            at_once=sum(c[0] > NOW for c in day),
            second=sum(c[0] > NOW - 10 for c in day),
            hour=sum(c[0] > NOW - HOUR for c in day),
            day=len(day),
            minutes=minutes,
            spend=pytest.approx(0.01 * minutes),
            answered=sum(c[4] for c in day),
            short=sum(c[3] for c in day),
        )
        assert counters.used(NOW, trunk, Limits(calls_per_second=0.1)) == expected


# ---- what dead processes leave


def test_what_a_dead_process_left_is_told_of_once_and_stays_counted(tmp_path):
    path = tmp_path / "counters"
    settled, killed = (callers(1, path, 10**6, 10**6, settles)[0] for settles in (True, False))
    for process in (settled, killed):
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["+12025550100\n"] * 3
    counters = Counters(path)
    assert counters.left(time.time()) == [], "they live"
    os.kill(settled.pid, signal.SIGKILL)
    assert placed(settled) >= 0
    assert len(counters.left(time.time())) <= 1, "the one that it had in hand"
    os.kill(killed.pid, signal.SIGKILL)
    count = 3 + placed(killed)
    before = counters.used(time.time())
    left = counters.left(time.time())
    assert count <= len(left) <= count + 1
    assert {call.trunk for call in left} == {"atlantic"}
    assert [call.at for call in left] == sorted(call.at for call in left)
    assert counters.left(time.time()) == []
    assert counters.used(time.time()) == before


def test_of_a_process_that_lives_only_what_is_long_over_is_left():
    counters = Counters()
    reserve(counters, worst(lasts=100.0))
    for call, tell in ((1, counters.settle), (2, counters.keep_worst), (3, counters.release)):
        number = reserve(counters, worst())
        tell(number, *(1, False, NOW) if call == 1 else ())
    assert counters.left(NOW + 100.0 + GRACE) == []
    assert counters.left(NOW + 100.0 + GRACE + 1.0) == [Left("atlantic", NOW)]
    assert counters.used(NOW + 1.0).minutes == 3
