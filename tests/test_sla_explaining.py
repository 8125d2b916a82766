"""The arithmetic of credits in words, as a lawyer reads it."""

import pytest
from sla_cases import GAPPED, TIERS, TWO, down, made, terms_of, year

from sla.explaining import explain


def test_the_arithmetic_is_told_step_by_step():
    terms = terms_of(**TWO, caps={"per_month": "30%"}, claims={"automatic": False, "within": "30d"})
    assert explain(made(terms, down(8), fee=1000.0), 0) == [
        "availability: measured 98.88888889%, promised at least 99.9%: broken.",
        "Whenever it is broken: 20% of the monthly recurring amount.",
        "Credit for availability: 20% of a month's amount.",
        "mttr: measured 8h, promised at most 1h: broken.",
        "Whenever it is broken: 15% of the monthly recurring amount.",
        "Credit for mttr: 15% of a month's amount.",
        "Together 20% + 15% = 35%.",
        "Cap: at most 30% a month, so that 35% becomes 30%.",
        "Due: 30% of 1,000.00 USD = 300.00 USD.",
        "The customer has to claim it by 2026-10-31 00:00 (UTC).",
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"tiers": TIERS}, "Tier below 99%: 25% of the monthly recurring amount."),
        (GAPPED, "95.05% lies in no tier; by the terms such a gap pays nothing."),
        (
            {"linear": {"credit": "5%", "per": "1%"}},
            "Missed by 4.85%: 4.85 steps of 1%, each 5% of the monthly recurring amount.",
        ),
        (
            {"flat": "3 service days"},
            "Whenever it is broken: 3 service days, which is 10% of a month's amount.",
        ),
        (
            {"by_duration": [{"longer_than": "2h", "credit": "10%"}]},
            "An outage of 1d11h38m24s: 10% of the monthly recurring amount.",
        ),
    ],
)
def test_each_form_of_credit_is_told(rule, told):
    terms = terms_of(credits=[{"objective": "availability", **rule}])
    assert told in explain(made(terms, down(720 * 0.0495)), 0)


def test_limits_are_told_where_they_act():
    flat = {"credits": [{"objective": "availability", "flat": "10%"}]}
    told = explain(made(terms_of(**flat, caps={"issued_above": 1.0}), down(8), fee=5.0), 0)
    assert told[-2:] == ["0.50 USD is not above 1.00 USD: no credit is issued.", "No credit is due."]
    capped = made(terms_of(**flat, caps={"per_year": "2%"}), year(1, 3, 5))
    assert explain(capped, 5)[-3] == (
        "Cap: at most 2% of a year's amount in a calendar year; what is left of it is 4% of a month's."
    )
    unpaid = made(terms_of(**flat, claims={"good_standing": True}), down(8), good_standing=False)
    assert explain(unpaid, 0)[-2:] == [
        "The account is not in good standing: nothing is due.",
        "No credit is due.",
    ]
    kept = made(terms_of(**flat), down(0.1))
    assert explain(kept, 0)[-1] == "No credit is due."
    assert explain(made(terms_of(), down(8)), 0) == ["The terms promise no credit."]
