"""Minutes that are down by their counts, against counts drawn minute by minute."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sla_cases import HOUR, NAN, at, made, month, record, terms_of, volumes

from sla.error_rate import down_minutes
from sla.small_samples import chances
from sla.terms import Terms

START, DAYS = at("2026-10-05"), 40
END = START + DAYS * 24 * HOUR
RULE = {"by": "error_rate", "over": "1m", "down_above": "5%", "at_least": "10 attempts"}
HUNGRY = [240.0 if hour % 24 < 8 else 900.0 for hour in range(168)]
"""Four calls a minute at night, mostly too few to tell; 15 by day."""


def terms(**measured: object) -> Terms:
    return terms_of(measured={**RULE, **measured}, objectives=[{"name": "outages", "at_most": 0}])


@pytest.mark.parametrize(
    ("failing", "connecting"),
    [(0.3, 12.0), (1.0, 9.0), (5.0, 5.0), (30.0, 0.0), (0.0, 12.0), (60.0, 1100.0), (2e4, 4e5)],
)
def test_chances_are_those_of_two_poisson_counts(failing, connecting):
    found = chances(np.array([failing]), np.array([connecting]), 0.05, 10)
    # The law of the share given the attempts is binomial: another way to the same sum.
    total = failing + connecting
    spread = 9 * np.sqrt(total) + 40
    attempts = np.arange(max(10, int(total - spread)), int(total + spread))
    failed = np.floor(attempts * 0.05 + 1e-9)
    exact = (stats.poisson.pmf(attempts, total) * stats.binom.sf(failed, attempts, failing / total)).sum()
    assert found.down[0] == pytest.approx(exact, abs=1e-12)
    assert found.quiet[0] == pytest.approx(stats.poisson.cdf(9, total), abs=1e-12)


def reference(rng: np.random.Generator, failing: np.ndarray, rate: np.ndarray) -> int:
    """Minutes down: counts of each are drawn, those with too few attempts are as the one before."""
    failed, good = rng.poisson(failing * rate), rng.poisson((1 - failing) * rate)
    down, state = 0, False
    for lost, all_ in zip(failed.tolist(), (failed + good).tolist(), strict=True):
        state = lost > 0.05 * all_ + 1e-9 if all_ >= 10 else state
        down += state
    return down


@pytest.mark.parametrize("nominal", [0.0, 0.002, 0.03, 0.12])
def test_as_many_minutes_are_down_as_when_every_count_is_drawn(nominal):
    bad = [(START + 9 * HOUR, START + 10.5 * HOUR + 20, 0.04), (START + 7.5 * HOUR, START + 8.2 * HOUR, 1.0)]
    bad += [
        (START + (24 * day + 23.9) * HOUR + 7, START + (24 * day + 24.2) * HOUR, 0.5)
        for day in range(1, DAYS - 1)
    ]
    bad.sort()
    failing = np.full(DAYS * 1440, nominal)
    minute = START + 60.0 * np.arange(DAYS * 1440)
    for start, end, share in bad:
        part = np.clip((np.minimum(end, minute + 60) - np.maximum(start, minute)) / 60, 0, 1)
        failing += part * (share - nominal)
    rate = np.tile(np.repeat(np.array(HUNGRY[:24]) / 60, 60), DAYS)
    rng = np.random.default_rng(5)
    expected = [reference(rng, failing, rate) for _ in range(40)]
    calls = volumes(*bad, per_hour=HUNGRY, nominal=nominal)
    found = []
    for seed in range(40):
        down = down_minutes(terms().measured, replace(calls, seed=(seed,)), START, END).down
        found.append((down.end - down.start).sum() / 60)
    error = np.sqrt((np.var(expected) + np.var(found)) / 40)
    assert abs(np.mean(found) - np.mean(expected)) < 4 * error
    assert 0.5 < np.std(found) / np.std(expected) < 2


def test_a_ledger_always_gives_the_same():
    ledger = record(start=START, end=END, calls=volumes((START, START + HOUR, 0.06)))
    first, second = made(terms(), ledger), made(terms(), ledger)
    assert first.downtime.counted.start.tolist() == second.downtime.counted.start.tolist()
    other = made(terms(), replace(ledger, calls=volumes((START, START + HOUR, 0.06), seed=2)))
    assert first.downtime.counted.start.tolist() != other.downtime.counted.start.tolist()


def lost(start: float, end: float, cause: str = "provider", **more: object):
    """All calls of a stretch are lost, and the record has the outage; ten calls a second."""
    whole = month((start, end, cause))
    calls = volumes((START_OF_MONTH + start * HOUR, START_OF_MONTH + end * HOUR, 1.0), per_hour=36000.0)
    return replace(whole, calls=calls)


START_OF_MONTH = at("2026-10-01")


def test_minutes_are_whole_and_partial_ones_are_kept_or_dropped():
    ledger = lost(10 + 20 / 3600, 10 + 5 / 60 + 30 / 3600)
    kept, dropped = (made(terms(partial=how), ledger).downtime.eligible for how in ("kept", "dropped"))
    assert ((kept.start - START_OF_MONTH) / 60).tolist() == [600]
    assert ((kept.end - START_OF_MONTH) / 60).tolist() == [606]
    assert ((dropped.start - START_OF_MONTH) / 60).tolist() == [601]
    assert ((dropped.end - START_OF_MONTH) / 60).tolist() == [605]


def test_a_down_minute_is_excluded_with_the_outage_that_overlaps_it():
    ledger = lost(10 + 20 / 3600, 10.5 + 20 / 3600, "customer")
    excluding = terms_of(measured=RULE, excludes=[{"cause": "customer"}])
    down = made(excluding, ledger).downtime
    assert (down.excluded.end - down.excluded.start).tolist() == [31 * 60]
    assert not len(down.eligible.start)
    unexplained = replace(ledger, outages=month().outages)
    assert (made(excluding, unexplained).availability.downtime / 60).tolist() == [31]


def test_quiet_minutes_are_as_the_one_before_and_have_its_cause():
    # The last calls of the day are lost to the customer's own fault, and nobody calls before eight.
    rate = [0.0 if hour % 24 < 8 else 36000.0 for hour in range(168)]
    ledger = replace(
        month((23.5, 24, "customer")),
        calls=volumes((START_OF_MONTH + 23.5 * HOUR, START_OF_MONTH + 24 * HOUR, 1.0), per_hour=rate),
    )
    excluding = terms_of(measured=RULE, excludes=[{"cause": "customer"}])
    down = made(excluding, ledger).downtime
    assert ((down.excluded.end - down.excluded.start) / HOUR).tolist() == [8.5]
    assert not len(down.eligible.start)


def test_minutes_follow_the_local_clock():
    zone = "Asia/Kathmandu"  # five hours and 45 minutes ahead
    start, end = at("2026-10-01", zone), at("2026-11-01", zone)
    bad = (start + 9.5 * HOUR, start + 10.5 * HOUR)
    calls = volumes((*bad, 1.0), per_hour=36000.0, zone=zone)
    ledger = record((*bad, "provider"), start=start, end=end, calls=calls)
    down = made(terms(over="1h", timezone=zone), ledger).downtime.eligible
    assert [(down.start - start).tolist(), (down.end - start).tolist()] == [[9 * HOUR], [11 * HOUR]]


def test_without_counts_the_share_that_fails_decides_and_it_is_said():
    ledger = month(
        (1, 1.51, "provider"), (3, 4, "provider"), (5.005, 6, "provider"), failing=[0.05, 0.06, NAN]
    )
    result = made(terms(partial="dropped"), ledger)
    assert (result.downtime.eligible.start - START_OF_MONTH).tolist() == [3 * HOUR, 5 * HOUR + 60]
    assert result.not_assessed[0].startswith("Counts of attempts: the record has none")


def test_failing_calls_that_the_record_does_not_tell_are_said():
    result = made(terms(failing=["not_connected", "one_way_audio"]), lost(1, 2))
    assert "Calls with one_way_audio: the record does not tell them from good ones." in result.not_assessed


def test_call_success_is_counted_in_calls_and_without_what_is_excluded():
    rate = [1200.0 if hour % 24 >= 12 else 600.0 for hour in range(168)]
    rows = [
        (START_OF_MONTH + 10 * HOUR, START_OF_MONTH + 14 * HOUR, 0.5),
        (START_OF_MONTH + 36 * HOUR, START_OF_MONTH + 37 * HOUR, 1.0),
    ]
    ledger = replace(
        month((10, 14, "provider"), (36, 37, "customer")), calls=volumes(*rows, per_hour=rate, nominal=0.01)
    )
    offered = 31 * 12 * 1800.0
    failed = 0.5 * (2 * 600 + 2 * 1200) + 0.01 * (offered - 3600 - 1200)
    parts = {"measured": {"by": "call_success"}, "excludes": [{"cause": "customer"}]}
    result = made(terms_of(**parts), ledger)
    assert result.availability.gross == pytest.approx([1 - (failed + 1200) / offered])
    assert result.availability.eligible == pytest.approx([1 - failed / (offered - 1200)])
    up = made(terms_of(**parts, excluded_time="counts_as_up"), ledger)
    assert up.availability.eligible == pytest.approx([1 - failed / offered])
    ner = made(terms_of(objectives=[{"name": "ner", "at_least": "99%"}]), ledger).judged[0]
    assert ner.actual == pytest.approx([1 - (failed + 1200) / offered])
    assert not made(terms_of(**parts), replace(ledger, calls=None)).judged[0].met.size
