"""The exact values that the simulator is judged by agree with Markov chains solved here."""

from pathlib import Path

import numpy as np
import pytest
from exact_chains import (
    MINUTES_PER_ORACLE_YEAR,
    SOLUTIONS,
    active_standby,
    cluster_queueing,
    cluster_racing,
    k_out_of_n,
    pairs_with_one_crew,
    solve,
)
from ruamel.yaml import YAML

ORACLES = Path(__file__).parent / "oracles"
EXACT = YAML(typ="safe").load(ORACLES / "exact.yaml")
SIGNIFICANT = {"unavailability": 5e-7, "downtime_min_per_year": 1.2e-4}
"""Half of the last digit that the oracles give, as a share of the value."""


def test_solver_knows_the_alternating_renewal_process():
    lam, mu = 0.2, 3.0
    solution = k_out_of_n(1, 1, 1, lam, mu)
    assert solution.unavailability == pytest.approx(lam / (lam + mu))
    assert solution.variance == pytest.approx(2 * lam * mu / (lam + mu) ** 3)
    assert solution.outages_per_hour == pytest.approx(lam * mu / (lam + mu))


def test_solver_finds_its_own_states():
    """A ring of three states, left at rates 1, 2, 4."""
    solution = solve(0, lambda i: [(2.0**i, (i + 1) % 3)], lambda i: i == 2)
    assert solution.unavailability == pytest.approx((1 / 4) / (1 + 1 / 2 + 1 / 4))


def test_variance_is_that_of_a_simulated_chain():
    lam, mu, runs, length = 0.3, 1.0, 4000, 400.0
    rng = np.random.default_rng(5)
    ends = np.cumsum(rng.exponential([1 / lam, 1 / mu], (runs, 400, 2)).reshape(runs, -1), axis=1)
    assert ends[:, -1].min() > length
    cut = np.minimum(ends, length)
    down = (cut[:, 1::2] - cut[:, ::2]).sum(axis=1)
    spread = 4 / np.sqrt(2 * runs) * 2  # four standard errors of a variance, relative
    assert down.var() / length == pytest.approx(k_out_of_n(1, 1, 1, lam, mu).variance, rel=spread)


@pytest.mark.parametrize("file", EXACT)
def test_exact_value(file):
    entry = EXACT[file]
    solution = SOLUTIONS[Path(file).stem]()
    scale = MINUTES_PER_ORACLE_YEAR if entry["quantity"] == "downtime_min_per_year" else 1
    assert solution.unavailability * scale == pytest.approx(
        entry["exact"], rel=SIGNIFICANT[entry["quantity"]]
    )


@pytest.mark.parametrize("file", EXACT)
def test_run_is_long_enough(file):
    years = EXACT[file]["years"]
    assert SOLUTIONS[Path(file).stem]().years(half_width=0.16) <= years
    scenario = YAML(typ="safe").load(ORACLES / file)
    assert scenario["simulation"]["years"] == years


def test_every_scenario_has_an_exact_value():
    assert {path.name for path in ORACLES.glob("*.yaml")} - {"exact.yaml"} == set(EXACT)


def test_first_come_first_served_inspection_hardly_matters():
    """QComp's inspections race; callsim's hold the repairer, first come first served."""
    racing = cluster_racing(2).unavailability
    assert 1 - racing == pytest.approx(0.9999615335623628, abs=1e-15)
    assert cluster_queueing(2).unavailability / racing - 1 == pytest.approx(0.00068, abs=1e-5)
    assert cluster_queueing(2, "down first").unavailability / racing - 1 == pytest.approx(0.00066, abs=1e-5)


def test_serving_what_is_down_first_hardly_matters():
    first_come = pairs_with_one_crew(5).unavailability
    assert pairs_with_one_crew(5, down_first=True).unavailability / first_come - 1 == pytest.approx(
        -1.8e-4, rel=0.1
    )


@pytest.mark.parametrize("coverage", [1.0, 0.95])
def test_what_happens_during_the_failover_hardly_matters(coverage):
    exact = active_standby(coverage).unavailability
    assert active_standby(coverage, stages=50).unavailability == pytest.approx(exact, rel=1e-9)
    assert active_standby(coverage, as_simulated=True, stages=50).unavailability == pytest.approx(
        exact, rel=0.003
    )
