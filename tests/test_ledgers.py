"""Ledgers of simulated streams: whose matter an outage is, who knew of it when, what was asked for."""

from functools import partial

import numpy as np
import pytest
from ledger_cases import same
from ledger_plays import CARRIER, PBX, SCENARIOS, SEED, Played, play

from callsim.assumptions import assumptions_of
from callsim.build import build
from callsim.ledgers.causes import blames_of
from callsim.ledgers.outage_csv import outages_text, read_outages
from callsim.ledgers.stream import ledger_of
from callsim.scenario.load import load_scenario
from callsim.study import Stretch
from carriers.calendars import DAY, HOUR
from results.ledger import CORE_VOICE, Blame, Kind
from results.ledger_file import ledger_text, parse_ledger
from results.outages import DownRule, find_outages
from results.timeline import ClosedBy, Condition, Incidents, Timeline


@pytest.fixture
def played(tmp_path):
    return partial(play, tmp_path)


@pytest.fixture(scope="module")
def five_nines():
    return Played(SCENARIOS / "five-nines.yaml", 100)


# ---- outages


def test_the_ledger_is_down_when_the_stream_is(five_nines):
    table, outages = five_nines.ledger.outages, five_nines.outages
    seconds = np.bincount(table.outage, table.end - table.start)
    assert len(seconds) == len(outages) > 300
    assert seconds == pytest.approx(outages.seconds, abs=0.0011)
    assert (np.diff(table.start) >= 0).all()
    first = np.searchsorted(table.outage, np.arange(len(outages)))
    assert table.start[first] == pytest.approx(outages.start + five_nines.plan.zone.origin, abs=0.0006)
    assert (np.round(table.start * 1000) / 1000 == table.start).all()


def test_a_stream_gives_the_same_ledger_again_and_another_seed_another(five_nines):
    again = ledger_of(five_nines.plan, five_nines.stretch, SEED)
    assert same(again, five_nines.ledger)
    other = ledger_of(five_nines.plan, five_nines.stretch, SEED + 1)
    assert not same(other.outages.detected, again.outages.detected)
    assert same(other.outages.start, again.outages.start)


def test_an_outage_still_open_at_the_end_is_open_in_the_ledger(played):
    run = played(PBX, 1, mtbf="1d", repair="9y")
    assert run.outages.censored_end.tolist() == [True]
    assert np.isposinf(run.ledger.outages.end[-1])
    assert np.isnan(run.ledger.outages.ticket_closed).all()
    assert np.isnan(run.ledger.requests.resolved).all()
    assert np.isfinite(run.ledger.requests.responded).all()


def test_a_stream_without_outages_has_an_empty_ledger(played):
    run = played(PBX, 1, mtbf="900000y")
    assert (len(run.outages), len(run.ledger.outages), len(run.ledger.requests)) == (0, 0, 0)
    assert same(parse_ledger(ledger_text(run.ledger)), run.ledger)
    assert outages_text(run.ledger).count("\n") == 1


# ---- whose matter


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_cause_is_somebodys(file):
    scenario = load_scenario(file)
    tables = build(scenario)
    named = {mode.cause for unit in tables.units for mode in unit.modes}
    named |= {unit.calendar.cause for unit in tables.units if unit.calendar}
    named |= {change.cause for change in tables.changes}
    usual = {carrier.name for carrier in scenario.carriers}
    if scenario.path is not None:
        usual |= {"mobile", *(name for name, _ in scenario.path.segments)}
    assert named | usual == set(blames_of(scenario))


def test_causes_are_the_providers_the_carriers_or_planned():
    blames = blames_of(load_scenario(SCENARIOS / "five-nines.yaml"))
    assert blames["sbc/software"] is blames["east/power"] is Blame.PROVIDER
    assert blames["atlantic/silent"] is blames["docklands-meet-me-room/silent"] is Blame.CARRIER
    assert blames["atlantic/maintenance"] is blames["sbc-upgrade"] is Blame.MAINTENANCE


