"""The command `watch` around its loop: plan files, state, lines, signals, and a run on the lab."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console
from watch_lab import BEGINS, Fault, WatchLab, plan_of

from callgen.dialer import LostByToolError
from callgen.renewing import Renewable
from callsim import cli
from callsim.errors import CallsimError
from callsim.live import setup
from callsim.live.errors import NotLiveError
from callsim.watching import clock as clocks
from callsim.watching import reloading, watch_command
from callsim.watching.events import KeeperChanged, Reloaded, Ticked
from callsim.watching.notify import notify
from callsim.watching.reloading import PlanFile, keep_reloading
from callsim.watching.showing import Journal, Shown, age
from callsim.watching.state import location_of, state_of
from callsim.watching.table import table
from results.store.opening import open_store

LAB = Path(__file__).parent.parent / "scenarios" / "plans" / "lab.yaml"


def callsim(*words):
    return CliRunner().invoke(cli.main, [str(word) for word in words])


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


# ---- the plan's file


def test_tests_without_a_cadence_are_left_out():
    file = PlanFile(LAB)
    assert [test.name for test in file.read().tests] == ["each-trunk"]
    assert file.without_cadence == ("in-turn", "our-number")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--only", "in-turn"), 2, "lab has nothing to watch: no `every` in in-turn; write a cadence, like"),
        (("--only", "in-trun"), 2, "no test is called 'in-trun'; did you mean 'in-turn'?"),
        (("--set", "tests=[]"), 2, "lab has no tests"),
        (("--set", "guard.calls_per_day=100"), 5, "refused before the first call: lab could break its caps"),
        (("--location", "a b"), 2, "--location 'a b' is no name of a location"),
        (("--set", "trunks.0.carrier=1"), 2, "--set trunks.0.carrier"),
    ],
)  # fmt: skip
def test_what_cannot_be_watched_is_said(words, code, message):
    ran = callsim("watch", LAB, "--lab", *words)
    assert (ran.exit_code, message in ran.stderr) == (code, True), ran.stderr


def test_without_pjsua2_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setattr(setup, "find_spec", lambda name: None)
    ran = callsim("watch", LAB, "--lab")
    assert (ran.exit_code, ran.stderr.strip()) == (4, setup.NEEDED)


def test_a_changed_file_is_read_anew_and_a_broken_one_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reloading, "LOOK_EVERY", 0.01)
    path = tmp_path / "plan.yaml"
    path.write_text(LAB.read_text())
    file = PlanFile(path)
    file.read()
    told = []

    async def taken(plan, *, anew):
        told.append((plan.tests[0].every, anew))

    async def change():
        watcher = SimpleNamespace(reload=taken, refuse=told.append)
        asked = asyncio.Event()
        task = asyncio.create_task(keep_reloading(watcher, file, asked))
        for text in (LAB.read_text().replace("1m", "2m"), "name: [", LAB.read_text()):
            path.write_text(text)
            await _until(partial(_more, told, len(told)))
        asked.set()  # by SIGHUP, changed or not
        await _until(lambda: len(told) == 4)
        path.unlink()
        await _until(lambda: len(told) == 5)
        await asyncio.sleep(0.1)
        task.cancel()

    asyncio.run(change())
    first, broken, good, again, gone = told
    assert (first, good, again) == ((120.0, False), (60.0, False), (60.0, True))
    assert broken.startswith(f"{path}:1:")
    assert "plan.yaml" in gone


def _more(told, count):
    return len(told) > count


async def _until(so):
    async with asyncio.timeout(60.0):
        while not so():
            await asyncio.sleep(0.01)


# ---- its state


def test_a_plan_is_watched_from_a_location_once(tmp_path):
    with state_of(tmp_path / "here", "plan", "here") as state:
        assert state.recordings.is_dir()
        with (
            pytest.raises(NotLiveError, match=f"plan is watched from here already, by process {os.getpid()}"),
            state_of(tmp_path / "here", "plan", "here"),
        ):
            pass
        with state_of(tmp_path / "there", "plan", "there"):
            pass
    with state_of(tmp_path / "here", "plan", "here"):
        pass


def test_a_location_is_the_host_unless_it_is_named():
    assert location_of("berlin-1") == "berlin-1"
    assert location_of(None) == socket.gethostname()
    with pytest.raises(CallsimError, match="is no name of a location"):
        location_of("a/b")


# ---- the clock


@pytest.mark.parametrize(
    ("left", "status", "offset"),
    [(2500, 0, -0.0025), (2500, 0x2000, -2.5e-6), (-1000, 0x2001, 1e-6), (2500, 0x40, None)],
)
def test_the_offset_is_what_the_kernel_has_left_to_correct(left, status, offset):
    assert clocks.offset_of(left, status) == (None if offset is None else pytest.approx(offset))


def test_the_system_s_clock_is_that_of_the_loop():
    clock = clocks.SystemClock()
    assert abs(clock.wall() - time.time()) < 60.0
    assert clock.monotonic() <= time.monotonic()
    assert clocks.clock_offset() is None or abs(clocks.clock_offset()) < 10.0


# ---- what is said


def lines_of(lab, *doing, seconds=3600.0):
    said = []
    shown = Shown(lab.plan, said.append)
    lab.listeners.append(shown)
    lab.run(seconds, *doing)
    return shown, [line.partition(" ")[2].partition(" ")[2] for line in said], said


def test_failures_recoveries_and_misses_are_said():
    lab = WatchLab(
        plan_of("5m", timezone="America/New_York"),
        [Fault("boreal", BEGINS + 400.0, BEGINS + 800.0, kind="refuses")],
    )
    shown, lines, said = lines_of(lab, (1000.0, lambda lab: lab.clock.set_by(600.0)))
    assert lines == [
        "FAILED each over boreal/1: status: wanted 200, found failed, 503 (reason of 503)",
        "FAILED each over boreal/1: status: wanted 200, found failed, 503 (reason of 503)",
        "MISSED 2 slots of each over atlantic/1, from 2027-01-15 03:20:00 to 2027-01-15 03:25:00: "
        "the machine slept, or its clock jumped",
        "MISSED 2 slots of each over boreal/1, from 2027-01-15 03:17:30 to 2027-01-15 03:22:30: "
        "the machine slept, or its clock jumped",
        "RECOVERED each over boreal/1, after 2 failed probes since 2027-01-15 03:07:30",
    ]
    assert said[0].startswith("2027-01-15 03:07:30 FAILED")
    assert shown.counts == {"PASSED": 21, "FAILED": 2, "MISSED": 4}
    console = Console(width=80, record=True, file=StringIO())
    console.print(table(lab.watcher, shown, BEGINS + 4100.0))
    head, first, _ = (line.split("  ") for line in console.export_text().splitlines())
    assert [cell.strip() for cell in head if cell] == ["Test", "Over", "Last", "Since", "PDD", "MOS", "Next"]
    assert [cell.strip() for cell in first if cell] == [
        *("each", "atlantic/1", "PASSED", "1 h 03 min", "0.30 s", "4.40", "in 1 min")
    ]


def test_plans_and_stores_are_said():
    said = []
    shown = Shown(plan_of(), said.append)
    shown(Reloaded(ok=True, at=BEGINS, plan=shown.plan))
    shown(Reloaded(ok=False, at=BEGINS, why="x"))
    shown(Reloaded(ok=True, at=BEGINS, plan=plan_of("7m")))
    shown(KeeperChanged("spooling (disk full)", BEGINS))
    shown(Ticked(BEGINS))
    assert [line.split(" ", 2)[2] for line in said] == [
        "REFUSED the plan as it is now, the one before goes on: x",
        "RELOADED the plan",
        "records: spooling (disk full)",
    ]


def test_what_modules_log_is_said():
    said = []
    logger = logging.getLogger("callsim.said")
    handler = Journal(said.append)
    logger.addHandler(handler)
    logger.warning("a %s", "trouble")
    logger.info("nothing")
    logger.removeHandler(handler)
    assert said == ["WARNING: a trouble"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0 s"), (59.9, "59 s"), (60.0, "1 min"), (14_700.0, "4 h 05 min"), (200_000.0, "2 d 07 h")],
)
def test_time_spans_are_short(seconds, text):
    assert age(seconds) == text


# ---- systemd, workers


def test_systemd_is_told(tmp_path, monkeypatch):
    notify("READY=1")  # nobody asks
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        notify("READY=1")
        assert listening.recv(100) == b"READY=1"
    notify("STOPPING=1")  # it is gone


class Pool:
    """Workers that take every call, and note when they are closed."""

    fails = False

    def __init__(self):
        self.open = 0
        self.calls = []

    async def __aenter__(self):
        if Pool.fails:
            raise LostByToolError("no worker starts")
        self.open += 1
        return self

    async def __aexit__(self, *_):
        self.open -= 1

    async def place(self, permit, talk, **_):
        del permit, talk
        over = asyncio.get_running_loop().create_future()
        self.calls.append(over)

        async def freed():
            return await asyncio.shield(over)

        return SimpleNamespace(freed=freed)

    async def ping(self, permit, timeout, **_):
        del permit, timeout
        return self.open * 200


def test_workers_are_replaced_while_their_calls_go_on(monkeypatch):
    pools = []

    def make():
        pools.append(Pool())
        return pools[-1]

    async def replaced():
        async with Renewable(make) as dialer:
            await dialer.place(None, 1.0)
            assert (dialer.placed, dialer.renewals) == (1, 0)
            await dialer.renew()
            await asyncio.sleep(0)
            assert [pool.open for pool in pools] == [1, 1]
            assert dialer.workers is pools[1]
            assert await dialer.ping(None, 1.0) == 200
            await dialer.place(None, 1.0)
            pools[0].calls[0].set_result(True)
            await _until(lambda: pools[0].open == 0)
            assert pools[1].open == 1
            monkeypatch.setattr(Pool, "fails", True)
            with pytest.raises(LostByToolError):
                await dialer.renew()
            assert dialer.workers is pools[1]
            assert dialer.placed == 1
        assert pools[1].open == 0

    asyncio.run(replaced())


# ---- as a whole


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")
def test_a_plan_is_watched_on_the_lab_until_a_signal(tmp_path):
    pytest.importorskip("pjsua2")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        LAB.read_text().replace("every: 1m", "every: 4s").replace("ring_timeout: 10s", "ring_timeout: 1s")
    )
    caps = {"calls_per_hour": 5000, "calls_per_day": 50000, "minutes_per_day": 50000, "spend_per_day": 900}
    words = [word for cap, most in caps.items() for word in ("--set", f"guard.{cap}={most}")]
    words += ["--set", "guard.at_once=4"]
    store = tmp_path / "store.db"
    with subprocess.Popen(
        [sys.executable, "-m", "callsim", "watch", str(plan), "--lab", "--location", "here", "--store",
         f"sqlite:///{store}", *words], stdout=subprocess.PIPE, text=True) as running:  # fmt: skip
        try:
            passed = 0
            until = time.monotonic() + 100.0
            while not passed and time.monotonic() < until:
                time.sleep(0.5)
                if store.exists():
                    with open_store(f"sqlite:///{store}") as opened:
                        passed = int((opened.probes("lab").passed == 1).sum())
            running.send_signal(signal.SIGTERM)
            said = running.communicate(timeout=60.0)[0].splitlines()
        finally:
            running.kill()
    assert passed
    assert running.returncode == 0
    assert said[0].startswith("watching lab from here: 2 legs, ")
    assert said[1] == "not watched, for want of `every`: in-turn, our-number"
    assert said[-1].startswith("watched lab since ")
    with open_store(f"sqlite:///{store}") as opened:
        assert [beat.location for beat in opened.heartbeats("lab")] == ["here"]


def test_what_is_kept_where():
    options = watch_command.WatchOptions(LAB, lab=True)
    assert watch_command.store_of(options).endswith("/callsim/lab.db")
    assert watch_command.store_of(watch_command.WatchOptions(LAB)).endswith("/callsim/store.db")
    assert watch_command.store_of(watch_command.WatchOptions(LAB, store="x")) == "x"
