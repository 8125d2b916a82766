"""The watch loop in fast time: each slot has one probe, or one reason why not."""

import datetime as dt
import logging
from collections import Counter
from itertools import pairwise

import pytest
from watch_lab import BEGINS, NUMBER, Fault, WatchLab, by_leg, plan_of

from callsim.errors import CallsimError
from callsim.watching import watcher as watching
from callsim.watching.events import PingDone, ProbeDone, Reloaded, SlotMissed, TrunkBelieved
from callsim.watching.slots import MOST
from carriers.calendars import DAY, HOUR
from results.store.entries import Call

HEALTH = {"ping_every": "30s", "ping_timeout": "2s", "down_after": 3, "up_after": 2}


def slots(lab):
    """Probes and missed slots of each leg in the order in which they were due."""
    return by_leg(event for event in lab.events if isinstance(event, ProbeDone | SlotMissed))


def reasons(lab):
    counts = Counter()
    for event in lab.of(SlotMissed):
        counts[event.reason] += event.count
    return dict(counts)


def each_once(lab):
    """Check that every slot of every lane has exactly one probe or one reason."""
    found, until = slots(lab), lab.clock.ahead + lab.seconds - 1e-3
    for lane in lab.watcher.lanes:
        due = list(lane.schedule.between(BEGINS, until))
        assert [event.due for event in found[lane.leg.over]] == due


def test_a_day_of_probes_keeps_its_cadence(monkeypatch):
    monkeypatch.setattr(watching, "TICK", 10.0)
    plan = plan_of(
        tests=[
            {"name": "each", "to": NUMBER, "over": ["atlantic", "boreal"], "every": "5m", "jitter": "30s"},
            {
                "name": "by-day",
                "to": NUMBER,
                "over": "route",
                "every": "7m",
                "jitter": "2m",
                "hours": "Mon-Fri 09:00-17:00",
                "not_on": ["2027-01-18"],
                "again": {"after": "20s", "times": 1},
            },
        ],
        timezone="America/New_York",
    )
    faults = [
        Fault("atlantic", BEGINS + 4 * HOUR, BEGINS + 6 * HOUR),
        Fault("boreal", BEGINS + HOUR, BEGINS + 2 * HOUR),
    ]
    lab = WatchLab(plan, faults)
    lab.run(DAY)
    each_once(lab)
    done = lab.of(ProbeDone)
    assert max(abs(event.started - event.due) for event in done) < 0.1
    assert len(done) > 600
    failed = {
        (event.leg.over, dt.datetime.fromtimestamp(event.due, dt.UTC).hour)
        for event in done
        if not event.probed.passed
    }
    assert failed == {("atlantic/1", 12), ("atlantic/1", 13), ("boreal/1", 9)}


def test_a_probe_that_goes_on_has_the_next_slot_missed():
    lab = WatchLab(plan_of("20s", trunks=1, tests=[
        {"name": "each", "to": NUMBER, "over": "atlantic", "every": "20s", "talk": "1s",
         "again": {"after": "30s", "times": 1}}]),
        [Fault("atlantic", BEGINS + 100.0, BEGINS + 200.0)])  # fmt: skip
    lab.run(600.0)
    each_once(lab)
    # Each failed probe takes 4 s, 30 s, and then up to 4 s more.
    assert reasons(lab) == {"late": 3}
    again = [event for event in lab.of(ProbeDone) if len(event.probed.tries) == 2]
    assert [event.probed.passed for event in again] == [False, False, True]


def test_without_a_free_slot_of_the_guard_a_slot_is_missed():
    plan = plan_of("20s", trunks=3)
    lab = WatchLab(plan.model_copy(update={"guard": plan.guard.model_copy(update={"at_once": 1})}))
    lab.run(600.0)
    each_once(lab)
    # A call lasts 13 s, and one of another leg is due after 6.7 s.
    assert set(reasons(lab)) == {"slots_full"}
    starts = sorted(event.started for event in lab.of(ProbeDone))
    assert min(later - first for first, later in pairwise(starts)) >= 13.0


def test_what_the_guard_refuses_is_missed_and_no_call_is_kept():
    plan = plan_of("1m")
    lab = WatchLab(plan.model_copy(update={"guard": plan.guard.model_copy(update={"calls_per_day": 7})}))
    lab.run(HOUR)
    each_once(lab)
    assert len(lab.of(ProbeDone)) == len(lab.dialer.invites) == 7
    assert reasons(lab) == {"guard": 2 * 60 - 7 - 1}