def test_a_shared_risk_that_takes_something_of_ours_is_ours_unless_it_says_otherwise():
    risk = "{name: building, mode: silent, takes: [atlantic, east], mtbf: 3y, repair: 1h%s}"
    found = [
        blames_of(load_scenario(SCENARIOS / "five-nines.yaml", [f"shared_risks=[{risk % more}]"]))
        for more in ("", ", blame: force_majeure")
    ]
    assert [blames["building/silent"] for blames in found] == [Blame.PROVIDER, Blame.FORCE_MAJEURE]


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("platform.sites.east.failures.power", "east/power"),
        ("platform.groups.sbc.failures.hardware", "sbc/hardware"),
        ("carriers.atlantic.failures.silent", "atlantic/silent"),
        ("carriers.atlantic.failures.maintenance", "atlantic/maintenance"),
    ],
)
def test_a_failure_can_say_whose_matter_it_is(place, cause):
    scenario = load_scenario(SCENARIOS / "five-nines.yaml", [f"{place}.blame=third_party"])
    assert blames_of(scenario)[cause] is Blame.THIRD_PARTY


def test_a_carriers_failures_and_its_maintenance_are_told_apart(played):
    run = played(CARRIER)
    table = run.ledger.outages
    planned = np.array([run.blames(row) == {Blame.MAINTENANCE} for row in range(len(table))])
    failed = np.array([run.blames(row) == {Blame.CARRIER} for row in range(len(table))])
    assert planned.sum() > 100
    assert failed.sum() > 80
    alone = planned & (table.end - table.start == 45 * 60)
    assert alone.sum() > 100
    assert (table.notice_given[alone] == table.start[alone] - 7 * DAY).all()
    assert np.isnan(table.notice_given[failed]).all()
    assert "notice_given" in run.ledger.known
    assert not run.ledger.notifies


CHANGE = (
    '  changes: [{name: upgrade, every: 30d, window: "Sun 02:00-04:00", takes: pbx, notice: 5d, lasts: %s,'
    " one_at_a_time: %s%s}]"
)
WRONG = ", goes_wrong: 40%, rollback: 20m"


@pytest.mark.parametrize("one_at_a_time", ["true", "false"])
def test_a_change_that_goes_wrong_is_planned_until_its_planned_end(played, one_at_a_time):
    run = played(PBX, mtbf="900y", changes=CHANGE % ("25m", one_at_a_time, WRONG))
    table = run.ledger.outages
    planned = np.array([run.blames(row) == {Blame.MAINTENANCE} for row in range(len(table))])
    length = table.end - table.start
    wrong = ~planned
    assert 30 < wrong.sum() < len(table)
    assert (length[wrong] == 20 * 60).all()
    assert (length[planned] == 25 * 60).all()
    assert same(table.start[1:][wrong[1:]], table.end[:-1][wrong[1:]])
    assert (table.notice_given[planned] <= table.start[planned] - 5 * DAY).all()
    assert np.isnan(table.notice_given[wrong]).all()
    assert not any("goes wrong" in text for text in assumptions_of(run.scenario))


def test_a_change_whose_planned_time_is_not_fixed_is_planned_to_its_end_and_that_is_said(played):
    change = CHANGE % ("{median: 25m, p95: 26m}", "false", WRONG)
    run = played(PBX, 3, mtbf="900y", changes=change)
    assert all(run.blames(row) == {Blame.MAINTENANCE} for row in range(len(run.ledger.outages)))
    assert any("goes wrong counts as planned work" in text for text in assumptions_of(run.scenario))


# ---- who knew


def test_tickets_follow_the_stages_of_what_opened_the_outage(played):
    run = played(PBX)
    table = run.ledger.outages
    alone = np.isclose(table.end - table.start, 72 * 60, atol=0.002)
    assert alone.sum() > 100
    assert (table.detected - table.start)[alone] == pytest.approx(120.0, abs=0.002)
    assert same(table.ticket_opened, table.detected)
    assert same(table.ticket_closed[alone], table.end[alone])
    assert {"detected", "ticket_opened", "ticket_closed"} <= run.ledger.known
    tickets = run.ledger.requests
    assert len(tickets) == len(run.outages)
    assert (set(tickets.kind), tickets.priorities, tickets.kinds) == ({Kind.TICKET}, ("P1",), (Kind.TICKET,))
    steady = np.isclose(tickets.resolved - tickets.opened, 70 * 60, atol=0.002)
    assert (tickets.responded - tickets.opened)[steady] == pytest.approx(600.0, abs=0.002)


def test_nobody_knows_of_what_is_over_before(played):
    run = played(PBX.replace("{time: %(repair)s}", "90s"))
    assert len(run.ledger.outages) > 100
    assert np.isnan(run.ledger.outages.ticket_opened).all()
    assert len(run.ledger.requests) == 0
    assert run.ledger.requests.kinds == (Kind.TICKET,)


