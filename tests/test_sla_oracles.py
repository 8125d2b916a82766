"""Exact answers about windows and money, through simulated timelines and the engine that judges files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from callsim.agreements.accounts import Accounts, accounts, keepable
from callsim.agreements.reckoner import reckoner_of
from callsim.agreements.terms import load_terms
from callsim.build import build
from callsim.result import resampling
from callsim.scenario.load import load_scenario
from callsim.study import Goal, run_study
from results.estimates import share
from results.timeline import Floats
from sla.assessment import Customer
from sla.reckoning import Agreement, Reckoning
from sla.terms import Terms

ONE_UNIT = Path(__file__).parent / "oracles" / "one-unit.yaml"
SLAS = Path(__file__).parent.parent / "scenarios" / "slas"
SEED = 7
SURE = 0.999
"""Confidence of the intervals that have to hold the exact values: all of them together seldom miss."""


def windows_of(
    terms: Terms, years: int, file: Path, overrides: Sequence[str] = ()
) -> tuple[Reckoning, Accounts]:
    scenario = load_scenario(file, overrides)
    tables = build(scenario)
    agreements = (Agreement(terms, Customer()),)
    study = run_study(tables, SEED, Goal(years), reckoner=reckoner_of(scenario, tables, agreements))
    again = resampling(len(study.summary.year_seconds), SEED, SURE)
    return study.reckonings[0], accounts(agreements, study.reckonings, again)


def one_unit(terms: Terms, years: int, mtbf: str, mttr: str) -> tuple[Reckoning, Accounts]:
    failure = "platform.groups.unit.failures.hardware"
    return windows_of(
        terms, years, ONE_UNIT, [f"{failure}.mtbf={mtbf}", f"{failure}.repair={{exponential: {mttr}}}"]
    )


def terms_of(fixed: str, **more: object) -> Terms:
    return Terms.model_validate(
        {
            "measured": {"window": {"fixed": fixed}},
            "objectives": [{"name": "availability", "at_least": "99.99%"}],
            **more,
        }
    )


def covers(flags: Floats, exact: float) -> bool:
    found = share(int(np.count_nonzero(flags)), len(flags), SURE)
    assert found.low is not None
    assert found.high is not None
    return found.low <= exact <= found.high


def test_interval_availability_of_a_month_with_long_repairs():
    reckoning, _ = one_unit(terms_of("730h"), 3000, "2000h", "2h")
    (actual,) = reckoning.actual
    assert len(actual) == pytest.approx(3000 * 12, rel=0.01)
    assert covers(actual >= 0.9999, 0.702656)
    assert covers(actual >= 0.999, 0.773793)


@pytest.mark.parametrize(
    ("fixed", "mtbf", "mttr", "years", "below"),
    [
        ("720h", "299970m", "30m", 4000, {0.9999: 0.117382, 0.999: 0.035095}),
        ("720h", "4995m", "5m", 300, {0.999: 0.451752}),
        ("8760h", "2999970m", "30m", 30_000, {0.99999: 0.13691}),
    ],
)
def test_interval_availability_below_a_target(fixed, mtbf, mttr, years, below):
    reckoning, _ = one_unit(terms_of(fixed), years, mtbf, mttr)
    (actual,) = reckoning.actual
    for target, exact in below.items():
        assert covers(actual < target, exact), target


def test_teams_terms_pay_what_they_must():
    teams = load_terms(SLAS / "ms-teams-phone-2021.yaml")
    fixed = teams.measured.model_copy(update={"window": terms_of("720h").measured.window})
    reckoning, found = one_unit(teams.model_copy(update={"measured": fixed}), 6000, "299970m", "30m")
    (customer,) = found.customers
    mean = customer.mean_share_of_fee
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low <= 0.017002 <= mean.high
    assert customer.var99 == pytest.approx(0.25)
    assert (reckoning.due == reckoning.paid).all()


def test_a_flat_tier_pays_what_it_must():
    credits = [{"objective": "availability", "tiers": [{"below": "99.95%", "credit": "10%"}]}]
    _, found = one_unit(terms_of("730h", credits=credits), 3000, "2000h", "2h")
    mean = found.customers[0].mean_share_of_fee
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low <= 0.026335 <= mean.high


@pytest.mark.parametrize(
    ("mtbf", "mttr", "risk", "exact"),
    [("299970m", "30m", 0.01, 0.9980662), ("49995m", "5m", 0.05, 0.9995837)],
)
def test_promise_at_risk(mtbf, mttr, risk, exact):
    terms = terms_of("720h")
    reckoning, _ = one_unit(terms, 6000, mtbf, mttr)
    promise = keepable(reckoning.actual[0], terms.objectives[0], risk, SURE)
    assert promise is not None
    assert promise.low is not None
    assert promise.high is not None
    assert promise.low <= exact <= promise.high


STANDBY = """
name: standby
starts: 2026-01-01
platform:
  groups:
    - name: pair
      units: 2
      need: 1
      standby: cold
      switchover: {{time: 0s}}
      failures: [{{mode: hardware, mtbf: 8760h, repair: {{time: {repair}, crew: repairer}}}}]
  crews: [{{name: repairer, size: 1}}]
"""


@pytest.mark.parametrize(
    ("repair", "exact"),
    [
        ("{fixed: 1095h}", (0.108, 0.091, 0.066, 0.026)),
        ("{mean: 1095h, cv: 0.70710678}", (0.110, 0.094, 0.070, 0.042)),
    ],
)
def test_down_shares_of_a_cold_standby(tmp_path, repair, exact):
    """Tijms, A First Course in Stochastic Models, table 8.3.1; its values are simulated, good to 0.003.

    They are those of windows in equilibrium: from a start with both units good, 1 - e^-1 (1 + 1 + 0.875^2/2!
    + 0.75^3/3! + ...) = 0.095 of the windows have downtime under fixed repairs, not 0.108.
    """
    scenario = tmp_path / "standby.yaml"
    scenario.write_text(STANDBY.format(repair=repair))
    reckoning, _ = windows_of(terms_of("8760h"), 10_000, scenario)
    for limit, value in zip((0.0, 0.02, 0.05, 0.10), exact, strict=True):
        found = share(int(np.count_nonzero(1 - reckoning.actual[0] > limit)), 10_000, SURE)
        assert found.low is not None
        assert found.high is not None
        assert found.low - 0.003 <= value <= found.high + 0.003, limit