def test_a_sleep_has_its_slots_missed_and_no_burst_after_it():
    lab = WatchLab(plan_of("1m"))
    lab.run(HOUR, (620.5, lambda lab: lab.clock.set_by(2 * HOUR)))
    each_once(lab)
    assert reasons(lab) == {"asleep": 2 * 120}
    starts = sorted(event.started for event in lab.of(ProbeDone))
    assert min(later - first for first, later in pairwise(starts)) == pytest.approx(30.0, abs=1e-3)


def test_a_very_long_sleep_is_told_in_bounded_pieces():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(HOUR, (620.5, lambda lab: lab.clock.set_by(30 * DAY)))
    assert reasons(lab) == {"asleep": 30 * 1440}
    assert len(lab.of(SlotMissed)) == MOST + 1


@pytest.mark.parametrize("back", [0.5, 90.0, 1800.0])
def test_a_clock_that_goes_back_has_no_slot_twice(back):
    lab = WatchLab(plan_of("1m"))
    lab.run(2 * HOUR, (HOUR + 0.5, lambda lab: lab.clock.set_by(-back)))
    each_once(lab)
    assert lab.of(SlotMissed) == []


def test_a_clock_that_went_ahead_and_back_costs_the_time_between_alone():
    lab = WatchLab(plan_of("1m", trunks=1))
    ahead = (600.5, lambda lab: lab.clock.set_by(6 * HOUR))
    back = (660.7, lambda lab: lab.clock.set_by(-6 * HOUR))
    lab.run(HOUR, ahead, back)
    probed = [event.due for event in lab.of(ProbeDone)]
    assert len(set(probed)) == len(probed)
    # One was probed while the clock was wrong, by more than counts as having been right.
    assert [due - BEGINS for due in probed if due < BEGINS + HOUR] == [
        60.0 * n for n in range(1, 60) if n != 11
    ]


# ---- what says nothing of a carrier


def test_failures_while_our_own_network_is_down_are_none():
    down = BEGINS + HOUR, BEGINS + 2 * HOUR
    faults = [Fault(trunk, *down) for trunk in ("atlantic", "boreal")]
    lab = WatchLab(plan_of("5m"), faults, own_network=lambda at: not down[0] <= at < down[1] + 10.0)
    lab.run(3 * HOUR)
    each_once(lab)
    assert reasons(lab) == {"own_network": 24}
    assert all(event.probed.passed for event in lab.of(ProbeDone))
    calls = [entry for event in lab.of(SlotMissed) for entry in event.entries if isinstance(entry, Call)]
    assert len(calls) == 24
    assert {(call.passed, call.last, call.outcome) for call in calls} == {(None, False, "timeout")}


def test_one_trunk_that_fails_alone_is_no_trouble_of_ours():
    over = ["atlantic", "boreal", "cirrus"]
    plan = plan_of(
        trunks=3, tests=[{"name": "each", "to": NUMBER, "over": over, "every": "7s", "talk": "500ms"}]
    )
    plan = plan.model_copy(update={"guard": plan.guard.model_copy(update={"at_once": 20})})
    lab = WatchLab(plan, [Fault("boreal", BEGINS + 300.0, BEGINS + 1000.0)], own_network=False)
    lab.run(1500.0)
    # While a probe fails for 4 s, one of another leg has passed.
    assert reasons(lab) == {}
    assert sum(not event.probed.passed for event in lab.of(ProbeDone)) == 100


def record(**more):
    return watching.lost(plan_leg(), "it was lost") | more


def plan_leg():
    return watching.lanes_of(plan_of(), BEGINS)[0].leg


ATTEMPT = {
    "trunk": "atlantic/1",
    "sip_status": 503,
    "reason": "DNS: x does not exist",
    "pdd_s": None,
    "seconds": 0.0,
}
NOWHERE = {"outcome": "failed", "sip_status": 503, "reason": ATTEMPT["reason"], "attempts": [ATTEMPT]}
FAILED = {"outcome": "failed", "sip_status": 503, "reason": "no", "attempts": [ATTEMPT | {"reason": "no"}]}
REFUSED = {"outcome": "refused_by_guard", "reason": "a cap"}