def test_planned_work_needs_no_ticket(played):
    run = played(PBX, mtbf="900y", changes=CHANGE % ("25m", "false", ""))
    assert len(run.ledger.outages) > 100
    assert same(run.ledger.outages.detected, run.ledger.outages.start)
    assert np.isnan(run.ledger.outages.ticket_opened).all()


def test_customers_are_told_when_the_scenario_says_so(played):
    run = played(PBX, more="  notify: 8m")
    table = run.ledger.outages
    assert run.ledger.notifies
    assert "notice_given" in run.ledger.known
    assert (table.notice_given - table.detected) == pytest.approx(480.0, abs=0.002)


def test_without_support_nobody_knows_anything(played):
    run = played(CARRIER)
    assert run.ledger.known == {"failing", "notice_given"}
    assert run.ledger.requests is None
    assert np.isnan(run.ledger.outages.detected).all()


# ---- calls


def test_the_calls_are_the_streams(five_nines):
    calls, timeline = five_nines.ledger.calls, five_nines.stretch.timeline
    assert (calls.conditions, calls.timezone) == (timeline.conditions, "Europe/London")
    assert same(calls.condition, timeline.condition)
    assert calls.start - five_nines.plan.zone.origin == pytest.approx(timeline.start, abs=0.0006)
    assert calls.calls_per_hour.max() == 1800
    assert calls.seed[:2] == (SEED, 0)


def test_failing_calls_are_a_mean_over_the_calls_offered(five_nines):
    """Five hours across Monday 08:00: 20 % of the calls fail before, all of them after."""
    failing = np.full(168, 0.2)
    failing[8:] = 1.0
    monday = 4 * DAY  # 2026-01-05
    start, end = monday + 6 * HOUR, monday + 11 * HOUR
    one = np.ones(1, dtype=np.int32)
    timeline = Timeline(
        length=365 * DAY,
        start=np.array([start]),
        end=np.array([end]),
        condition=one,
        causes=one,
        opener=-one,
        closer=-one,
        closed_by=one * ClosedBy.REPAIR,
        conditions=(Condition("nominal", np.zeros(168)), Condition("busy", failing)),
        cause_sets=((), ("atlantic/silent",)),
    )
    nothing = np.empty(0, dtype=np.int32)
    incidents = Incidents(
        nothing, nothing, np.empty(0), np.empty(0), np.zeros(1, dtype=np.int32), nothing, np.empty(0)
    )
    zone = five_nines.plan.zone
    outages = find_outages(timeline, incidents, zone, DownRule(0.05))
    ledger = ledger_of(five_nines.plan, Stretch(0, 1, timeline, incidents, outages), SEED)
    calls = np.array(five_nines.plan.calls_per_hour)
    wanted = (0.2 * calls[6:8].sum() + calls[8:11].sum()) / calls[6:11].sum()
    assert ledger.outages.failing == pytest.approx([wanted])
    assert 0.5 < wanted < 1


# ---- a part of it


def test_a_year_of_calls_has_its_conditions(five_nines):
    bounds = five_nines.ledger.start + five_nines.plan.zone.year_starts(2)
    year = five_nines.ledger.between(*bounds.tolist()[:2])
    whole, calls = five_nines.ledger.calls, year.calls
    assert calls.conditions[0] is whole.conditions[0]
    assert 1 < len(calls.conditions) < len(whole.conditions)
    rows = len(calls.start)
    assert [calls.conditions[n] for n in calls.condition] == [
        whole.conditions[n] for n in whole.condition[:rows]
    ]
    assert calls.end.max() <= year.end


def test_an_exported_year_is_the_same_as_csv_and_the_whole_ledger_as_json(five_nines, tmp_path):
    bounds = five_nines.ledger.start + five_nines.plan.zone.year_starts(8)
    year = five_nines.ledger.between(*bounds.tolist()[6:8])
    file = tmp_path / "year.csv"
    file.write_text(outages_text(year, "Europe/London"), encoding="utf-8")
    again, warnings = read_outages(file, (year.start, year.end))
    assert warnings == []
    assert again.scopes == {CORE_VOICE}
    assert again.known == year.known - {"detected"}
    for name in ("start", "end", "failing", "ticket_opened", "ticket_closed", "notice_given"):
        assert same(getattr(again.outages, name), getattr(year.outages, name))
    assert [again.outages.cause_sets[n] for n in again.outages.causes] == [
        year.outages.cause_sets[n] for n in year.outages.causes
    ]
    assert same(parse_ledger(ledger_text(year)), year)
