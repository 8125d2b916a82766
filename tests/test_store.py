"""What is written into a store is read from it again, once, in SQLite and in PostgreSQL."""

from __future__ import annotations

import itertools
import math
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from postgres import needs_postgres, server
from store_cases import DAY, HOUR, NUMBER, PLAN, T0, TRACE, call, incident, missed, one_of_each

from results.probes import Series
from results.store.bins import MOS, PDD, RATIO, bin_of, edge, percentile
from results.store.entries import KINDS, Call, Document, GuardUse, Heartbeat, Ping, Recording, new_id
from results.store.errors import EntryError, StoreError
from results.store.opening import MIGRATIONS, open_store, url_of
from results.store.rows import entry_from, line_of
from results.store.tables import HEAD, TABLES, VERSIONS, metadata

NAMES = itertools.count()
BOTH = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]


@pytest.fixture(scope="module")
def cluster():
    with server() as made:
        yield made


@pytest.fixture(params=BOTH)
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return request.getfixturevalue("cluster").database(f"d{next(NAMES)}")


@pytest.fixture
def store(url):
    with open_store(url) as opened:
        yield opened


def everything(store):
    """All rows of all tables, in no order."""
    with store.reading() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in metadata.tables.values()
        }


# ---- writing and reading


def test_entries_come_back_as_they_were_and_once(store):
    entries = one_of_each()
    store.write(entries)
    written = everything(store)
    store.write(entries)
    store.write([*entries, *entries])
    assert everything(store) == written
    assert all(count == 1 for count in store.info().rows.values())
    found = {
        Call: list(store.calls(PLAN)),
        Ping: list(store.pings(PLAN)),
        type(missed(T0)): list(store.missed(PLAN)),
        type(incident(T0)): store.incidents(PLAN),
        Heartbeat: store.heartbeats(),
        Recording: store.recordings(entries[0].id),
    }
    for kind, there in found.items():
        assert there == [entry for entry in entries if isinstance(entry, kind)]
    assert store.trace(entries[0].id) == TRACE
    assert store.trace("none") is None
    (document,) = (entry for entry in entries if isinstance(entry, Document))
    assert store.document(document.id) == document


def test_the_newest_of_what_goes_on_holds_whatever_lands_last(store):
    opened = incident(T0, revision=1)
    closed = replace(opened, ended_latest=T0 + 300.0, revision=2)
    (use,) = (entry for entry in one_of_each() if isinstance(entry, GuardUse))
    later = replace(use, id=new_id(T0), at=use.at + 60.0, calls=9)
    beat = Heartbeat(location="berlin", plan=PLAN, at=T0, started_at=T0, version="0.1.0")
    next_beat = replace(beat, at=T0 + 30.0)
    store.write([closed, opened, later, use, next_beat, beat])
    store.write([opened, use, beat])
    assert store.incidents(PLAN) == [closed]
    assert store.heartbeats() == [next_beat]
    with store.reading() as connection:
        assert connection.execute(sa.select(TABLES[GuardUse].c.calls)).scalars().all() == [9]


def test_what_no_text_can_have_is_replaced_and_what_is_no_number_unknown(store):
    odd = call(
        T0, reason="a\0b\ud800c", record={"said": "x\0y", "rtp": math.nan}, jitter_ms=math.nan, mos=math.inf
    )
    store.write([odd])
    (found,) = store.calls(PLAN)
    assert found.reason == "a\ufffdb\ufffdc"
    assert found.record["said"] == "x\0y"
    assert (found.jitter_ms, found.mos) == (None, None)
    assert store.month(PLAN, T0, T0 + DAY)[0].mos.count == 0


@pytest.mark.parametrize("bad", [{"started_at": None}, {"location": None}, {"sip_status": 2**70}])
def test_an_entry_that_no_store_takes_is_told_from_a_store_that_fails(store, bad):
    with pytest.raises(EntryError):
        store.write([call(T0), call(T0, **bad)])
    assert not list(store.calls(PLAN))


