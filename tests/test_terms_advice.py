"""Warnings about terms, and what they are made of: which objective a rule is about, what its tiers pay."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsim.agreements.terms import load_terms
from sla.advice import advice
from sla.consistency import objective_of
from sla.payoff import steps
from sla.terms import Terms

FOLDER = Path(__file__).parent.parent / "scenarios" / "slas"


def make(**keys) -> Terms:
    """Terms with one availability of 99.99 %, and more."""
    return Terms.model_validate({"objectives": [{"name": "availability", "at_least": "99.99%"}], **keys})


def tiers(*written, **more):
    return [{"objective": "availability", "tiers": list(written), **more}]


def told(terms: Terms) -> list[str]:
    return [str(warning) for warning in advice(terms)]


# ---- which objective a rule is about


def test_rules_find_the_objective_of_the_terms_own_window():
    terms = load_terms(FOLDER / "gold.yaml")
    assert [objective_of(terms, rule).name for rule in terms.credits] == ["availability", "poor_calls"]
    assert objective_of(terms, terms.credits[0]).window is None
    assert objective_of(terms, terms.chronic).window is None


def test_a_rule_that_requires_something_is_about_the_objective_that_does():
    objectives = [
        {"name": "availability", "at_least": "99.99%", "requires": "review"},
        {"name": "availability", "at_least": "99.9%"},
    ]
    rule = {"objective": "availability", "flat": "10%"}
    terms = make(
        objectives=objectives, credits=[rule, {**rule, "requires": "review"}, {**rule, "requires": "x"}]
    )
    assert [objective_of(terms, rule).target for rule in terms.credits] == [0.999, 0.9999, 0.999]


# ---- advice


def test_hours_with_too_few_calls_to_tell_are_as_what_was_before():
    rule = {"by": "error_rate", "over": "5m", "down_above": "5%"}
    (few,) = told(make(measured={**rule, "at_least": "10 attempts"}))
    assert few == (
        "measured.at_least: fewer than 10 attempts in 5m do not tell, and the 5m before decides: "
        "an outage in the evening goes on until calls come again in the morning"
    )
    assert told(make(measured=rule)) == []


def test_a_cliff_is_a_jump_of_more_than_twenty_points():
    steep = make(credits=tiers({"below": "99.99%", "credit": "10%"}, {"below": "99%", "credit": "31%"}))
    flat = make(credits=tiers({"below": "99.99%", "credit": "10%"}, {"below": "99%", "credit": "30%"}))
    assert told(steep) == [
        "credits.0: a cliff at 99%: a moment more costs 21% of the fee at once, from 10% to 31%"
    ]
    assert told(flat) == []


def test_a_cap_takes_the_edge_off_a_cliff():
    rules = tiers({"below": "99.99%", "credit": "10%"}, {"below": "99%", "credit": "100%"})
    assert told(make(credits=rules, caps={"per_month": "25%"})) == []


def test_a_credit_may_jump_at_the_target_itself_or_by_length_or_full_steps():
    rule = {"objective": "availability"}
    assert told(make(credits=[{**rule, "flat": "25%"}])) == [
        "credits.0: a cliff at 99.99%: a moment more costs 25% of the fee at once, from 0% to 25%"
    ]
    steps_ = [{"up_to": "2h", "credit": "5%"}, {"longer_than": "2h", "credit": "50%"}]
    assert told(make(credits=[{**rule, "by_duration": steps_}])) == [
        "credits.0: a cliff at 2h: a moment more costs 45% of the fee at once, from 5% to 50%"
    ]
    linear = {"credit": "25%", "per": "1%", "only_full": True}
    assert told(make(credits=[{**rule, "linear": linear}])) == [
        "credits.0: a cliff at each 1% missed: a moment more costs 25% of the fee at once, from 0% to 25%"
    ]
    assert told(make(credits=[{**rule, "linear": {**linear, "only_full": False}}])) == []


GAP = ({"below": "99.99%", "down_to": "99%", "credit": "15%"}, {"below": "98%", "credit": "20%"})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            "nothing",
            [
                "credits.0: no tier is printed from 99% to 98%; it pays nothing there (gap_policy: nothing)",
                "credits.0: past 99% a worse value pays less, 0% after 15%",
            ],
        ),
        (
            "next_tier",
            [
                "credits.0: no tier is printed from 99% to 98%; "
                "it pays the next tier there, 20% (gap_policy: next_tier)"
            ],
        ),
        (
            "error",
            ["credits.0: no tier is printed from 99% to 98%; there an assessment stops (gap_policy: error)"],
        ),
    ],
)
def test_a_printed_gap_is_told_with_what_becomes_of_it(policy, expected):
    assert told(make(credits=tiers(*GAP, gap_policy=policy))) == expected


def test_gaps_at_either_end():
    rules = tiers({"below": "99.9%", "down_to": "95%", "credit": "15%"})
    assert told(make(credits=rules))[:3] == [
        "credits.0: no tier is printed from 99.99% to 99.9%, right at the target; "
        "it pays nothing there (gap_policy: nothing)",
        "credits.0: beyond 95% no tier pays, so that the worst misses are free",
        "credits.0: past 95% a worse value pays less, 0% after 15%",
    ]


def test_tiers_that_never_count():
    rules = tiers(
        {"below": "99.999%", "down_to": "99.99%", "credit": "1%"},
        {"below": "99.99%", "credit": "10%"},
        {"below": "99%", "credit": "5%"},
    )
    assert told(make(credits=rules)) == [
        "credits.0: tier 0 (99.999%) never counts: the target or another tier is in its place",
        "credits.0: tier 2 (99%) never counts: the target or another tier is in its place",
        "credits: a window without any service pays 10% of the fee at most",
    ]
    begins_early = tiers({"below": "99.999%", "credit": "15%"})
    assert told(make(credits=begins_early)) == [
        "credits.0: tier 0 begins at 99.999%, but pays from the target on only, 99.99%"
    ]


def test_tiers_for_what_should_be_low():
    objectives = [{"name": "mttr", "at_most": "30m"}]
    ranges = [
        {"above": "30m", "up_to": "2h", "credit": "15%"},
        {"above": "4h", "credit": "40%"},
    ]
    terms = make(objectives=objectives, credits=[{"objective": "mttr", "tiers": ranges}])
    assert told(terms) == [
        "credits.0: no tier is printed from 2h to 4h; it pays nothing there (gap_policy: nothing)",
        "credits.0: past 2h a worse value pays less, 0% after 15%",
        "credits.0: a cliff at 4h: a moment more costs 40% of the fee at once, from 0% to 40%",
    ]


def test_a_quota_beyond_the_target_and_exclusions_without_conditions():
    excludes = [
        {"cause": "maintenance", "notice": "7d", "quota": "12h/year"},
        {"cause": "carrier"},
        {"cause": "emergency_maintenance"},
    ]
    assert told(make(excludes=excludes)) == [
        "excludes.0: maintenance may take 12h a year on top of the 52m34s that 99.99% allows",
        "excludes.1: faults of the carriers never count, however long; for most callers that is the service",
        "excludes.2: it needs no notice or quota, so any outage may be called that",
    ]
    assert told(make(excludes=[{"cause": "maintenance", "notice": "7d", "quota": "50m/year"}])) == []


def test_promises_without_a_remedy_or_beyond_a_simulation():
    objectives = [
        {"name": "availability", "at_least": "99.99%"},
        {"name": "availability", "window": "year", "at_least": "99.999%"},
        {"name": "asr", "at_least": "50%"},
        {"name": "mttr", "scope": "portal", "at_most": "2h"},
    ]
    rules = tiers({"below": "99.99%", "credit": "5 units"})
    assert told(make(objectives=objectives, credits=rules)) == [
        "credits.0: nobody says what a unit is worth (`caps: {unit_worth: ...}`)",
        "objectives: no credit is about availability (year), asr, mttr; to break it costs nothing",
        "objectives: a simulation knows core_voice only; it cannot assess portal",
        "objectives.2: a simulation cannot assess it: it knows no chance that a callee answers",
    ]


@given(
    target=st.integers(1, 9999),
    bounds=st.lists(st.integers(1, 9999), min_size=1, max_size=5, unique=True),
    gaps=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_steps_cover_everything_below_the_target_once(target, bounds, gaps):
    bounds = sorted(bounds, reverse=True)
    ranges = [
        {"below": f"{b / 100}%", "credit": "1%"} | ({"down_to": f"{(b - 0.5) / 100}%"} if gap else {})
        for b, gap in zip(bounds, gaps, strict=False)
    ]
    terms = make(
        objectives=[{"name": "availability", "at_least": f"{target / 100}%"}], credits=tiers(*ranges)
    )
    rule, objective = terms.credits[0], terms.objectives[0]
    found = steps(rule, objective)
    assert found[0].better == objective.target
    assert found[-1].worse == 0
    assert [a.worse for a in found[:-1]] == [b.better for b in found[1:]]
    for step in found:
        value = (step.better + step.worse) / 2
        inside = [t for t in rule.tiers if value < t.below and value >= (t.down_to or 0)]
        assert step.tier is min(inside, key=lambda t: t.below, default=None)  # all pay alike


@pytest.mark.parametrize(
    ("measured", "warned"),
    [
        ({}, True),
        ({"measured_by": "provider"}, False),
        ({"measured_by": "customer"}, False),
        ({"disputes": "lower"}, False),
    ],
)
def test_evidence_of_one_party_and_the_record_of_another_is_told(measured, warned):
    terms = make(measured=measured, claims={"automatic": False, "evidence": "customer"})
    found = [
        line for line in told(terms) if line.startswith("claims.evidence: the customer's record is evidence")
    ]
    assert bool(found) is warned