@pytest.mark.parametrize(
    ("script", "missed", "verdicts"),
    [
        ([NOWHERE], ["not_resolved"], []),
        ([FAILED], [], ["FAILED"]),
        ([{}], [], ["NOT TESTED"]),
        ([OSError("no file")], [], ["NOT TESTED"]),
        ([CallsimError("no worker")], [], ["NOT TESTED"]),
        ([FAILED, REFUSED], [], ["FAILED"]),  # the failed try stands
        ([FAILED, {}], [], ["FAILED"]),
        ([REFUSED], ["guard"], []),
    ],
)
def test_each_way_to_know_nothing(script, missed, verdicts):
    test = {"name": "each", "to": NUMBER, "over": "atlantic", "every": "5m"}
    again = {"again": {"after": "1s", "times": 1}} if len(script) > 1 else {}
    lab = WatchLab(plan_of(tests=[test | again]))
    left = list(script)

    async def place(desk, leg, probe, number):
        del desk, leg, probe, number
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return record(**one)

    lab.place = place
    lab.run(310.0)
    assert [event.reason for event in lab.of(SlotMissed)] == missed
    assert [event.probed.verdict for event in lab.of(ProbeDone)] == verdicts


# ---- the end


def test_calls_in_progress_are_seen_to_their_end():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(65.0)
    (done,) = lab.of(ProbeDone)
    assert done.probed.passed
    assert done.ended == BEGINS + 60.0 + 13.0
    assert lab.desks == 0


def test_asked_again_they_are_hung_up():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(65.0, (66.0, lambda lab: lab.watcher.hang_up()))
    assert reasons(lab) == {"stopped": 1}
    assert lab.ended == pytest.approx(66.0, abs=0.01)


def test_what_takes_too_long_is_hung_up():
    lab = WatchLab(plan_of("10m", tests=[
        {"name": "each", "to": NUMBER, "over": "atlantic", "every": "10m", "talk": "2s",
         "again": {"after": "5m", "times": 1}}]), [Fault("atlantic", BEGINS, BEGINS + DAY)])  # fmt: skip
    lab.run(602.0)
    assert reasons(lab) == {"stopped": 1}
    assert lab.ended == pytest.approx(602.0 + 2.0 + watching.LEAVE, abs=0.01)


# ---- another plan


def reload(plan):
    def do(lab):
        async def reloaded():
            try:
                await lab.watcher.reload(plan)
            except CallsimError as error:
                lab.watcher.refuse(str(error))

        lab.task = lab.loop.create_task(reloaded())

    return do


def test_a_new_cadence_is_taken_over_and_calls_go_on():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(600.0, (305.0, reload(plan_of("2m", trunks=1))))
    dues = [event.due - BEGINS for event in lab.of(ProbeDone)]
    assert dues == [60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 480.0]
    assert all(event.probed.passed for event in lab.of(ProbeDone))
    assert [event.ok for event in lab.of(Reloaded)] == [True, True]
    assert lab.opened == 1


def test_other_trunks_are_called_from_another_desk_while_calls_of_the_old_one_end():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(600.0, (305.0, reload(plan_of("1m", trunks=2))), (306.0, lambda lab: lab.seen.append(lab.desks)),
            (320.0, lambda lab: lab.seen.append(lab.desks)))  # fmt: skip
    assert lab.opened == 2
    assert lab.seen == [2, 1]
    assert {over: len(events) for over, events in slots(lab).items()} == {"atlantic/1": 9, "boreal/1": 5}
    assert all(event.probed.passed for event in lab.of(ProbeDone))


def test_a_leg_that_is_probed_is_not_probed_anew_by_another_plan():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(400.0, (305.0, reload(plan_of("5s", trunks=1))))
    started = [event.started for event in lab.of(ProbeDone)]
    assert min(later - first for first, later in pairwise(started)) >= 13.0
    assert set(reasons(lab)) == {"late"}


def test_a_plan_of_another_name_is_refused_and_the_old_one_goes_on():
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(600.0, (305.0, reload(plan_of("1m", trunks=1, name="other"))))
    refused = lab.of(Reloaded)[-1]
    assert (refused.ok, refused.plan) == (False, None)
    assert refused.why == "its name was fast and is other: watch that one by itself"
    each_once(lab)


