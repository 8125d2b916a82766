"""A prober and its store: what is written, what is taken up after a restart, and a store that is away."""

import asyncio
import math

import pytest
from watch_lab import BEGINS, NUMBER, Fault, WatchLab, by_leg, plan_of

from callsim.errors import CallsimError
from callsim.live.judging import Check
from callsim.live.probing import Probed, Try, legs_of
from callsim.plan.watching import Keep
from callsim.reading.tracking import IncidentTracker
from callsim.watching import keeping
from callsim.watching.events import ProbeDone, SlotMissed
from callsim.watching.keeping import fill_later, handled_in, keep_pruning, put_of, take_up
from callsim.watching.once import write_probes
from callsim.watching.recording import Recorder
from callsim.watching.watcher import lost
from carriers.calendars import DAY, HOUR
from results.store.errors import StoreError
from results.store.keeper import Keeper
from results.store.opening import open_store

PLAN = plan_of("5m", numbers="hashed")


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'store.db'}"


def watched(url, spool, seconds, plan=PLAN, **more):
    """Watch in fast time with a real store."""
    keeper = Keeper(url, spool)
    put = put_of(keeper, lambda: plan)
    lab = WatchLab(plan, **more)
    lab.listeners += [
        Recorder(plan, "here", lab.begins, "1.0", lambda: None, put),
        IncidentTracker(plan, "here", keep=put),
    ]
    lab.run(seconds)
    landed = keeper.drain(60.0)
    keeper.close()
    return lab, landed


def test_a_restart_takes_up_what_was_before(url, tmp_path):
    fault = Fault("boreal", BEGINS + 3000.0, BEGINS + DAY)
    lab, landed = watched(url, tmp_path / "spool", HOUR, faults=[fault])
    assert landed
    now = BEGINS + 2 * HOUR
    kept = []
    tracker = IncidentTracker(PLAN, "here", keep=kept.extend)
    taken = take_up(url, PLAN, "here", now, tracker)
    assert {key: len(dues) for key, dues in taken.handled.items()} == {
        ("each", "atlantic/1"): 11,
        ("each", "boreal/1"): 12,
    }
    assert sorted(past.passed for past in taken.past) == [False] * 2 + [True] * 21
    later = WatchLab(PLAN, [fault], begins=now)
    later.run(700.0, (0.0, lambda lab: lab.watcher.fill(taken.handled)))
    slots = [event for event in lab.events + later.events if isinstance(event, ProbeDone | SlotMissed)]
    for lane in later.watcher.lanes:
        mine = by_leg(slots)[lane.leg.over]
        assert [event.due for event in mine] == list(lane.schedule.between(BEGINS, now + 699.0))


def test_nothing_is_taken_up_where_nothing_was(url):
    taken = take_up(url, PLAN, "here", BEGINS)
    assert (taken.handled, taken.past) == ({}, [])


def test_records_of_other_locations_and_without_a_slot_are_none_of_ours(url, tmp_path):
    watched(url, tmp_path / "spool", HOUR)
    (leg, _) = legs_of(PLAN, PLAN.tests)
    once = Probed(leg, (Try(lost(leg, "x") | {"outcome": "failed"}, (), BEGINS + 9.0, BEGINS + 10.0),))
    (tmp_path / "plan.yaml").write_text("name: fast")
    write_probes(url, "here", tmp_path / "plan.yaml", PLAN, [once])
    with open_store(url) as store:
        assert sum(math.isnan(due) for due in store.probes("fast").due) == 1
    assert handled_in(url, PLAN, "there") == {}
    assert sum(map(len, handled_in(url, PLAN, "here").values())) == 23


def test_numbers_are_hashed_where_the_plan_says_so(url, tmp_path):
    watched(url, tmp_path / "spool", HOUR, faults=[Fault("boreal", BEGINS, BEGINS + DAY)])
    with open_store(url) as store:
        assert all(call.number.startswith("hashed:") for call in store.calls("fast"))
    assert NUMBER.lstrip("+").encode() not in (tmp_path / "store.db").read_bytes()


def test_without_the_store_s_key_numbers_are_hashed_all_the_same(tmp_path, caplog):
    (tmp_path / "gone").write_text("in the way")
    away = f"sqlite:///{tmp_path / 'gone' / 'store.db'}"
    lab, landed = watched(away, tmp_path / "spool", HOUR)
    assert not landed
    assert "with a key of this run alone" in caplog.text
    assert lab.watcher.troubles == 0
    spooled = b"".join(path.read_bytes() for path in tmp_path.glob("spool*"))
    assert b"hashed:" in spooled
    assert NUMBER.lstrip("+").encode() not in spooled


def test_the_gap_is_told_when_the_store_is_back(url, tmp_path, monkeypatch):
    watched(url, tmp_path / "spool", HOUR)
    monkeypatch.setattr(keeping, "TRY_AGAIN", 0.01)
    lab = WatchLab(PLAN, begins=BEGINS + 2 * HOUR)
    lab.run(0.5)
    tries = []

    def away(*asked):
        tries.append(asked)
        if len(tries) < 3:
            raise StoreError("away")
        return handled_in(*asked)

    keeper = Keeper(url, tmp_path / "spool")
    monkeypatch.setattr(keeping, "handled_in", away)
    asyncio.run(fill_later(url, keeper, lab.watcher, "here"))
    keeper.close()
    assert len(tries) == 3
    assert {event.reason for event in lab.of(SlotMissed)} == {"stopped"}
    assert len(lab.of(SlotMissed)) == 25


def test_old_records_are_removed_every_day(url, tmp_path, monkeypatch):
    watched(url, tmp_path / "spool", HOUR)
    plan = PLAN.model_copy(update={"keep": Keep.model_validate({"records": "1h"})})
    monkeypatch.setattr(keeping, "FIRST_PRUNE", 0.0)
    monkeypatch.setattr(keeping.time, "time", lambda: BEGINS + 30 * DAY)

    async def prune():
        task = asyncio.create_task(keep_pruning(url, lambda: plan))
        async with asyncio.timeout(60.0):
            while handled_in(url, plan, "here"):
                await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(prune())


# ---- a single run


def failed(leg):
    call = lost(leg, "no") | {"outcome": "failed", "trace": "INVITE"}
    return Probed(leg, (Try(call, (Check("status", "200", "503", kept=False),), BEGINS, BEGINS + 1.0),))


def test_a_single_run_is_kept_and_waits_for_a_store_that_is_away(url, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("callsim.watching.once.LAND", 0.2)
    file = tmp_path / "plan.yaml"
    file.write_text("name: fast")
    plan = plan_of()
    legs = legs_of(plan, plan.tests)
    (tmp_path / "later").write_text("in the way")
    away = f"sqlite:///{tmp_path / 'later' / 'store.db'}"
    write_probes(away, "here", file, plan, [failed(legs[0])])
    assert "records wait in" in capsys.readouterr().err
    (tmp_path / "later").unlink()
    monkeypatch.setattr("callsim.watching.once.LAND", 60.0)
    write_probes(away, "here", file, plan, [failed(legs[1])])
    with open_store(away) as store:
        calls = list(store.calls("fast"))
        assert sorted((call.over, call.passed, call.due_at) for call in calls) == [
            ("atlantic/1", False, None), ("boreal/1", False, None)]  # fmt: skip
        assert store.trace(calls[0].id) == "INVITE"


def test_a_single_run_that_can_be_kept_nowhere_is_an_error(url, tmp_path):
    (tmp_path / "state").write_text("a file")
    with pytest.raises(CallsimError):
        write_probes(url, "here", tmp_path / "state", plan_of(), [])
