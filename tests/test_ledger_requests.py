"""Requests of simulated streams: how often they come, when they are answered."""

import numpy as np
import pytest
from ledger_cases import same
from ledger_plays import PBX, SCENARIOS, SEED, play
from scipy import stats

from callsim.ledgers.stream import customer_ledger
from callsim.scenario.load import load_scenario
from carriers.calendars import DAY, HOUR, WEEK, Zone
from carriers.hours import parse_hours
from results.ledger import Kind
from results.open_time import OpenTime

REQUESTS = """\
  requests:
    - {kind: ticket, priority: P3, every: 2d, respond: 2h, resolve: 6h, hours: "Mon-Fri 09:00-17:00",
       waits_for_customer: 3h}
    - {kind: change, every: 5d, resolve: {exponential: 1d}}
    - {kind: defect, priority: S2, every: 30d, resolve: 20d}
"""
CUSTOMERS = """\
customers:
  - {name: acme, users: 120, fee: 4200/month, handsets: {count: 120, mtbf: 12y, exchange: 2d}}
  - {name: bolt, users: 30}
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    return play(tmp_path_factory.mktemp("asked"), PBX.replace("sla:", f"{CUSTOMERS}sla:"), 40, more=REQUESTS)


@pytest.mark.parametrize(
    ("kind", "every"), [(Kind.TICKET, 2 * DAY), (Kind.CHANGE, 5 * DAY), (Kind.DEFECT, 30 * DAY)]
)
def test_requests_come_as_often_as_they_should(asked, kind, every):
    requests, seconds = asked.ledger.requests, asked.ledger.end - asked.ledger.start
    mine = requests.kind == kind
    if kind is Kind.TICKET:
        mine &= requests.priority == requests.priorities.index("P3")
    low, high = stats.poisson.interval(0.999, seconds / every)
    assert low <= mine.sum() <= high
    spread = stats.kstest((requests.opened[mine] - asked.ledger.start) / seconds, "uniform")
    assert spread.pvalue > 0.001


def test_requests_are_answered_in_their_hours(asked):
    requests, zone = asked.ledger.requests, asked.plan.zone
    assert requests.kinds == (Kind.TICKET, Kind.CHANGE, Kind.DEFECT)
    assert requests.priorities == ("P1", "P3", "S2")
    assert (np.diff(requests.opened) >= 0).all()
    tickets = (requests.kind == Kind.TICKET) & (requests.priority == 1)
    assert set(requests.waiting[tickets]) == {3 * HOUR}
    office = OpenTime(zone, parse_hours("Mon-Fri 09:00-17:00"))
    opened, responded, resolved = (
        office.before(column[tickets] - zone.origin)
        for column in (requests.opened, requests.responded, requests.resolved)
    )
    assert responded - opened == pytest.approx(2 * HOUR, abs=0.01)
    assert resolved - opened == pytest.approx(9 * HOUR, abs=0.01)
    changes = requests.kind == Kind.CHANGE
    assert np.isnan(requests.responded[changes]).all()
    assert set(requests.priority[changes]) == {-1}
    mean = (requests.resolved - requests.opened)[changes]
    assert stats.ttest_1samp(mean, DAY).pvalue > 0.001


def test_devices_are_those_of_their_customer(asked):
    acme, bolt = (customer_ledger(asked.plan, asked.ledger, name, SEED, 0) for name in ("acme", "bolt"))
    assert (acme.users, bolt.users, asked.ledger.users) == (120.0, 30.0, 150.0)
    assert same(bolt.requests, asked.ledger.requests)
    exchanges = acme.requests.rows(acme.requests.kind == Kind.EXCHANGE)
    assert Kind.EXCHANGE in acme.requests.kinds
    assert len(acme.requests) == len(bolt.requests) + len(exchanges)
    assert exchanges.resolved - exchanges.opened == pytest.approx(2 * DAY, abs=0.002)
    low, high = stats.poisson.interval(0.999, 120 / 12 * 40)
    assert low <= len(exchanges) <= high
    assert same(acme.outages, asked.ledger.outages)


def test_a_year_holds_the_outages_that_touch_it_whole(asked):
    ledger = asked.ledger
    bounds = (ledger.start + asked.plan.zone.year_starts(3)).tolist()
    cut = (float(ledger.outages.start[20] + 1.0), bounds[2])
    year = ledger.between(*cut)
    assert (year.start, year.end) == cut
    touching = (ledger.outages.end > cut[0]) & (ledger.outages.start < cut[1])
    assert touching[20]
    assert same(year.outages.start, ledger.outages.start[touching])
    assert same(year.outages.end, ledger.outages.end[touching])
    assert cut[0] <= year.requests.opened.min() <= year.requests.opened.max() < cut[1]
    with pytest.raises(ValueError, match="must lie in the record"):
        ledger.between(ledger.start - 1.0, ledger.end)


@pytest.mark.parametrize("timezone", ["Europe/London", "America/New_York", "Australia/Sydney", "UTC"])
@pytest.mark.parametrize("hours", ["always", "Mon-Fri 09:00-17:00", "Sat 22:00-Mon 06:00", "Sun 01:30-02:30"])
def test_open_time_is_that_of_the_calendar(timezone, hours):
    rng = np.random.default_rng(SEED)
    zone = Zone(load_scenario(SCENARIOS / "five-nines.yaml").starts, timezone, years=6)
    weekly = parse_hours(hours)
    t, seconds = rng.uniform(0, 5 * 52 * WEEK, 150), rng.exponential(20 * HOUR, 150)
    known = OpenTime(zone, weekly)
    wanted = [zone.add_open_time(weekly, *pair) for pair in zip(t.tolist(), seconds.tolist(), strict=True)]
    found = known.add(t, seconds)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert known.before(found) - known.before(t) == pytest.approx(seconds, abs=1e-5)