def test_a_plan_whose_desk_cannot_be_opened_is_refused():
    lab = WatchLab(plan_of("1m", trunks=1))

    def broken(lab):
        def refuse(plan, pinged):
            raise CallsimError("the secret env:GONE is not set")

        object.__setattr__(lab.outside, "desks", refuse)

    lab.run(600.0, (300.0, broken), (305.0, reload(plan_of("1m", trunks=2))))
    assert lab.of(Reloaded)[-1].why == "the secret env:GONE is not set"
    each_once(lab)


# ---- beside the probes


def test_listeners_that_raise_stop_nobody(caplog):
    def broken(event):
        raise RuntimeError(str(type(event)))

    lab = WatchLab(plan_of("1m"), listeners=[broken])
    with caplog.at_level(logging.CRITICAL):
        lab.run(300.0)
    each_once(lab)
    assert lab.watcher.troubles > len(lab.events)


def test_beliefs_and_pings_are_told():
    plan = plan_of("5m", routing={"order": "priority", "routes": ["atlantic", "boreal"], "health": HEALTH})
    lab = WatchLab(plan, [Fault("boreal", BEGINS + 600.0, BEGINS + 1200.0)])
    lab.run(1800.0)
    changes = [(event.trunk, event.carrier, event.up) for event in lab.of(TrunkBelieved)]
    assert changes == [("boreal/1", "boreal", False), ("boreal/1", "boreal", True)]
    first, second = (event.at - BEGINS for event in lab.of(TrunkBelieved))
    assert 660.0 < first < 700.0
    assert 1230.0 < second < 1270.0
    pings = lab.of(PingDone)
    assert len(pings) == pytest.approx(2 * 60, abs=2)
    assert {(ping.status, ping.trunk) for ping in pings} == {
        (200, "atlantic/1"), (200, "boreal/1"), (None, "boreal/1")}  # fmt: skip
    assert all((ping.seconds is None) is (ping.status is None) for ping in pings)


def test_workers_are_replaced_after_many_calls_or_a_day(monkeypatch):
    monkeypatch.setattr(watching, "RENEW_CALLS", 50)
    monkeypatch.setattr(watching, "TICK", 30.0)
    lab = WatchLab(plan_of("1m", trunks=1))
    lab.run(4 * HOUR)
    assert lab.dialer.renewals == 4
    monkeypatch.setattr(watching, "RENEW_CALLS", 10**9)
    lab = WatchLab(plan_of("1h", trunks=1))
    lab.run(2.5 * DAY)
    assert lab.dialer.renewals == 2


def test_workers_that_cannot_be_replaced_go_on(monkeypatch, caplog):
    monkeypatch.setattr(watching, "RENEW_CALLS", 10**9)
    monkeypatch.setattr(watching, "TICK", 30.0)
    lab = WatchLab(plan_of("1h", trunks=1))
    tries = []

    async def renew():
        tries.append(lab.clock.wall())
        raise TimeoutError("no worker was ready")

    lab.dialer.renew = renew
    lab.run(DAY + 2000.0)
    assert len(tries) == 4
    assert "the old ones go on" in caplog.text


# ---- after a restart


def test_slots_while_nobody_watched_are_told_after_a_restart():
    first = WatchLab(plan_of("1m"))
    first.run(HOUR)
    handled = {}
    for event in first.of(ProbeDone):
        handled.setdefault((event.leg.test.name, event.leg.over), []).append(event.due)
    lost = handled["each", "boreal/1"].pop(20)  # under way at a kill, while others ended
    second = WatchLab(plan_of("1m"), begins=BEGINS + 2 * HOUR)
    second.run(HOUR, (0.0, lambda lab: lab.watcher.fill(handled)))
    stopped = second.of(SlotMissed)
    assert {event.reason for event in stopped} == {"stopped"}
    assert lost in [event.due for event in stopped]
    for over, events in by_leg([*first.of(ProbeDone), *second.of(ProbeDone), *stopped]).items():
        dues = [event.due for event in events if event.due != lost or event in stopped]
        lane = next(lane for lane in second.watcher.lanes if lane.leg.over == over)
        assert dues == list(lane.schedule.between(BEGINS, BEGINS + 3 * HOUR - 0.1))
