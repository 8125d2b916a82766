"""Which windows keep a promise, at its very edge."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from carriers.calendars import DAY, HOUR, Zone
from results.ledger import CORE_VOICE, Blame, Cause, Ledger, outage_table
from sla.assess import assess
from sla.objectives import Availability, Downtime, Mtbf, Mttr
from sla.terms import Measured, Terms

ZONE = Zone(dt.date(2026, 1, 1), "Europe/London", years=3)
JANUARY = 31 * DAY
PROMISES = {"availability": Availability, "mttr": Mttr, "mtbf": Mtbf, "downtime": Downtime}


def ledger_of(*spans: tuple[float, float], years: int = 2, length: float | None = None) -> Ledger:
    table = ZONE.origin + np.array(spans, dtype=np.float64).reshape(-1, 2)
    outages = outage_table(table[:, 0], table[:, 1], [(Cause(Blame.PROVIDER),)] * len(table))
    end = ZONE.origin + (length or float(ZONE.year_starts(years)[-1]))
    return Ledger(ZONE.origin, end, outages, frozenset({CORE_VOICE}), frozenset())


def kept(record: Ledger, name: str, target: float, window: str) -> tuple[int, int]:
    bound = "at_least" if name in ("availability", "mtbf") else "at_most"
    objective = PROMISES[name].model_construct(name=name, **{bound: target}, window=window)
    terms = Terms.model_construct(objectives=(objective,), measured=Measured(timezone="Europe/London"))
    (judged,) = assess(terms, record).judged
    return int(judged.met.sum()), len(judged.met)


@pytest.mark.parametrize(
    ("name", "target", "window", "expected"),
    [
        ("downtime", 399.0, "month", (22, 24)),
        ("downtime", 400.0, "month", (23, 24)),
        ("downtime", 1399.0, "year", (1, 2)),
        ("downtime", 1400.0, "year", (2, 2)),
        ("availability", 1 - 1000 / (28 * DAY), "month", (24, 24)),
        ("availability", 1 - 999 / (28 * DAY), "month", (23, 24)),
        ("availability", 1 - 1400 / (365 * DAY), "year", (2, 2)),
        ("availability", 1 - 1399 / (365 * DAY), "year", (1, 2)),
        ("mttr", 200.0, "month", (23, 24)),
        ("mttr", 199.0, "month", (22, 24)),
        ("mttr", 1400 / 3, "year", (2, 2)),
        ("mttr", 1399 / 3, "year", (1, 2)),
        ("mtbf", (JANUARY - 400) / 2, "month", (24, 24)),
        ("mtbf", (JANUARY - 396) / 2, "month", (23, 24)),
        ("mtbf", 121 * DAY, "year", (2, 2)),
        ("mtbf", 122 * DAY, "year", (1, 2)),
    ],
)
def test_windows_that_keep_an_objective(name, target, window, expected):
    """Two outages of 200 s in the first January, one of 1000 s in February; none in the second year."""
    at = JANUARY + 3 * DAY
    record = ledger_of((1000, 1200), (5000, 5200), (at, at + 1000))
    assert kept(record, name, target, window) == expected


def test_windows_that_the_record_cuts_are_not_judged():
    record = ledger_of(length=float(ZONE.month_starts(2)[14] + HOUR))
    assert kept(record, "downtime", 1e-6, "month") == (14, 14)
    assert kept(record, "downtime", 1e-6, "year") == (1, 1)
