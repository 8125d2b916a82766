"""Whatever becomes of the store meanwhile, what a keeper was given lands in it, once and in order."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from postgres import needs_postgres, server
from store_cases import PLAN, T0, call, incident, missed, one_of_each

from results.store.entries import new_id
from results.store.errors import StoreError
from results.store.keeper import Keeper
from results.store.opening import open_store
from results.store.spool import Spool
from results.store.store import Store

SOON = 30.0
"""Seconds that anything may take on a busy machine."""
NOBODY = 65534


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@contextlib.contextmanager
def keeper_of(store, spool, **more):
    keeper = Keeper(store, spool, retry=0.05, **more)
    try:
        yield keeper
    finally:
        keeper.close()


def until(condition):
    ends = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def ids(store):
    """Ids of the calls that are there, as often as they are."""
    with open_store(str(store), create=False) as opened:
        assert opened.check() == []
        return [one.id for one in opened.calls(PLAN)]


def some(many, start=T0):
    return [call(start + n) for n in range(many)]


def wanted(calls):
    return [one.id for one in calls]


# ---- all is well


def test_what_is_put_lands_at_once(path, tmp_path):
    entries = one_of_each()
    with keeper_of(str(path), tmp_path / "spool") as keeper:
        keeper.put(*entries)
        assert keeper.drain(SOON)
        assert (keeper.state.name, keeper.waiting, str(keeper.state)) == ("ok", 0, "ok")
        assert ids(path) == [entries[0].id]
    assert (tmp_path / "spool").stat().st_size == 0


def test_closing_writes_what_is_left(path, tmp_path):
    calls = some(2500)
    with keeper_of(str(path), tmp_path / "spool") as keeper:
        keeper.put(*calls)
    assert ids(path) == wanted(calls)


def test_putting_never_waits_for_the_store(path, tmp_path):
    let_go = threading.Event()

    def opener():
        assert let_go.wait(SOON)
        return open_store(str(path))

    with keeper_of(opener, tmp_path / "spool", most=10) as keeper:
        calls = some(12)
        keeper.put(*calls)
        assert (keeper.waiting, keeper.state.dropped) == (10, 2)
        let_go.set()
        assert keeper.drain(SOON)
    assert ids(path) == wanted(calls)[2:]


# ---- the store is away


def test_a_store_that_is_away_is_spooled_for_and_told_of(path, tmp_path):
    away = threading.Event()
    away.set()
    seen = []

    def opener():
        if away.is_set():
            raise StoreError("gone")
        return open_store(str(path))

    with keeper_of(opener, tmp_path / "spool", on_change=lambda state: seen.append(state.name)) as keeper:
        opened, ended = incident(T0, revision=1), incident(T0, revision=1)
        calls = some(2500)
        for one in calls:
            keeper.put(one)
        keeper.put(opened, ended)
        assert not keeper.drain(SOON)
        state = keeper.state
        assert (state.name, state.spooled, state.held, state.why) == ("spooling", 2502, 0, "gone")
        assert str(state).endswith("UTC, 2502 waiting (gone)")
        away.clear()
        until(lambda: keeper.state.name == "ok")
        late = call(T0 + 9000)
        keeper.put(late)
        assert keeper.drain(SOON)
    assert seen == ["spooling", "ok"]
    assert ids(path) == wanted([*calls, late])


def test_the_spool_outlives_its_process_and_a_torn_line(path, tmp_path):
    spool = tmp_path / "state" / "spool"
    calls = some(3)

    def opener():
        raise StoreError("gone")

    with keeper_of(opener, spool) as keeper:
        keeper.put(*calls)
        keeper.drain(SOON)
    with spool.open("ab") as file:
        file.write(b'{"table": "calls", "id": 1}\nnot JSON\n{"table": "calls", "id": "to')
    with keeper_of(str(path), spool) as keeper:
        assert keeper.drain(SOON)
        assert keeper.state.refused == 2
    assert ids(path) == wanted(calls)
    assert len(spool.with_suffix(".refused").read_text().splitlines()) == 2


def test_an_entry_that_no_store_takes_holds_up_no_other(path, tmp_path, caplog):
    calls = some(3)
    bad = call(T0 + 10.0, sip_status=2**70)
    with keeper_of(str(path), tmp_path / "spool") as keeper:
        keeper.put(*calls[:2], bad, calls[2])
        assert keeper.drain(SOON)
        assert (keeper.state.name, keeper.state.refused) == ("ok", 1)
    assert ids(path) == wanted(calls)
    assert bad.id in (tmp_path / "spool.refused").read_text()
    assert "refused" in caplog.text


def test_a_spool_has_one_process(tmp_path):
    with (
        contextlib.closing(Spool(tmp_path / "spool")),
        pytest.raises(StoreError, match="another process has it"),
    ):
        Spool(tmp_path / "spool")


def test_a_spool_forgets_what_landed_when_all_has(tmp_path):
    with contextlib.closing(Spool(tmp_path / "spool")) as spool:
        spool.append(["a", "b", "c"])
        spool.landed(spool.first(2))
        assert spool.first(2) == [b"c\n"]
    with contextlib.closing(Spool(tmp_path / "spool")) as spool:
        assert spool.first(9) == [b"a\n", b"b\n", b"c\n"]
        spool.landed(spool.first(3))
        spool.append(["d"])
        assert spool.first(9) == [b"d\n"]
    assert (tmp_path / "spool").read_bytes() == b"d\n"


def test_the_key_for_numbers_is_known_while_the_store_is_away(path, tmp_path):
    def opener():
        raise StoreError("gone")

    with keeper_of(opener, tmp_path / "spool") as keeper, pytest.raises(StoreError, match="gone"):
        keeper.number_key()
    with keeper_of(str(path), tmp_path / "spool") as keeper:
        key = keeper.number_key()
    with keeper_of(opener, tmp_path / "spool") as keeper:
        assert keeper.number_key() == key
    with open_store(str(path)) as store:
        assert store.number_key() == key


# ---- disks


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Take all room of a disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_is_spooled_for_elsewhere(small_disk, tmp_path):
    path = small_disk / "store.db"
    first, later = some(3), some(300, T0 + 100.0)
    with keeper_of(str(path), tmp_path / "spool") as keeper:
        keeper.put(*first)
        assert keeper.drain(SOON)
        ballast = fill(small_disk)
        for one in later:
            keeper.put(one)
        until(lambda: keeper.state.name == "spooling" and not keeper.state.held)
        assert "full" in keeper.state.why
        ballast.unlink()
        until(lambda: keeper.state.name == "ok")
    assert ids(path) == wanted([*first, *later])


def test_a_full_disk_for_both_is_waited_for_and_what_is_lost_is_counted(small_disk):
    path, spool = small_disk / "store.db", small_disk / "spool"
    first, later = some(3), some(300, T0 + 100.0)
    seen = []
    with keeper_of(str(path), spool, most=50, on_change=lambda state: seen.append(state.name)) as keeper:
        keeper.put(*first)
        assert keeper.drain(SOON)
        ballast = fill(small_disk)
        for one in later:
            keeper.put(one)
        until(lambda: "dropping" in seen)
        assert "no space left on device" in keeper.state.why
        lost = keeper.state.dropped
        assert keeper.state.held + keeper.state.spooled >= 50
        ballast.unlink()
        until(lambda: keeper.state.name == "ok" and not keeper.waiting)
        assert keeper.state.dropped == lost
    found = ids(path)
    assert len(found) == len(set(found)) == 303 - lost
    assert found[-1] == later[-1].id


@contextlib.contextmanager
def read_only(folder):
    """Take away the right to write in a folder."""
    files = [folder, *folder.iterdir()]
    try:
        for file in files:
            file.chmod(0o555 if file.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.seteuid(0)
        for file in files:
            file.chmod(0o755 if file.is_dir() else 0o644)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no such thing as another user here")
@pytest.mark.parametrize("there", [True, False])
def test_a_store_that_is_read_only_is_spooled_for(tmp_path, there):
    with tempfile.TemporaryDirectory() as name:  # anybody may look into
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "store.db"
        if there:
            open_store(str(path)).close()
        calls = some(3)
        with keeper_of(str(path), tmp_path / "spool") as keeper:
            with read_only(folder):
                keeper.put(*calls)
                until(lambda: keeper.state.name == "spooling" and not keeper.state.held)
                assert any(words in keeper.state.why for words in ("readonly", "unable to open"))
            until(lambda: keeper.state.name == "ok")
        assert ids(path) == wanted(calls)


# ---- PostgreSQL


@needs_postgres
def test_postgres_goes_and_comes_back_while_probes_go_on(tmp_path):
    rng = np.random.default_rng(1)
    seen, put = [], []
    with server() as cluster:
        url = cluster.database("one")
        with keeper_of(url, tmp_path / "spool", on_change=lambda state: seen.append(state.name)) as keeper:

            def probe(seconds):
                ends = time.monotonic() + seconds
                while time.monotonic() < ends:
                    put.extend(one := [call(T0 + len(put)), missed(T0 + len(put))])
                    keeper.put(*one)
                    time.sleep(rng.exponential(0.003))

            for mode in ("immediate", "fast"):
                probe(0.3)
                assert keeper.drain(SOON)
                cluster.stop(mode)
                probe(0.5)
                until(lambda: keeper.state.name == "spooling" and not keeper.state.held)
                starting = threading.Thread(target=cluster.start)
                starting.start()
                probe(0.5)
                starting.join()
                until(lambda: keeper.state.name == "ok")
            assert keeper.drain(SOON)
        assert seen == ["spooling", "ok"] * 2
        calls = put[::2]
        assert sorted(ids(url)) == sorted(wanted(calls))
        with open_store(url) as store:
            assert [one.id for one in store.missed(PLAN)] == wanted(put[1::2])
            assert [leg.passed for leg in store.month(PLAN, T0, T0 + 86400.0)] == [len(calls)]


@needs_postgres
def test_two_probers_write_into_one_store(tmp_path):
    with server() as cluster:
        url = cluster.database("one")
        with (
            keeper_of(url, tmp_path / "one") as berlin,
            keeper_of(url, tmp_path / "other") as oslo,
        ):
            for n in range(300):
                berlin.put(call(T0 + n, location="berlin"))
                oslo.put(call(T0 + n, location="oslo", id=new_id(T0 + n)))
            assert berlin.drain(SOON)
            assert oslo.drain(SOON)
        with open_store(url) as store:
            assert [(leg.location, leg.passed) for leg in store.month(PLAN, T0, T0 + 3600.0)] == [
                ("berlin", 300),
                ("oslo", 300),
            ]
            assert store.check() == []


def test_a_store_that_is_locked_is_spooled_for(path, tmp_path, monkeypatch):
    monkeypatch.setattr("results.store.opening.BUSY", 0.05)
    calls = some(3)
    with open_store(str(path)) as other, keeper_of(str(path), tmp_path / "spool") as keeper:
        with other.writing() as connection:
            connection.execute(sa.text("DELETE FROM meta"))
            keeper.put(*calls)
            until(lambda: keeper.state.name == "spooling" and not keeper.state.held)
            assert "locked" in keeper.state.why
        until(lambda: keeper.state.name == "ok")
    assert ids(path) == wanted(calls)


def test_an_error_of_our_own_ends_no_thread(path, tmp_path, monkeypatch, caplog):
    write = Store.write
    monkeypatch.setattr(Store, "write", lambda store, entries: 1 / 0)
    calls = some(3)
    with keeper_of(str(path), tmp_path / "spool") as keeper:
        keeper.put(*calls)
        until(lambda: keeper.state.spooled == 3)
        assert "ZeroDivisionError" in keeper.state.why
        monkeypatch.setattr(Store, "write", write)
        until(lambda: keeper.state.name == "ok")
    assert ids(path) == wanted(calls)
    assert "ZeroDivisionError" in caplog.text
