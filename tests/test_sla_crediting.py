"""Credits: rates, stacking, caps, claims, and the published arithmetic."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sla_cases import DAY, GAPPED, HOUR, NAN, TIERS, TWO, at, down, made, month, record, terms_of, year

from results.ledger import Ledger
from sla.assess import assess
from sla.assessment import Credits
from sla.crediting import GapError
from sla.terms import Terms


def credits_of(
    rule: dict[str, object], ledger: Ledger, customer: dict[str, object] | None = None, **parts: object
) -> Credits:
    terms = terms_of(credits=[{"objective": "availability", **rule}], **parts)
    return made(terms, ledger, **(customer or {})).credits


def due(rule: dict[str, object], hours: float, **parts: object) -> float:
    return float(credits_of(rule, down(hours), **parts).due[0])


@pytest.mark.parametrize(
    ("hours", "share"),
    [(0, 0), (0.72, 0), (0.721, 0.1), (7.2, 0.1), (7.201, 0.25), (36, 0.25), (36.001, 1), (720, 1)],
)
def test_the_worst_tier_that_applies_counts(hours, share):
    assert due({"tiers": TIERS}, hours) == pytest.approx(share)


def test_gaps_pay_what_the_terms_say_of_them():
    hours = 720 * 0.0495  # 95.05 %
    assert due(GAPPED, hours) == 0
    assert due({**GAPPED, "gap_policy": "next_tier"}, hours) == pytest.approx(0.1)
    with pytest.raises(GapError, match=r"availability of 0\.9505 breaks its target and lies in no tier"):
        due({**GAPPED, "gap_policy": "error"}, hours)
    assert due({**GAPPED, "gap_policy": "error"}, 0.5) == 0


def test_tiers_above_are_for_what_should_be_low():
    tiers = [{"above": "1h", "up_to": "2h", "credit": "5%"}, {"above": "3h", "credit": "9%"}]
    terms = terms_of(
        objectives=[{"name": "mttr", "at_most": "1h"}],
        credits=[{"objective": "mttr", "tiers": tiers, "gap_policy": "next_tier"}],
    )
    shares = [float(made(terms, down(hours)).credits.due[0]) for hours in (1, 1.5, 2, 2.5, 3.5)]
    assert shares == pytest.approx([0, 0.05, 0.05, 0.09, 0.09])


@pytest.mark.parametrize(("only_full", "share"), [(False, 0.125), (True, 0.10)])
def test_linear_credits_go_by_steps_missed(only_full, share):
    linear = {"credit": "5%", "per": "1%", "only_full": only_full}
    objectives = [{"name": "availability", "at_least": "99.5%"}]
    assert due({"linear": linear}, 720 * 0.03, objectives=objectives) == pytest.approx(share)
    assert due({"linear": linear}, 720 * 0.025, objectives=objectives) == pytest.approx(0.10)


def test_by_duration_each_outage_is_paid_for_itself():
    steps = [{"up_to": "2h", "credit": "5%"}, {"longer_than": "2h", "credit": "10%"}]
    ledger = month((1, 2, "provider"), (10, 12, "provider"), (20, 23, "provider"))
    assert credits_of({"by_duration": steps}, ledger).due == pytest.approx([0.20])


def test_by_duration_the_best_paid_step_counts_where_several_apply():
    steps = [{"longer_than": "2h", "credit": "10%"}, {"longer_than": "1h", "credit": "5%"}]
    for order in (steps, steps[::-1]):
        assert due({"by_duration": order}, 3) == pytest.approx(0.10)


def test_service_days_are_days_of_the_month():
    assert due({"flat": "3 service days"}, 8) == pytest.approx(3 / 30)
    leap = month((1, 9, "provider"), name="2028-02")
    assert credits_of({"flat": "3 service days"}, leap).due == pytest.approx([3 / 29])
    autumn = month((1, 9, "provider"), name="2026-10", zone="Europe/Berlin")
    parts = {"measured": {"timezone": "Europe/Berlin"}}
    assert credits_of({"flat": "3 service days"}, autumn, **parts).due == pytest.approx([3 / 31])


def test_money_and_units_need_their_worth():
    assert credits_of({"flat": "20 USD"}, down(8), {"fee": 400.0}).due == pytest.approx([0.05])
    assert due({"flat": "4 units"}, 8, caps={"unit_worth": "2%"}) == pytest.approx(0.08)
    terms = terms_of(
        credits=[
            {"objective": "availability", "flat": "20 USD"},
            {"objective": "availability", "flat": "4 units"},
        ]
    )
    result = made(terms, down(8))
    assert result.credits.due.tolist() == [0]
    assert result.not_assessed == (
        "Credits of 20 USD: the customer's fee is not known.",
        "Credits in units: the terms do not say what a unit is worth.",
    )


def test_other_bases_are_turned_into_the_terms_own():
    rule = {"tiers": [{"below": "99%", "credit": "50%", "base": "usage"}]}
    assert credits_of(rule, down(8), {"fee": 400.0, "fees": {"usage": 200.0}}).due == pytest.approx([0.25])
    result = made(terms_of(credits=[{"objective": "availability", **rule}]), down(8), fee=400.0)
    assert result.credits.due.tolist() == [0]
    assert result.not_assessed == (
        "Credits that are a share of usage: its amount, or the fee, is not known.",
    )


def test_tiers_and_rules_may_require_something_of_the_customer():
    tiers = [{"below": "99.9%", "credit": "10%", "requires": "review"}, {"below": "99%", "credit": "5%"}]
    assert due({"tiers": tiers}, 8) == pytest.approx(0.05)
    assert credits_of({"tiers": tiers}, down(8), {"has": frozenset({"review"})}).due == pytest.approx([0.1])
    assert due({"flat": "5%", "requires": "review"}, 8) == 0


def test_only_the_users_who_were_affected_are_paid():
    ledger = month((1, 9, "provider"), (20, 21, "provider"), affected_users=[30, 20], users=100.0)
    assert credits_of({"flat": "10%", "per_affected_user": True}, ledger).due == pytest.approx([0.03])
    terms = terms_of(credits=[{"objective": "availability", "flat": "10%", "per_affected_user": True}])
    result = made(terms, down(8))
    assert result.credits.due == pytest.approx([0.1])
    assert result.not_assessed[0].startswith("Credits by affected user: ")


@pytest.mark.parametrize(
    ("caps", "share"),
    [
        ({}, 0.35),
        ({"stacking": "highest"}, 0.2),
        ({"per_month": "30%"}, 0.3),
        ({"per_month": "30%", "stacking": "highest"}, 0.2),
    ],
)
def test_stacking_then_the_cap(caps, share):
    result = made(terms_of(**TWO, caps=caps), down(8))
    assert result.credits.by_rule[:, 0].tolist() == [0.2, 0.15]
    assert result.credits.due == pytest.approx([share])


def test_a_years_cap_is_used_up_in_order_and_begins_anew():
    caps = {"per_year": "2%"}  # of twelve months' fee: 24 % of one
    found = credits_of({"flat": "10%"}, year(1, 3, 5, 7, 12, years=2), caps=caps).due
    assert found[[1, 3, 5, 7, 12]] == pytest.approx([0.1, 0.1, 0.04, 0, 0.1])


def test_a_credit_is_issued_only_above_the_minimum():
    for fee, share in ((10.0, 0.0), (10.01, 0.1)):
        found = credits_of({"flat": "10%"}, down(8), {"fee": fee}, caps={"issued_above": 1.0})
        assert found.due == pytest.approx([share])
    # What is not issued does not use up a cap.
    parts = {"caps": {"issued_above": 1.0, "per_year": "1%"}}
    rule = {"tiers": [{"below": "99.9%", "credit": "2%"}, {"below": "98%", "credit": "12%"}]}
    both = [(at("2026-01-10"), 8), (at("2026-02-10"), 24)]
    rows = ((begin, begin + hours * HOUR, "provider") for begin, hours in both)
    ledger = record(*rows, start=at("2026-01-01"), end=at("2027-01-01"))
    assert credits_of(rule, ledger, {"fee": 10.0}, **parts).due[:2] == pytest.approx([0, 0.12])


def test_a_longer_window_pays_a_share_of_all_of_its_months_where_it_ends():
    objectives = [{"name": "availability", "window": "quarter", "at_least": "99.9%"}]
    found = credits_of({"flat": "10%", "window": "quarter"}, year(1), objectives=objectives).due
    assert found[[0, 1, 2, 3]] == pytest.approx([0, 0, 0.3, 0])
    yearly = {"measured": {"window": "year"}, "caps": {"per_month": "50%"}}
    assert credits_of({"flat": "60%"}, year(1, hours=90.0), **yearly).due == pytest.approx([6.0])


def test_chronic_months_in_a_row_or_out_of_many():
    ledger = year(1, 3, 4, 5, 10)
    for months, of, when in ((3, 3, [5]), (3, 12, [4, 5, 10]), (2, 3, [3, 4, 5])):
        chronic = {"months": months, "of": of}
        assert np.flatnonzero(made(terms_of(chronic=chronic), ledger).credits.chronic).tolist() == when
    chronic = {"months": 3, "of": 3, "then": "credit", "credit": "50%"}
    found = credits_of({"flat": "10%"}, ledger, chronic=chronic).due
    assert found[[4, 5, 10]] == pytest.approx([0.1, 0.6, 0.1])


def test_a_bonus_is_for_what_is_better_than_its_level():
    bonus = [{"objective": "availability", "better_than": "99.99%", "bonus": "2%"}]
    found = made(terms_of(bonus=bonus), year(1, hours=0.1)).credits.bonus
    assert found == pytest.approx([0.02, 0] + [0.02] * 10)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"automatic": False, "within": "30d"}, at("2026-10-01") + 30 * DAY),
        ({"automatic": False, "within": "30d", "after": "incident"}, at("2026-09-01") + 18 * HOUR + 30 * DAY),
        ({"automatic": False}, NAN),
        ({}, NAN),
    ],
)
def test_claims_have_a_deadline(claims, expected):
    assert credits_of({"flat": "10%"}, down(8), claims=claims).claim_by.tolist() == pytest.approx(
        [expected], nan_ok=True
    )


def test_kc_voips_own_example_pays_17_50():
    # The rule is assumed, the example is theirs: 350 USD, 99.5 % promised, 99.2 % measured.
    objectives = [{"name": "availability", "at_least": "99.5%"}]
    rule = {"tiers": [{"below": "99.5%", "credit": "5%"}]}
    found = credits_of(rule, down(720 * 0.008), {"fee": 350.0}, objectives=objectives)
    assert found.amount == pytest.approx([17.50])
    assert found.windows.kind == "month"


def renewal(mttr: float, mtbf: float, years: int, seed: int) -> Ledger:
    """Exponential up and down times, in seconds, from equilibrium."""
    rng = np.random.default_rng(seed)
    start, end = at("2026-01-01"), dt.datetime(2026 + years, 1, 1, tzinfo=dt.UTC).timestamp()
    many = int((end - start) / mtbf * 1.5 + 50)
    up, length = rng.exponential(mtbf, many), rng.exponential(mttr, many)
    begin = start + np.cumsum(up + length) - length
    if rng.random() < mttr / (mttr + mtbf):
        begin = np.append(begin + length[0], start)
    begin, length = np.round(begin, 3), np.round(length, 3)
    inside = begin < end
    rows = zip(
        begin[inside], (begin + length[: len(begin)])[inside], ["provider"] * inside.sum(), strict=True
    )
    return record(*rows, start=start, end=end)


MONEY = [
    (
        "43200m",
        0.9999,
        30 * 60.0,
        [(99.99, 10), (99.9, 25), (99.0, 50), (95.0, 100)],
        0.017002,
        0.25,
        0.117382,
    ),
    ("730h", 2000 / 2002, 2 * HOUR, [(99.95, 10)], 0.026335, 0.1, 0.26335),
]


@pytest.mark.parametrize(("length", "up", "mttr", "tiers", "mean", "var99", "breached"), MONEY)
def test_mean_credit_and_value_at_risk_are_the_exact_ones(length, up, mttr, tiers, mean, var99, breached):
    terms = terms_of(
        measured={"window": {"fixed": length}},
        objectives=[{"name": "availability", "at_least": f"{tiers[0][0]}%"}],
        credits=[
            {"objective": "availability", "tiers": [{"below": f"{b}%", "credit": f"{c}%"} for b, c in tiers]}
        ],
    )
    results = [assess(terms, renewal(mttr, mttr * up / (1 - up), 300, seed)) for seed in range(8)]
    paid = np.concatenate([result.credits.due for result in results])
    error = paid.std() / np.sqrt(len(paid))
    assert abs(paid.mean() - mean) < 4 * error
    assert np.sort(paid)[int(np.ceil(0.99 * len(paid))) - 1] == pytest.approx(var99)
    broken = np.concatenate([~result.judged[0].met for result in results])
    assert abs(broken.mean() - breached) < 4 * np.sqrt(breached / len(broken))


@st.composite
def agreements(draw: st.DrawFn, restoring: bool = True) -> Terms:
    levels = sorted(draw(st.sets(st.sampled_from([99.9, 99.5, 99.0, 98.0, 95.0]), min_size=1)), reverse=True)
    shares = sorted(draw(st.lists(st.integers(1, 60), min_size=len(levels), max_size=len(levels))))
    availability = draw(st.sampled_from([
        {"tiers": [{"below": f"{b}%", "credit": f"{c}%"} for b, c in zip(levels, shares, strict=True)]},
        {"linear": {"credit": "7%", "per": "0.5%"}},
        {"linear": {"credit": "7%", "per": "0.5%", "only_full": True}},
        {"flat": "3 service days"},
    ]))  # fmt: skip
    caps = draw(
        st.sampled_from(
            [{}, {"per_month": "20%"}, {"per_year": "2%"}, {"per_month": "10%", "per_year": "1%"}]
        )
    )
    by_duration = [{"longer_than": "1h", "credit": "5%"}, {"longer_than": "4h", "credit": "15%"}]
    second = [{"objective": "time_to_restore", "by_duration": by_duration}] if restoring else []
    return terms_of(
        objectives=[
            {"name": "availability", "at_least": "99.9%"},
            {"name": "time_to_restore", "at_most": "1h"},
        ],
        credits=[{"objective": "availability", **availability}, *second],
        caps={**caps, "stacking": draw(st.sampled_from(["highest", "sum"]))},
    )


OUTAGES = st.lists(st.tuples(st.integers(0, 8700), st.floats(0.1, 30)), max_size=12)


def year_of(rows: list[tuple[int, float]]) -> Ledger:
    start = at("2026-01-01")
    return record(
        *((start + a * HOUR, start + (a + b) * HOUR, "provider") for a, b in rows),
        start=start,
        end=at("2027-01-01"),
    )


@settings(max_examples=100, deadline=None)
@given(agreements(), OUTAGES)
def test_credits_are_never_negative_and_never_over_the_cap(terms, rows):
    found = made(terms, year_of(rows)).credits
    assert (found.due >= 0).all()
    assert (found.due <= (terms.caps.per_month or np.inf) + 1e-12).all()
    assert found.due.sum() <= 12 * (terms.caps.per_year or np.inf) + 1e-12
    assert (found.due <= found.by_rule.sum(axis=0) + 1e-12).all()


@settings(max_examples=100, deadline=None)
@given(agreements(restoring=False), OUTAGES.filter(bool), st.integers(0, 11), st.floats(0.01, 20))
def test_more_downtime_never_pays_less(terms, rows, which, longer):
    # By duration it may: two outages that grow into one are paid for once.
    which %= len(rows)
    more = [(a, b + longer if n == which else b) for n, (a, b) in enumerate(rows)]
    less, much = made(terms, year_of(rows)).credits, made(terms, year_of(more)).credits
    assert (much.by_rule >= less.by_rule - 1e-12).all()
    assert much.due.sum() >= less.due.sum() - 1e-12


@settings(max_examples=60, deadline=None)
@given(OUTAGES)
def test_windows_add_up_to_the_whole(rows):
    result = made(terms_of(), year_of(rows))
    eligible = result.downtime.eligible
    inside = np.minimum(eligible.end, at("2027-01-01")) - eligible.start
    assert result.availability.downtime.sum() == pytest.approx(inside.sum())
