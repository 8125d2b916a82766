"""What customers are paid together, and what agreements say of a run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import callsim
from callsim.agreements.accounts import accounts, agreements_of, keepable, window_name
from callsim.api import simulate_under
from callsim.cli import main
from callsim.report import credited
from callsim.result import resampling
from callsim.scenario.load import load_scenario
from results.verdicts import Verdict
from sla.assessment import Customer
from sla.objectives import Availability, Mtbf, Mttr
from sla.reckoning import Agreement
from sla.terms import Terms

ONE_UNIT = Path(__file__).parent / "oracles" / "one-unit.yaml"
FIVE_NINES = Path(__file__).parent.parent / "scenarios" / "five-nines.yaml"
FLAT = Terms.model_validate(
    {
        "objectives": [{"name": "availability", "at_least": "99.9%", "risk": "30%"}],
        "credits": [{"objective": "availability", "flat": "10%"}],
    }
)


def held_by(*customers: Customer, terms: Terms = FLAT) -> list[Agreement]:
    return [Agreement(terms, customer) for customer in customers]


def simulated(agreements: list[Agreement], years: int = 60) -> callsim.Result:
    return simulate_under(load_scenario(ONE_UNIT), agreements, years)


def test_one_outage_pays_all_customers_in_proportion_to_their_fees():
    large, small = Customer(name="large", fee=900.0), Customer(name="small", fee=100.0)
    found = simulated(held_by(large, small)).accounts
    first, second = found.customers
    assert first.mean_share_of_fee.value == second.mean_share_of_fee.value
    assert found.portfolio is not None
    assert found.portfolio.fee == 1000.0
    assert found.portfolio.mean_share_of_fee.value == pytest.approx(first.mean_share_of_fee.value)
    # All customers suffer the same outages: together they are no safer than each alone.
    assert (found.portfolio.var95, found.portfolio.var99) == (first.var95, first.var99)
    assert len(found.judgements) == 1


def test_a_bonus_is_told_beside_the_credits():
    bonus = {"bonus": [{"objective": "availability", "better_than": "99.95%", "bonus": "2%"}]}
    generous = Terms.model_validate({"objectives": [{"name": "availability", "at_least": "99.9%"}], **bonus})
    (reckoning,) = (result := simulated(held_by(Customer(name="a"), terms=generous))).study.reckonings
    (figures,) = result.accounts.customers
    earned = 0.02 * np.mean(reckoning.actual[0] > 0.9995)
    assert 0 < earned < 0.02
    assert figures.bonus_share == pytest.approx(earned)
    assert figures.to_json()["mean_bonus_share"] == figures.bonus_share
    assert figures.promised
    assert "; bonus 1.5 %" in credited(figures)


def test_customers_who_seldom_claim_are_paid_as_often_as_they_claim():
    claims = FLAT.claims.model_validate({"automatic": False, "customers_who_claim": "40%"})
    seldom = FLAT.model_copy(update={"claims": claims})
    a, b = held_by(Customer(name="a"), Customer(name="b"), terms=seldom)
    result = simulated([a, b, *held_by(Customer(name="c"))], years=400)
    paid_a, paid_b, paid_all = (r.paid for r in result.study.reckonings)
    broken = paid_all > 0
    for paid in (paid_a, paid_b):
        asked = int(np.count_nonzero(paid))
        spread = np.sqrt(0.4 * 0.6 * broken.sum())
        assert abs(asked - 0.4 * broken.sum()) < 4 * spread
        assert not paid[~broken].any()
    assert (paid_a != paid_b).any()
    eligible, claimed = (result.study.reckonings[0].eligible, result.study.reckonings[0].claimed)
    np.testing.assert_allclose(claimed, 0.4 * eligible)


def test_fees_of_different_currencies_do_not_add_up():
    euros = FLAT.model_copy(update={"currency": "EUR"})
    found = simulated(
        [*held_by(Customer(name="a", fee=1.0)), *held_by(Customer(name="b", fee=1.0), terms=euros)]
    ).accounts
    assert found.portfolio is None
    assert [figures.currency for figures in found.customers] == ["USD", "EUR"]


def test_what_the_years_cannot_tell_is_not_assessed():
    terms = Terms.model_validate(
        {
            "objectives": [
                {"name": "availability", "at_least": "90%", "risk": "1%"},
                {"name": "poor_calls", "mos_below": 3.6, "at_most": "1%"},
            ]
        }
    )
    result = simulated(held_by(Customer(), terms=terms))
    kept, unknown = result.objectives
    assert kept.verdict is Verdict.MET
    assert (unknown.verdict, unknown.promise) == (None, None)
    assert "MOS" in (unknown.why_not or "")
    assert result.verdict is Verdict.MET
    told = result.to_json()["objectives"][1]
    assert (told["verdict"], told["met_share"]["value"]) == (None, None)
    assert "MOS" in told["not_assessed"]


def test_the_answer_does_not_depend_on_the_number_of_processes():
    scenario = load_scenario(FIVE_NINES)
    one, two = (
        simulate_under(scenario, agreements_of(scenario), 200, jobs=jobs).to_json() for jobs in (1, 2)
    )
    assert one == two


@pytest.mark.parametrize(
    ("window", "name"),
    [
        ("calendar_month", "month"),
        ("event", "outage"),
        ({"billing_cycle": 15}, "billing month"),
        ({"fixed": "720h"}, "30d window"),
        ({"rolling": "30d"}, "rolling 30d"),
    ],
)
def test_windows_have_names(window, name):
    assert window_name(Terms.model_validate({"measured": {"window": window}, "unknown": ["all"]})) == name


def test_windows_that_measured_nothing_keep_the_best():
    actual = np.array([np.nan] * 90 + [60.0] * 10)
    mttr = keepable(actual, Mttr(name="mttr", at_most="1h"), 0.05, 0.95)
    assert mttr is not None
    assert mttr.value == 60.0
    lax = keepable(actual, Mttr(name="mttr", at_most="1h"), 0.2, 0.95)
    assert lax is not None
    assert lax.value == 0.0
    assert keepable(actual, Mtbf(name="mtbf", at_least="1h"), 0.2, 0.95) is None
    in_a_row = Availability(name="availability", at_least="99%", consecutive=2)
    assert keepable(np.ones(10), in_a_row, 0.1, 0.95) is None


def test_no_agreement_no_account():
    result = simulated([], years=10)
    again = resampling(10, 1, 0.95)
    assert accounts([], result.study.reckonings, again).judgements == ()
    assert result.to_json()["credits"] is None
    assert result.verdict is None


def test_a_gap_that_must_not_be_filled_ends_a_run_in_one_line(tmp_path):
    terms = tmp_path / "gappy.yaml"
    terms.write_text(
        "name: gappy\n"
        "objectives: [{name: availability, at_least: 99.999%}]\n"
        "credits: [{objective: availability, gap_policy: error, tiers: [{below: 1%, credit: 10%}]}]\n"
    )
    options = ["--years", "20", "--jobs", "1", "--out", str(tmp_path / "runs")]
    done = CliRunner().invoke(main, ["run", str(ONE_UNIT), "--set", f"sla={terms}", *options])
    assert done.exit_code == 2
    assert re.fullmatch(
        r"availability of 0\.99\d+ breaks its target and lies in no tier of its credits; "
        r"the terms say that such a gap must not be filled\n",
        done.output,
    )