def test_any_number_is_written_at_once(store):
    calls = [call(T0 + n) for n in range(2500)]
    store.write(calls)
    store.write([*calls, call(T0 + 9000.0)])
    assert store.info().rows["calls"] == 2501
    assert store.check() == []


def test_times_and_places_choose(store):
    store.write([call(T0 + n, location=place) for n in range(3) for place in ("berlin", "oslo")])
    assert [one.started_at - T0 for one in store.calls(PLAN, T0 + 1, T0 + 2)] == [1, 1]
    assert [one.started_at - T0 for one in store.calls(PLAN, location="oslo")] == [0, 1, 2]
    assert not list(store.calls("another"))
    ended, going_on = incident(T0, ended_latest=T0 + 60.0), incident(T0 + 10.0)
    store.write([ended, going_on])
    assert store.incidents(PLAN, T0 + 61.0) == [going_on]
    assert store.incidents(PLAN, T0 + 60.0) == [ended, going_on]
    assert store.incidents(PLAN, until=T0 + 10.0) == [ended]


def test_an_entry_is_the_same_as_a_line():
    for entry in one_of_each():
        assert entry_from(line_of(entry)) == entry
    for line in ("", "[]", "{}", '{"table": "calls"}', '{"table": "nothing"}'):
        with pytest.raises(ValueError, match=r".*"):
            entry_from(line)


def test_ids_are_in_the_order_of_time():
    ids = [new_id(T0 + n / 1000.0) for n in range(3)]
    assert ids == sorted(ids)
    assert {len(id_) for id_ in ids} == {32}


# ---- sums


def draws(seed, many=400):
    """Calls over two days, with retries, of two legs, in two places."""
    rng = np.random.default_rng(seed)
    for at in np.sort(rng.uniform(T0, T0 + 2 * DAY, many)):
        passed = rng.choice([True, True, True, False, None])
        yield call(
            float(at),
            over=str(rng.choice(["atlantic/1", "boreal/1"])),
            location=str(rng.choice(["berlin", "oslo"])),
            passed=None if passed is None else bool(passed),
            last=bool(rng.uniform() < 0.9),
            pdd_s=float(rng.gamma(4.0, 0.5)) if rng.uniform() < 0.8 else None,
            mos=float(rng.uniform(2.0, 4.4)) if rng.uniform() < 0.8 else None,
        )


WINDOWS = [
    (T0, T0 + DAY),
    (T0 + 5.5 * HOUR, T0 + 1.7 * DAY),
    (T0 + 0.3 * HOUR, T0 + 0.7 * HOUR),
    (T0 - 40 * DAY, T0 + 40 * DAY),
]


def test_sums_of_any_time_are_those_of_its_calls(store):
    calls = list(draws(1))
    for first in range(0, len(calls), 7):
        store.write(calls[max(first - 3, 0) : first + 7])  # some of them twice
    store.write([missed(T0 + HOUR), missed(T0 + 2 * HOUR, count=5), missed(T0 + 3 * HOUR, reason="guard")])
    assert store.check() == []
    for since, until in WINDOWS:
        there = [one for one in calls if one.last and since <= one.started_at < until]
        for leg in store.month(PLAN, since, until):
            mine = [one for one in there if (one.over, one.location) == (leg.over, leg.location)]
            assert [leg.passed, leg.failed, leg.unknown] == [
                sum(one.passed is wanted for one in mine) for wanted in (True, False, None)
            ]
            for figure, measured, name in ((leg.pdd, PDD, "pdd_s"), (leg.mos, MOS, "mos")):
                values = sorted(v for one in mine if (v := getattr(one, name)) is not None)
                assert figure.count == len(values) == sum(figure.bins.values())
                if values:
                    assert figure.mean == pytest.approx(np.mean(values))
                    middle = float(np.quantile(values, 0.5, method="inverted_cdf"))
                    assert bin_of(measured, figure.percentile(0.5)) == pytest.approx(
                        bin_of(measured, middle), abs=1
                    )
    legs = {(leg.location, leg.over): leg for leg in store.month(PLAN, *WINDOWS[3])}
    assert legs["berlin", "atlantic/1"].missed == {"asleep": 6, "guard": 1}
    assert [leg.location for leg in store.month(PLAN, *WINDOWS[3], location="oslo")] == ["oslo", "oslo"]


