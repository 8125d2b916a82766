"""Agreements about how calls sound, and about which calls are failing ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sla_cases import DAY, HOUR, at, made, month, record, terms_of, volumes

from callsim.agreements.terms import load_terms
from carriers.laws import Exponential
from results.ledger import Blame, CallVolumes, Ledger
from results.timeline import Branch, Condition, Heard
from sla.assessment import Judged
from sla.explaining import explain
from sla.windows import windows_of, zone_around

GOLD = Path(__file__).parent.parent / "scenarios" / "slas" / "gold.yaml"
START = at("2026-10-01")
GOOD = Heard(4.2, "MOS-CQE", 0.001, 0.004, 0.110)
POOR = Heard(3.0, "MOS-CQE", 0.06, 0.040, 0.210, spoilt_by="atlantic/poor_audio")
LAN = POOR._replace(spoilt_by="acme/lan/interference")
ONE_WAY = Heard(None, "", 0.0, 0.004, 0.110, one_way=True)
UNRATED = Heard(None, "", 0.02, 0.005, 0.120)
BLAMES = {"atlantic/poor_audio": Blame.CARRIER, "acme/lan/interference": Blame.CUSTOMER}
CONNECTS = Exponential(1.0)
POOR_CALLS = {"name": "poor_calls", "mos_below": 3.6, "at_most": "1%"}


def way(heard: Heard | None, share: float | np.ndarray, **more: object) -> Branch:
    return Branch("atlantic", 1, 0.0, CONNECTS, 60.0, np.full(168, 1.0) * share, heard=heard, **more)


def condition(*branches: Branch, failing: float | None = None) -> Condition:
    """Calls that do not connect in one of these ways do not connect."""
    lost = np.maximum(1.0 - np.sum([branch.share for branch in branches], axis=0), 0.0)
    return Condition("", lost if failing is None else np.full(168, failing), branches, unconnected=lost)


def calls(*rows: tuple[float, float, Condition], nominal: Condition, **more: object) -> CallVolumes:
    """Rows in hours since START."""
    return replace(
        volumes(*((START + a * HOUR, START + b * HOUR, 0.0) for a, b, _ in rows), per_hour=6e6),
        condition=np.arange(1, len(rows) + 1, dtype=np.int32),
        conditions=(nominal, *(condition for _, _, condition in rows)),
        blames=BLAMES,
        **more,
    )


NOMINAL = condition(way(GOOD, 1.0))


def judged(objective: dict[str, object], ledger: Ledger, **parts: object) -> Judged:
    (one,) = made(terms_of(objectives=[objective], **parts), ledger).judged
    return one


def october(*rows: tuple[float, float, Condition], nominal: Condition = NOMINAL) -> Ledger:
    return replace(month(), calls=calls(*rows, nominal=nominal))


def by_the_hour(volumes: CallVolumes, start: float, end: float) -> list[tuple[float, Branch]]:
    """Calls of each branch, adding up the hours of a window that is made of whole hours."""
    zone = zone_around(volumes.timezone, start, end)
    found = []
    for begin in np.arange(start, end, HOUR):
        hour = zone.hour_of_week(begin - zone.origin)
        parts = np.clip(np.minimum(volumes.end, begin + HOUR) - np.maximum(volumes.start, begin), 0, None)
        pieces = [(0, HOUR - parts.sum()), *zip(volumes.condition.tolist(), parts.tolist(), strict=True)]
        for number, seconds in pieces:
            rate = volumes.calls_per_hour[hour] / HOUR * seconds
            found += [(rate * b.share[hour], b) for b in volumes.conditions[number].branches]
    return found


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ({"name": "mos", "at_least": 4.0}, lambda heard: heard.mos),
        (POOR_CALLS, lambda heard: heard.mos < 3.6),
        ({"name": "packet_loss", "at_most": "1%"}, lambda heard: heard.loss),
        ({"name": "jitter", "at_most": "30ms"}, lambda heard: heard.jitter),
        ({"name": "latency", "at_most": "200ms"}, lambda heard: 2 * heard.delay),
        ({"name": "latency", "at_most": "200ms", "direction": "one_way"}, lambda heard: heard.delay),
    ],
)
def test_a_window_sounds_as_its_connected_calls_do(objective, value):
    rng = np.random.default_rng(3)

    def some() -> Condition:
        weight = rng.dirichlet([1, 1, 1, 1], 168).T
        fair = Heard(rng.uniform(3, 4.4), "MOS-CQE", *rng.uniform(0, [0.1, 0.05, 0.3]).tolist())
        ends = [GOOD, POOR, fair, ONE_WAY]
        ways = [way(heard, 0.9 * part) for heard, part in zip(ends, weight, strict=True)]
        return condition(*ways, way(GOOD._replace(mos=3.5), 0.02, inbound=True))

    start, end = at("2026-02-01", "Europe/Berlin"), at("2026-05-01", "Europe/Berlin")
    bounds = np.sort(rng.uniform(start, end, 60))
    found = CallVolumes(
        timezone="Europe/Berlin",
        calls_per_hour=rng.uniform(10, 1000, 168),
        start=bounds[::2],
        end=bounds[1::2],
        condition=rng.integers(0, 4, 30).astype(np.int32),
        conditions=(some(), some(), some(), some()),
        seed=(1,),
    )
    one = judged(objective, record(start=start, end=end, calls=found), measured={"timezone": "Europe/Berlin"})
    windows = windows_of("calendar_month", "Europe/Berlin", start, end)
    expected = []
    for a, b in zip(windows.start.tolist(), windows.end.tolist(), strict=True):
        told = [(n, branch.heard) for n, branch in by_the_hour(found, a, b) if not branch.heard.one_way]
        expected.append(sum(n * value(heard) for n, heard in told) / sum(n for n, _ in told))
    assert one.actual == pytest.approx(expected, rel=1e-9)
    assert len(expected) == 3


def test_narrowband_and_wideband_are_not_mixed():
    wide = Heard(4.4, "MOS-CQEW", 0.0, 0.0, 0.1)
    both = condition(way(GOOD, 0.5), way(wide._replace(mos=3.0), 0.5))
    ledger = record(
        start=START,
        end=at("2026-12-01"),
        calls=calls((0, 10, both), nominal=condition(way(wide, 1.0))),
    )
    assert judged({"name": "mos", "at_least": 4.0}, ledger).actual == pytest.approx([4.2, 4.4])
    assert judged(POOR_CALLS, ledger).actual == pytest.approx([5 / 744, 0])


def test_poor_calls_are_credited_as_gold_has_it():
    gold = load_terms(GOLD)
    bad = condition(way(GOOD, 0.5), way(POOR, 0.5))
    for hours, due in ((14.8, 0.0), (15, 0.1)):  # half of 14.88 h is 1 % of the month
        found = made(gold, october((1, 1 + hours, bad)))
        one = next(one for one in found.judged if one.objective.name == "poor_calls")
        assert one.actual == pytest.approx([hours / 2 / 744])
        assert found.credits.due.tolist() == [due]
        told = " ".join(explain(found, 0))
        assert ("Tier above 1%: 10% of the monthly recurring amount" in told) == bool(due)


def test_excluded_time_is_left_out_of_what_is_heard():
    bad = condition(way(POOR, 0.5))
    ledger = replace(october((24, 48, bad)), outages=month((24, 36, "maintenance")).outages)
    parts = {"excludes": [{"cause": "maintenance"}]}
    assert judged(POOR_CALLS, ledger).actual == pytest.approx([12 / (720 + 12)])
    assert judged(POOR_CALLS, ledger, **parts).actual == pytest.approx([6 / (720 + 6)])
    up = judged(POOR_CALLS, ledger, **parts, excluded_time="counts_as_up")
    assert up.actual == pytest.approx([6 / (720 + 12)])
    mean = judged({"name": "mos", "at_least": 4}, ledger, **parts, excluded_time="counts_as_up")
    assert mean.actual == pytest.approx([(720 * 4.2 + 6 * 3.0) / 726])


def test_calls_that_an_excluded_cause_spoils_are_left_out_or_good():
    bad = condition(way(GOOD, 0.4), way(POOR, 0.2), way(LAN, 0.4))
    ledger = october((0, 74.4, bad))
    plain = [{"cause": "customer"}]
    assert judged(POOR_CALLS, ledger).actual == pytest.approx([0.06])
    assert judged(POOR_CALLS, ledger, excludes=plain).actual == pytest.approx([0.02 / 0.96])
    up = judged(POOR_CALLS, ledger, excludes=plain, excluded_time="counts_as_up")
    assert up.actual == pytest.approx([0.02])
    loss = judged({"name": "packet_loss", "at_most": "1%"}, ledger, excludes=plain)
    assert loss.actual == pytest.approx([(0.94 * 0.001 + 0.02 * 0.06) / 0.96])
    for condition_ in ({"notice": "1d"}, {"hours": "Mon-Sun 00:00-24:00"}, {"quota": "12h/year"}):
        hedged = judged(POOR_CALLS, ledger, excludes=[{"cause": "customer", **condition_}])
        assert hedged.actual == pytest.approx([0.06])


@pytest.mark.parametrize(
    ("objective", "why"),
    [
        ({"name": "mos", "at_least": 4.0}, "the record has no voice quality (MOS)"),
        (POOR_CALLS, "the record has no voice quality (MOS)"),
        ({"name": "packet_loss", "at_most": "1%"}, "the record has no packet loss"),
        ({"name": "latency", "at_most": "200ms"}, "the record has no latency"),
        ({"name": "jitter", "at_most": "30ms"}, "the record has no jitter"),
    ],
)
def test_what_was_not_heard_is_not_assessed(objective, why):
    silent = october(nominal=condition(way(None, 0.5), way(ONE_WAY, 0.5)))
    for ledger in (month(), silent):
        assert judged(objective, ledger).not_assessed == why
    unrated = judged(objective, october(nominal=condition(way(UNRATED, 1.0))))
    assert (unrated.not_assessed == why) == ("MOS" in why)
    elsewhere = judged({**objective, "scope": "portal"}, october())
    assert elsewhere.not_assessed == "the record has no calls of portal"


def test_a_window_in_which_nothing_connects_keeps_its_quality():
    dead = condition(failing=1.0)
    one = judged(POOR_CALLS, october((0, 744, dead)))
    assert (np.isnan(one.actual).tolist(), one.met.tolist()) == ([True], [True])


def test_a_tenth_of_a_millisecond_of_jitter_is_a_breach():
    late = GOOD._replace(jitter=0.03005)
    one = judged({"name": "jitter", "at_most": "30ms"}, october(nominal=condition(way(late, 1.0))))
    assert one.met.tolist() == [False]


# ---- failing calls


ERROR_RATE = {"by": "error_rate", "over": "1m", "down_above": "5%", "at_least": "10 attempts"}
SPOILT = condition(
    way(GOOD, 0.5),
    way(ONE_WAY, 0.2, carrier_fault="atlantic/poor_audio"),
    way(POOR, 0.1),
    way(LAN, 0.17),
    failing=0.2,
)
KINDS = ["not_connected", "one_way_audio", "poor_audio"]


@pytest.mark.parametrize(
    ("kinds", "failing", "excused"),
    [
        (KINDS[:1], 0.03, 0.0),
        (KINDS[:2], 0.23, 0.2),
        (KINDS[1:], 0.47, 0.3),
        (KINDS, 0.50, 0.3),
    ],
)
def test_the_contract_says_which_calls_fail(kinds, failing, excused):
    measured = {"by": "call_success", "failing": kinds}
    ledger = october((0, 744, SPOILT))
    found = made(terms_of(measured=measured), ledger)
    assert found.availability.eligible == pytest.approx([1 - failing])
    # What callers met is by the scenario's own rule.
    assert found.availability.gross == pytest.approx([0.8])
    assert not found.not_assessed
    carriers = {"measured": measured, "excludes": [{"cause": "carrier"}]}
    left = made(terms_of(**carriers), ledger).availability.eligible
    assert left == pytest.approx([1 - (failing - excused) / (1 - excused)])
    up = made(terms_of(**carriers, excluded_time="counts_as_up"), ledger).availability.eligible
    assert up == pytest.approx([1 - failing + excused])
    ner = made(terms_of(measured=measured, objectives=[{"name": "ner", "at_least": "90%"}]), ledger)
    assert ner.judged[0].actual == pytest.approx([0.97])


@pytest.mark.parametrize(
    ("failing", "excludes", "down"),
    [
        (["not_connected"], [], 0),
        (["not_connected", "one_way_audio"], [], 1),
        (["not_connected", "one_way_audio"], [{"cause": "carrier"}], 0),
        (["poor_audio"], [{"cause": "carrier"}], 1),
        (["poor_audio"], [{"cause": "carrier"}, {"cause": "customer"}], 0),
    ],
)
def test_minutes_are_down_by_the_calls_that_the_contract_calls_failing(failing, excludes, down):
    terms = terms_of(measured={**ERROR_RATE, "failing": failing}, excludes=excludes)
    found = made(terms, october((10, 11, SPOILT)))
    assert (found.availability.downtime / HOUR).round(6).tolist() == [down]


def test_poor_calls_are_told_only_where_calls_are_rated():
    terms = terms_of(measured={"by": "call_success", "failing": ["one_way_audio", "poor_audio"]})
    ledger = october(nominal=condition(way(ONE_WAY, 0.5), way(UNRATED, 0.5)))
    note = "Calls with poor_audio: the record does not tell them from good ones."
    assert made(terms, ledger).not_assessed == (note,)


def test_time_is_that_of_the_outages_whatever_calls_sound_like():
    terms = terms_of(measured={"failing": ["one_way_audio", "poor_audio"]})
    found = made(terms, october((10, 11, SPOILT)))
    assert found.availability.eligible.tolist() == [1.0]


# ---- post-dial delay


def test_how_late_calls_to_us_ring_is_not_ours():
    slow = Branch("atlantic", 1, 5.0, CONNECTS, 60.0, np.full(168, 0.5), inbound=True)
    ledger = october(nominal=condition(way(GOOD, 0.5), slow))
    one = judged({"name": "post_dial_delay", "p95_at_most": "6s"}, ledger)
    assert one.actual == pytest.approx([np.log(20)], rel=1e-4)


def test_excluded_time_is_left_out_of_post_dial_delays():
    slow = condition(replace(way(GOOD, 0.5), offset=10.0))
    ledger = replace(october((0, 10 * 24, slow)), outages=month((0, 10 * DAY / HOUR, "maintenance")).outages)
    objective = {"name": "post_dial_delay", "p95_at_most": "6s"}
    assert judged(objective, ledger).actual > 10
    one = judged(objective, ledger, excludes=[{"cause": "maintenance"}])
    assert one.actual == pytest.approx([np.log(20)], rel=1e-4)
