"""The commands about the store, as somebody types them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from postgres import needs_postgres, server
from store_cases import DAY, HOUR, NUMBER, PLAN, T0, call, incident, missed, one_of_each

from callsim.cli import main
from results.store.entries import Attempt, GuardUse, Ping, Recording, Trace, new_id
from results.store.errors import StoreError
from results.store.moving import move
from results.store.opening import open_store
from results.store.retention import CHUNK
from results.store.tables import TABLES

SCENARIO = Path(__file__).parent / "oracles" / "one-unit.yaml"
PLAN_FILE = f"""
name: {PLAN}
trunks: [{{carrier: atlantic, uri: "sip:127.0.0.1:5060"}}]
guard: {{allow: ["+1202555"], at_once: 2, calls_per_day: 10}}
"""


def run(*arguments, code=0):
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "store.db"
    with open_store(str(made)) as store:
        store.write(one_of_each())
        store.write([call(T0 + n) for n in range(1, 1000)])
    return made


def test_store_says_what_it_has(path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: T0 + 7200.0)
    told = run("store", "--store", path)
    assert told == run("store", "info", "--store", path)
    assert told.splitlines()[0].startswith(f"sqlite:///{path}: 0.")
    assert told.splitlines()[0].endswith(" MB, schema 0001")
    assert "from 2026-10-24 00:00 UTC to 2026-10-24 00:16 UTC" in told
    assert "  1,000 calls\n" in told
    assert "berlin: last alive 2.0 h ago (2026-10-24 00:00 UTC), production" in told
    found = json.loads(run("store", "--store", path, "--json", "-"))
    assert (found["format"], found["schema"], found["rows"]["calls"]) == (1, "0001", 1000)
    assert found["heartbeats"][0]["location"] == "berlin"


def test_the_store_of_this_user_is_the_default(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert "there is no such file" in run("store", code=2)
    (tmp_path / "state" / "callsim").mkdir(parents=True)
    path.rename(tmp_path / "state" / "callsim" / "store.db")
    assert "1,000 calls" in run("store")
    monkeypatch.setenv("CALLSIM_STORE", str(tmp_path / "none.db"))
    assert "none.db: there is no such file" in run("store", "check", code=2)


def test_a_backup_is_taken_while_others_write(path, tmp_path):
    ends = threading.Event()

    def write():
        with open_store(str(path)) as store:
            at = T0 + HOUR
            while not ends.is_set():
                store.write([call(at := at + 1.0)])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        told = run("store", "backup", tmp_path / "copy.db", "--store", path)
    finally:
        ends.set()
        writer.join()
    assert told.startswith(f"sqlite:///{path} is in {tmp_path / 'copy.db'}: ")
    assert run("store", "check", "--store", tmp_path / "copy.db") == f"sqlite:///{tmp_path / 'copy.db'}: ok\n"
    with open_store(str(tmp_path / "copy.db")) as copy:
        assert len(list(copy.calls(PLAN))) >= 1000
    assert not list(tmp_path.glob(".copy.db*"))
    assert "no folder" in run("store", "backup", tmp_path / "none" / "copy.db", "--store", path, code=2)


def test_damage_is_found(path):
    assert run("store", "check", "--store", path) == f"sqlite:///{path}: ok\n"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sums SET passed = passed - 1")
    assert "sums of production, echo, atlantic/1, berlin" in run("store", "check", "--store", path, code=2)
    data = bytearray(path.read_bytes())
    data[8192:16384] = bytes(8192)
    path.write_bytes(data)
    assert "sqlite:///" in run("store", "check", "--store", path, code=2)


def test_a_number_is_erased(path):
    told = run("store", "--store", path, "erase", "--number", NUMBER)
    assert told == (
        "the number is gone from 1000 calls and 1002 other texts; 1 traces and 0 recordings are deleted\n"
        "still to be deleted, on another machine: /nowhere/1.wav\n"
    )
    assert "is no telephone number" in run("store", "--store", path, "erase", "--number", "me", code=2)


# ---- retention


class Kept:
    """What a plan keeps."""

    def __init__(self, records, failures=None, traces=None, recordings=None):
        self.records, self.failures, self.traces, self.recordings = records, failures, traces, recordings


def a_day(at, folder, plan=PLAN):
    """A good call, a bad one and what goes with them."""
    recording = folder / f"{plan}-{at:.0f}.wav"
    recording.write_bytes(b"RIFF")
    bad = call(at + 1.0, passed=False, plan=plan)
    return [
        call(at, plan=plan),
        call(at + 2.0, passed=None, plan=plan),
        bad,
        Attempt(id=new_id(at), call=bad.id, no=1, trunk="atlantic/1", carrier=None, sip_status=408),
        Trace(id=bad.id, sip="INVITE"),
        Recording(id=new_id(at), call=bad.id, direction="heard", path=str(recording), sha256="0" * 64),
        missed(at, plan=plan),
        incident(at, plan=plan, ended_latest=at + 3.0),
        Ping(
            id=new_id(at),
            location="berlin",
            plan=plan,
            trunk="x",
            carrier=None,
            at=at,
            status=200,
            seconds=0.1,
        ),
    ]


def left(store, plan, folder):
    """Days from now of what is left of a plan."""
    calls = list(store.calls(plan))
    days = {
        "good": [one.started_at for one in calls if one.passed],
        "silent": [one.started_at for one in calls if one.passed is None],
        "bad": [one.started_at for one in calls if one.passed is False],
        "traces": [one.started_at for one in calls if store.trace(one.id)],
        "recordings": [one.started_at for one in calls if store.recordings(one.id)],
        "files": [float(file.stem.partition("-")[2]) for file in sorted(folder.glob(f"{plan}-*.wav"))],
        "missed": [one.due_at for one in store.missed(plan)],
        "incidents": [one.began_latest for one in store.incidents(plan)],
        "pings": [one.at for one in store.pings(plan)],
    }
    return {name: [int((NOW - at) // DAY) for at in times] for name, times in days.items()}


NOW = T0 + 100 * DAY + 7 * HOUR
AGES = (40, 30, 20, 10, 0)


def aged(store, folder, plan=PLAN):
    for age in AGES:
        store.write(a_day(NOW - 60.0 - age * DAY, folder, plan))


@pytest.mark.parametrize(
    ("keep", "good", "bad", "traces", "recordings"),
    [
        (Kept(15 * DAY), [10, 0], [30, 20, 10, 0], [30, 20, 10, 0], [30, 20, 10, 0]),
        (Kept(15 * DAY, 25 * DAY), [10, 0], [20, 10, 0], [20, 10, 0], [20, 10, 0]),
        (Kept(15 * DAY, 35 * DAY, 5 * DAY, 12 * DAY), [10, 0], [30, 20, 10, 0], [0], [10, 0]),
    ],
)
def test_each_is_kept_as_long_as_the_plan_says(tmp_path, keep, good, bad, traces, recordings):
    with open_store(f"{tmp_path}/store.db") as store:
        aged(store, tmp_path)
        aged(store, tmp_path, "other")
        gone = store.prune(keep, NOW, PLAN)
        assert left(store, PLAN, tmp_path) == {
            "good": good,
            "silent": good,
            "bad": bad,
            "traces": traces,
            "recordings": recordings,
            "files": recordings,
            "missed": good,
            "incidents": bad,
            "pings": good,
        }
        assert gone["calls"] == 15 - 2 * len(good) - len(bad)
        assert gone["attempts"] == 5 - len(bad)
        assert {len(days) for days in left(store, "other", tmp_path).values()} == {5}
        assert store.check() == []
        # What is left of the sums is as old as failures are.
        assert [leg.passed for leg in store.month(PLAN, NOW - 50 * DAY, NOW)] == [len(bad)]
        assert store.prune(keep, NOW, PLAN) == {}


def test_guard_counters_go_with_their_records(tmp_path):
    with open_store(f"{tmp_path}/store.db") as store:
        (use,) = (entry for entry in one_of_each() if isinstance(entry, GuardUse))
        store.write([use])
        assert store.prune(Kept(30 * DAY), T0, PLAN) == {}
        assert store.prune(Kept(30 * DAY), NOW, PLAN) == {"guard_use": 1}


def test_a_recording_of_another_machine_stays_for_that_one(tmp_path):
    with open_store(f"{tmp_path}/store.db") as store:
        aged(store, tmp_path)
        away = tmp_path / "away"
        tmp_path.joinpath("elsewhere").mkdir()
        with store.writing() as connection:
            connection.execute(sa.update(TABLES[Recording]).values(path=str(away / "1.wav")))
        assert "recordings" not in store.prune(Kept(15 * DAY), NOW, PLAN)
        away.mkdir()
        assert store.prune(Kept(15 * DAY), NOW, PLAN) == {"recordings": 1}


def test_pruning_leaves_others_time_to_write(tmp_path):
    many = 10 * CHUNK
    with open_store(f"{tmp_path}/store.db") as store, open_store(f"{tmp_path}/store.db") as other:
        store.write([call(NOW - 30 * DAY + n) for n in range(many)])
        pruning = threading.Thread(target=store.prune, args=(Kept(DAY), NOW, PLAN))
        pruning.start()
        between = 0
        while pruning.is_alive():
            other.write([call(NOW)])
            between += 1
            time.sleep(0.001)
        pruning.join()
        assert between > 2
        assert len(list(store.calls(PLAN))) == between


def test_prune_reads_the_plan(path, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN_FILE)
    told = run("store", "prune", "--plan", plan, "--store", path, code=2)
    assert told == f"{PLAN} keeps everything; write for example `keep: {{records: 400d}}`\n"
    plan.write_text(f"{PLAN_FILE}keep: {{records: 30000d}}\n")
    assert run("store", "prune", "--plan", plan, "--store", path) == f"{PLAN}: deleted nothing\n"


# ---- moving


def moved_and_back(source, there, back):
    """Move a store there and back; gives all rows before, there and after."""
    with open_store(source) as one, open_store(there) as two, open_store(back) as three:
        move(one, two)
        move(two, three)
        return [rows_of(store) for store in (one, two, three)]


def rows_of(store):
    found = {}
    with store.reading() as connection:
        for table in sa.inspect(connection).get_table_names():
            columns = sa.inspect(connection).get_columns(table)
            asked = ", ".join(sorted(f'"{column["name"]}"' for column in columns))
            rows = connection.exec_driver_sql(f'SELECT {asked} FROM "{table}"').all()
            found[table] = sorted(
                repr([float(x) if isinstance(x, bool | int) else x for x in row]) for row in rows
            )
    return found


@needs_postgres
def test_a_store_moves_to_postgres_and_back(path, tmp_path):
    with open_store(str(path)) as store:
        store.number_key()
        aged(store, tmp_path)
        store.prune(Kept(15 * DAY), NOW, PLAN)
        store.write([call(NOW + n) for n in range(1200)])
    with server() as cluster:
        before, there, back = moved_and_back(str(path), cluster.database("one"), str(tmp_path / "back.db"))
    assert len(before["calls"]) > 1000
    assert before == there == back


def test_a_move_that_was_broken_off_goes_on(path, tmp_path):
    class Broken(Exception):
        pass

    def told(table, rows):
        copied.append(table)
        if table == "missed":
            raise Broken

    copied = []
    target = tmp_path / "other.db"
    with open_store(str(path)) as source, open_store(str(target)) as there:
        with pytest.raises(Broken):
            move(source, there, told)
        first, copied = copied, []
        source.write([call(T0 + DAY)])
        counts = move(source, there, lambda table, rows: copied.append(table))
        assert first == ["calls", "attempts", "pings", "missed"]
        assert copied[0] == "calls"  # the new one
        assert "pings" not in copied
        assert counts["calls"] == 1001
        assert rows_of(source) == rows_of(there)
        assert there.check() == []


def test_a_store_that_is_written_already_takes_another_in(path, tmp_path):
    with open_store(str(path)) as source, open_store(str(tmp_path / "other.db")) as target:
        keys = {source.number_key(), target.number_key()}
        mine = [call(T0 + n, location="oslo") for n in range(5)]
        target.write(mine)
        move(source, target)
        move(source, target)
        legs = target.month(PLAN, T0, T0 + DAY)
        assert [(leg.location, leg.passed, leg.failed) for leg in legs] == [
            ("berlin", 999, 1),
            ("oslo", 5, 0),
        ]
        with target.reading() as connection:
            values = connection.exec_driver_sql(
                "SELECT value FROM meta WHERE key LIKE 'number_key%'"
            ).scalars()
            assert {bytes.fromhex(value) for value in values} == keys
        with pytest.raises(StoreError, match="into itself"):
            move(source, source)


def test_move_says_what_is_there(path, tmp_path):
    told = run("store", "move", path, tmp_path / "new" / "store.db")
    assert told.startswith(
        f"sqlite:///{path} is in sqlite:///{tmp_path}/new/store.db, which has 1,000 calls, 1 att"
    )
    assert "there is no such file" in run("store", "move", tmp_path / "none.db", tmp_path / "x.db", code=2)


# ---- runs of the simulator


def test_a_run_is_kept_with_its_scenario(tmp_path):
    store = tmp_path / "runs.db"
    for _ in range(2):
        run(
            "run",
            SCENARIO,
            "--years",
            20,
            "--quiet",
            "--out",
            tmp_path,
            "--store",
            store,
            "--set",
            "simulation.seed=3",
        )
    with open_store(str(store)) as opened, opened.reading() as connection:
        rows = connection.exec_driver_sql("SELECT name, document, years, result FROM runs").mappings().all()
        assert [row["name"] for row in rows] == [rows[0]["name"]] * 2
        assert json.loads(rows[0]["result"])["scenario"] == rows[0]["name"]
        document = opened.document(rows[0]["document"])
    assert document.text == "# --set simulation.seed=3\n" + SCENARIO.read_text("utf-8")
    assert "sqlite" in run("run", SCENARIO, "--store", "mysql://x/y", code=2)
    assert "--store" in run("run", SCENARIO, "--calls", "--store", store, code=2)