def test_probes_are_columns_of_the_tries_that_count(store):
    calls = list(draws(2))
    store.write(calls)
    probes = store.probes(PLAN, T0 + HOUR, T0 + DAY)
    mine = [one for one in calls if one.last and T0 + HOUR <= one.started_at < T0 + DAY]
    assert len(probes) == len(mine)
    assert (np.diff(probes.ended) >= 0).all()
    for number, one in enumerate(sorted(mine, key=lambda one: one.ended_at)):
        assert probes.of[probes.series[number]] == Series(one.location, one.test, one.over)
        assert (probes.due[number], probes.started[number]) == (one.due_at, one.started_at)
        assert probes.passed[number] == {True: 1, False: 0, None: -1}[one.passed]
        assert probes.mos[number] == one.mos if one.mos is not None else math.isnan(probes.mos[number])
    assert len(store.probes("another")) == 0


def test_neighbours_of_failures_are_the_telling_probes_beside_them(store):
    calls = list(draws(3))
    store.write(calls)
    since, until = T0 + 6 * HOUR, T0 + 30 * HOUR
    wanted = set()
    for leg in {(one.location, one.over) for one in calls}:
        mine = [one for one in calls if one.last and (one.location, one.over) == leg]
        for number, one in enumerate(mine):
            if one.passed is not True and since <= one.started_at < until:
                wanted.add((one.ended_at, one.started_at))
                for beside in (reversed(mine[:number]), mine[number + 1 :]):
                    told = next((other for other in beside if other.passed is not None), None)
                    wanted |= {(told.ended_at, told.started_at)} if told else set()
    found = store.failures_with_neighbours(PLAN, since, until)
    assert list(zip(found.ended, found.started, strict=True)) == sorted(wanted)


@given(st.floats(0.0, 300.0), st.floats(1.0, 5.0))
def test_a_bin_holds_its_value(delay, mos):
    for measure, value in ((PDD, max(delay, 1e-3)), (MOS, mos)):
        number = bin_of(measure, value)
        assert edge(measure, number) <= value * (1 + 1e-9)
        assert value <= edge(measure, number + 1) * (1 + 1e-9)
    assert edge(PDD, 8) / edge(PDD, 7) == pytest.approx(RATIO)


def test_a_percentile_lies_within_its_bin():
    assert percentile(MOS, {}, 0.5) is None
    assert percentile(MOS, {80: 1, 81: 0, 82: 3}, 0.25) == pytest.approx(4.05)
    assert percentile(MOS, {80: 1, 82: 3}, 1.0) == pytest.approx(4.15)


# ---- schema


def test_migrations_make_the_tables_that_are_used(store):
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
        assert compare_metadata(context, metadata) == []
        indexes = {
            index["name"]: index
            for table in metadata.tables
            for index in sa.inspect(connection).get_indexes(table)
        }
    wanted = {index.name: index for table in metadata.tables.values() for index in table.indexes}
    assert indexes.keys() == wanted.keys()
    for name, index in wanted.items():
        assert indexes[name]["column_names"] == [column.name for column in index.columns]
        partial = [
            option is not None
            for key, option in indexes[name]["dialect_options"].items()
            if key.endswith("where")
        ]
        assert any(partial) == (index.dialect_options["sqlite"]["where"] is not None)
    script = ScriptDirectory(str(MIGRATIONS))
    assert script.get_heads() == [HEAD]
    assert set(TABLES) == set(KINDS)


def test_partial_indexes_are_used(tmp_path):
    with open_store(f"{tmp_path}/store.db") as store:
        seen = []
        sa.event.listen(store._engine, "before_cursor_execute", lambda *a: seen.append(a[2:4]))
        store.failures_with_neighbours(PLAN, T0, T0 + DAY)
        with store.reading() as connection:
            (statement, values), *_ = [one for one in seen if one[0].startswith("SELECT")]
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    told = " ".join(str(row[3]) for row in plan)
    assert "calls_not_good" in told
    assert told.count("calls_telling") == 2
    assert "SCAN" not in told


@pytest.mark.parametrize("revision", ["0001"])
def test_a_store_of_every_released_schema_is_brought_up_to_date(tmp_path, revision, request):
    dump = request.path.parent / "schemas" / f"store-{revision}.sql"
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as old:
        old.executescript(dump.read_text("utf-8"))
    old.close()
    with open_store(str(path), create=False) as store:
        assert store.info().schema == HEAD
        assert all(count == 1 for count in store.info().rows.values())
        (found,) = store.calls(PLAN)
        assert (found.number, found.passed) == (NUMBER, False)
        assert store.check() == []
        assert [leg.failed for leg in store.month(PLAN, T0, T0 + DAY)] == [1]
        store.write(one_of_each(T0 + DAY))


def test_a_store_of_a_newer_schema_is_refused(store, url):
    with store.writing() as connection:
        connection.execute(sa.text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"was written by a newer callsim \(schema 9999, here 0001\)"):
        open_store(url)


OPENS = """
import sys
from results.store.opening import open_store
sys.stdin.readline()
open_store(sys.argv[1]).close()
"""


def test_two_that_start_at_once_migrate_once(url):
    starting = [
        subprocess.Popen([sys.executable, "-c", OPENS, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in starting:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in starting:
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, b"")
    with open_store(url, create=False) as store:
        store.write([call(T0)])


def test_what_is_no_store_is_left_alone(tmp_path):
    text, other, folder = tmp_path / "notes.txt", tmp_path / "other.db", tmp_path / "folder"
    text.write_text(
        "not a database, but some text that is longer than the header of one, which has 100 bytes\n" * 3
    )
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()
    folder.mkdir()
    before = other.read_bytes()
    for path, why in (
        (text, "file is not a database"),
        (other, "is a SQLite file of something else"),
        (folder, "is a directory"),
    ):
        with pytest.raises(StoreError, match=rf"sqlite:////.*: {why}"):
            open_store(str(path))
    assert other.read_bytes() == before
    with pytest.raises(StoreError, match="there is no such file"):
        open_store(str(tmp_path / "none.db"), create=False)
    with pytest.raises(StoreError, match=r"notes.txt: file exists"):
        open_store(str(text / "store.db"))


@needs_postgres
def test_a_database_of_something_else_is_left_alone(cluster):
    url = cluster.database("other")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE calls (id integer)"))
    engine.dispose()
    with pytest.raises(StoreError, match="has a table `calls` of something else"):
        open_store(url)


def test_urls_keep_their_passwords(monkeypatch):
    monkeypatch.setenv("PG_SECRET", "s3cret")
    assert url_of("postgresql://me:env:PG_SECRET@db/x").password == "s3cret"
    assert url_of("postgres://me@db/x").drivername == "postgresql+psycopg"
    assert url_of("some/file.db").database == "some/file.db"
    for url, why in (
        (
            "postgresql://me:env:NOT_SET@127.0.0.1/x",
            r"postgresql\+psycopg://me:\*\*\*@127.0.0.1/x: .*NOT_SET is not set",
        ),
        ("mysql://me:s3cret@db/x", "mysql: a store is sqlite"),
        ("sqlite://", "needs a file"),
        ("postgresql://me:s3cret@db:port/x", "cannot be read as a URL"),
        ("postgresql://me:s3cret@127.0.0.1:1/x?password=s3cret", r"//me:\*\*\*@127.0.0.1:1/x: "),
    ):
        with pytest.raises(StoreError, match=why) as raised:
            open_store(url)
        assert "s3cret" not in str(raised.value)
        assert "\n" not in str(raised.value)
