"""Laws that are known within limits only: how they are written, drawn, carried through a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import callsim
from callsim.agreements.uncertainty import uncertain_in
from callsim.build import build
from callsim.cli import main
from callsim.errors import CallsimError, ScenarioError
from callsim.scenario.load import load_scenario
from callsim.scenario.uncertain import Parameter, changed
from carriers.laws import Empirical, Exponential, Fixed, Gamma, Law, Lognormal, Weibull
from results.draws import Draws
from results.estimates import FEW, Resampling
from results.verdicts import Verdict, judge

ROOT = Path(__file__).parent.parent
MTBF = "platform.groups.unit.failures.hardware.mtbf"
REPAIR = "platform.groups.unit.failures.hardware.repair"
SCENARIO = """\
name: one
starts: 2026-01-01
platform:
  groups:
    - name: unit
      units: 1
      need: 1
      failures: [{mode: hardware, mtbf: 1000h, repair: {exponential: 2h}}]
sla: {objectives: [{name: availability, at_least: 99.9%, window: month, risk: 30%}]}
simulation: {years: 200, seed: 1}
"""
COUNTED = f"parameters:\n  - {{path: {MTBF}, failures: 6, over: 6000h}}\n"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "one.yaml"
    file.write_text(SCENARIO)
    return file


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    file = tmp_path / "known.yaml"
    file.write_text(COUNTED)
    return file


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def parameter(**said: object) -> Parameter:
    return Parameter.model_validate({"path": "a.mtbf", **said})


# ---- how it is written


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("failures: 3", "2: parameters.0.over: goes with `failures`; write both"),
        ("over: 3y", "2: parameters.0.failures: goes with `over`; write both"),
        ("median: 3d", "2: parameters.0.p95: goes with `median`; write both"),
        ("median: 3d, p95: 2d", "2: parameters.0.p95: has to be more than `median`"),
        ("median: 3, p95: 4", "2: parameters.0.median: 3 has no unit; write a duration like 15m"),
        (
            "failures: 3, over: 3y, median: 3d",
            "2: parameters.0.failures: write either `failures` and `over`, ",
        ),
        ("correlation: 0.5, failures: 1, over: 1y", "2: parameters.0.correlation: does nothing without two "),
        (
            "log_errors: {}",
            "2: parameters.0.log_errors: write it like {scale: 0.3, shape: 0.2}, or {mean: 0.3}",
        ),
        (
            "log_errors: {scale: 1}",
            "2: parameters.0.log_errors.scale: the law there is exponential; write {mean}",
        ),
        (
            "log_errors: {mean: -1}",
            "2: parameters.0.log_errors.mean: -1 is too small; it has to be at least 0",
        ),
    ],
)
def test_parameters_have_one_form(scenario, tmp_path, said, message):
    file = tmp_path / "known.yaml"
    file.write_text(f"parameters:\n  - {{path: {MTBF}, {said}}}\n")
    with pytest.raises(ScenarioError) as raised:
        uncertain_in(load_scenario(scenario), file)
    assert f"{file}:{message}" in str(raised.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("platform.groups.unti.failures", "no part of groups is called 'unti'; did you mean 'unit'?"),
        (f"{MTBF}.shape", "the law there is exponential and has no `shape`; write exponential or mean"),
        ("plattform.groups", "no part of a scenario is called 'plattform'; did you mean 'platform'?"),
        ("platform.groups.unit.need", "is no law of a time; name one, like carriers.atlantic."),
    ],
)
def test_a_path_that_leads_to_no_law(scenario, tmp_path, path, message):
    file = tmp_path / "known.yaml"
    limits = "median: 1, p95: 2" if path.endswith("shape") else "median: 1d, p95: 2d"
    file.write_text(f"parameters:\n  - {{path: {path}, {limits}}}\n")
    with pytest.raises(ScenarioError) as raised:
        uncertain_in(load_scenario(scenario), file)
    assert f"{file}:2: parameters.0.path: {message}" in str(raised.value)


def test_nothing_is_uncertain_of_itself(scenario):
    with pytest.raises(CallsimError, match="nothing is uncertain in it; include a carrier file"):
        uncertain_in(load_scenario(scenario), "included")


def test_a_carrier_file_is_of_the_scenario_that_has_its_laws(scenario, tmp_path):
    failing = "failures: [{mode: hardware, mtbf: 1000h, repair: {exponential: 2h}}]"
    uncertain = f"uncertain: [{{path: {MTBF}, failures: 6, over: 6000h}}]\n"
    part = f"platform: {{groups: [{{name: unit, units: 1, need: 1, {failing}}}]}}\n"
    file = tmp_path / "fit.yaml"
    file.write_text("source: a log\n" + part + uncertain)
    assert len(uncertain_in(load_scenario(scenario), file).parameters) == 1
    file.write_text("source: a log\n" + part.replace("1000h", "900h") + uncertain)
    with pytest.raises(
        ScenarioError, match=r"fit\.yaml:3: uncertain\.0\.path: the law of one is another than"
    ):
        uncertain_in(load_scenario(scenario), file)
    file.write_text("source: a log\n" + part)
    with pytest.raises(ScenarioError, match="uncertain: missing; nothing is uncertain in this file"):
        uncertain_in(load_scenario(scenario), file)


# ---- how it is drawn


@pytest.mark.parametrize(
    "law",
    [
        Exponential(9e5),
        Fixed(600.0),
        Lognormal(3600.0, 9000.0),
        Gamma(3600.0, 0.5),
        Weibull(9e5, 0.8),
        Empirical((60.0, 600.0)),
    ],
)
def test_another_mean_keeps_the_form(law: Law):
    other = changed(law, "mean", 2 * law.mean)
    assert type(other) is type(law)
    assert other.mean == pytest.approx(2 * law.mean)
    twice = np.linspace(0.1, 3.0, 7) * law.mean
    assert other.cdf(2 * twice) == pytest.approx(law.cdf(twice))


def test_counts_follow_jeffreys_and_beliefs_their_quantiles():
    rng = np.random.default_rng(3)
    counted, believed = parameter(failures=8, over="8y"), parameter(median="10d", p95="40d")
    law = Exponential(86400.0)
    rates = np.array([1 / counted.draw(law, None, rng).mean for _ in range(4000)]) * 8 * 365.25 * 86400
    assert stats.kstest(rates, stats.gamma(8.5).cdf).pvalue > 1e-4
    days = np.array([believed.draw(law, None, rng).mean for _ in range(4000)]) / 86400
    assert np.mean(days <= 10) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4000))
    assert np.mean(days <= 40) == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_two_parameters_of_a_law_go_together():
    rng = np.random.default_rng(4)
    fitted = parameter(log_errors={"scale": 0.3, "shape": 0.2}, correlation=-0.6)
    laws = [fitted.draw(Weibull(5e6, 0.8), None, rng) for _ in range(4000)]
    logs = np.log([(law.scale / 5e6, law.shape / 0.8) for law in laws])
    assert logs.mean(axis=0) == pytest.approx([0, 0], abs=4 * 0.3 / np.sqrt(4000))
    assert logs.std(axis=0) == pytest.approx([0.3, 0.2], rel=4 / np.sqrt(8000))
    assert np.corrcoef(logs.T)[0, 1] == pytest.approx(-0.6, abs=4 * 0.64 / np.sqrt(4000))


def test_a_lognormal_law_keeps_its_order():
    rng = np.random.default_rng(5)
    fitted = parameter(log_errors={"median": 0.5, "sigma": 2.0})
    for _ in range(500):
        law = fitted.draw(Lognormal(600.0, 700.0), None, rng)
        assert law.p95 >= law.median
    assert changed(Lognormal(600.0, 900.0), "p95", 300.0) == Lognormal(600.0, 600.0)


def test_a_draw_changes_what_is_uncertain_only(scenario, tmp_path):
    file = tmp_path / "known.yaml"
    file.write_text(
        f"parameters:\n  - {{path: {REPAIR}.exponential, median: 2h, p95: 4h}}\n"
        f"  - {{path: {MTBF}, log_errors: {{mean: 0.2}}}}\n"
    )
    known = load_scenario(scenario)
    drawn = uncertain_in(known, file).draw(np.random.default_rng(1))
    one, other = (s.platform.groups[0].failures[0] for s in (known, drawn))
    assert one.mtbf.mean != other.mtbf.mean
    assert one.repair.mean != other.repair.mean
    assert drawn.platform.groups[0].model_copy(update={"failures": ()}) == known.platform.groups[
        0
    ].model_copy(update={"failures": ()})
    assert build(drawn).units[0].modes[0].mtbf == other.mtbf


# ---- what comes of it


def test_the_interval_is_what_is_known(scenario, counted):
    result = callsim.simulate(scenario, 400, 3, parameters_uncertain=counted)
    found = result.downtime_min_per_year
    rates = np.random.default_rng(5).gamma(6.5, 1 / 6000, 200_000)
    exact = 2 * rates / (1 + 2 * rates) * 365.25 * 1440
    assert result.study.draws == 100
    low, high = found.noise
    assert low < exact.mean() < high
    assert [found.low, found.high] == pytest.approx(np.quantile(exact, (0.025, 0.975)), rel=0.25)
    sure = callsim.simulate(scenario, 400, 3).downtime_min_per_year
    assert sure.noise is None
    assert sure.high - sure.low < (found.high - found.low) / 5


def test_the_answer_depends_on_the_seed_alone(scenario, counted):
    results = [
        callsim.simulate(scenario, 60, seed, jobs=jobs, parameters_uncertain=counted).to_json()
        for seed, jobs in ((1, 1), (1, 2), (2, 1))
    ]
    assert results[0] == results[1]
    assert results[0]["availability"] != results[2]["availability"]


def test_a_run_says_what_its_intervals_cover(scenario, counted, tmp_path):
    out = tmp_path / "runs"
    code, text = run(
        "run",
        scenario,
        "--jobs",
        "1",
        "--parameters-uncertain",
        counted,
        "--out",
        out,
        "--json",
        tmp_path / "r",
    )
    assert code == 3
    assert text.startswith("INCONCLUSIVE: ")
    flat = " ".join(text.split())
    assert "so more has to be known of what is uncertain." in flat
    assert "intervals cover the simulation's noise and what is not known of 1 law of time (100 draws)" in flat
    assert "the other MTBFs and repair times are assumptions" in flat
    assert "noise alone" in flat
    told = json.loads((tmp_path / "r").read_text())
    assert told["uncertain"] == {
        "draws": 100,
        "source": str(counted),
        "parameters": [{"path": MTBF, "failures": 6, "over": 6000 * 3600.0}],
    }
    gross = told["availability"]["gross"]
    assert gross["low"] < gross["noise"]["low"] < gross["value"] < gross["noise"]["high"] < gross["high"]


def test_years_are_rounded_up_to_whole_draws(scenario, counted):
    study = callsim.simulate(scenario, 7, parameters_uncertain=counted).study
    assert (study.years, study.draws) == (8, 4)
    assert callsim.simulate(scenario, 7).study.draws is None


def test_precision_is_that_of_the_noise(scenario, counted):
    result = callsim.simulate(scenario, precision=0.1, parameters_uncertain=counted)
    low, high = result.downtime_min_per_year.noise
    assert not result.study.missed_precision
    assert (high - low) / 2 / result.downtime_min_per_year.value <= 0.1
    assert result.study.years == 10 * result.study.draws


def test_calls_are_placed_with_what_is_known(scenario, counted):
    code, text = run("run", scenario, "--calls", "--parameters-uncertain", counted)
    assert code == 2
    assert "or --parameters-uncertain" in " ".join(text.split())


def test_what_an_included_file_says_is_drawn(tmp_path, scenario):
    fit = tmp_path / "fit.yaml"
    fit.write_text(
        "source: a log\nplatform: {groups: [{name: unit, failures: [{mode: hardware, mtbf: 900h}]}]}\n"
        f"uncertain: [{{path: {MTBF}, failures: 6, over: 5400h}}]\n"
    )
    text = SCENARIO.replace("starts:", "include: [fit.yaml]\nstarts:").replace("mtbf: 1000h, ", "")
    scenario.write_text(text)
    arguments = ("--years", "40", "--jobs", "1", "--json", "-", "--out", tmp_path / "runs")
    for command in ("run", "promise"):
        code, text = run(command, scenario, *arguments, "--parameters-uncertain", "included")
        assert code in (0, 1, 3), text
        told = json.loads(text)["uncertain"]
        assert (told["source"], told["draws"]) == ("included", 20)


# ---- estimates from draws


def draws_of(effects: np.ndarray, years: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Downtime of years, so many for each draw, gamma around each draw's mean."""
    means = np.repeat(effects, years)
    return rng.gamma(1 / noise**2, means * noise**2)


@pytest.mark.parametrize(("noise", "known"), [(0.3, False), (1.5, True), (3.0, True), (1.5, False)])
def test_intervals_of_draws_hold_what_they_claim(noise, known):
    """The true mean of one more set of parameters is inside as often as the confidence says."""
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(80):
        rates = rng.gamma(6.5, 1.0, 100)
        x = draws_of(rates, 5, noise, rng)
        sizes = np.stack([rates, rng.random(100)], axis=1) if known else None
        found = Draws(100, 500, rng, 0.9, sizes).ratio(x, np.ones(500), 500)
        truth = rng.gamma(6.5, 1.0, 50)
        inside += int(np.sum((truth >= found.low) & (truth <= found.high)))
    # Measured over 1,000 sets: 0.87 (noise of three times the mean) to 0.92 (nothing known to regress on).
    assert 0.85 <= inside / 4_000 <= 0.95


def test_where_parameters_do_not_matter_the_interval_is_the_noises():
    rng = np.random.default_rng(8)
    widths = []
    for _ in range(40):
        x = draws_of(np.ones(100), 10, 1.0, rng)
        found = Draws(100, 1000, rng).ratio(x, np.ones(1000), 1000)
        plain = Resampling(1000, rng).ratio(x, np.ones(1000), 1000)
        assert found.low <= found.noise[0] < found.value < found.noise[1] <= found.high
        widths.append((found.noise[1] - found.noise[0]) / (plain.high - plain.low))
    assert np.mean(widths) == pytest.approx(1.0, abs=0.1)


def test_a_parameter_of_which_next_to_nothing_is_known_spoils_no_estimate():
    rng = np.random.default_rng(1)
    sizes = np.exp(rng.normal(0.0, 100.0, (100, 2)))
    sizes[3] = np.inf
    found = Draws(100, 200, rng, sizes=sizes).ratio(rng.gamma(2.0, 1.0, 200), np.ones(200), 400)
    assert found.low is not None
    assert found.high is not None
    assert 0.0 <= found.low < 2.0 < found.high < np.inf


def test_few_events_give_bounds_only():
    again = Draws(50, 100, np.random.default_rng(1))
    events = np.zeros(100)
    events[: FEW - 1] = 1
    few = again.rate(events, np.ones(100))
    assert (few.low, few.high, few.noise) == (None, None, None)
    assert few.lower < few.value < few.upper
    none = again.ratio(np.zeros(100), np.ones(100), 0)
    assert (none.value, none.low, none.upper) == (0.0, None, None)


def test_shares_of_windows_range_over_the_draws():
    rng = np.random.default_rng(9)
    chances = rng.beta(8, 2, 200)
    kept = rng.random((200, 120)) < chances[:, None]
    found = Draws(200, 2000, rng).share(kept.ravel())
    assert found.value == pytest.approx(kept.mean())
    assert [found.low, found.high] == pytest.approx(np.quantile(chances, (0.025, 0.975)), abs=0.06)
    assert judge(found, 0.2) is Verdict.INCONCLUSIVE
    assert judge(found, 0.7) is Verdict.MET
    whole = Draws(200, 2000, rng).share(np.ones(2400, dtype=bool))
    assert (whole.value, whole.high) == (1.0, 1.0)
    assert 0.985 < whole.low < 1.0
    few = np.ones(2400, dtype=bool)
    few[[5, 6, 700]] = False  # in two draws
    nearly = Draws(200, 2000, rng).share(few)
    assert nearly.value == pytest.approx(1 - 3 / 2400)
    assert 0.96 < nearly.low < whole.low < nearly.value < nearly.high < 1.0
    seldom = Draws(200, 2000, rng).share(~few)
    assert [seldom.low, seldom.high] == pytest.approx([1 - nearly.high, 1 - nearly.low])


def test_the_worst_windows_have_the_parameters_in_them():
    rng = np.random.default_rng(2)
    levels = rng.uniform(0.99, 0.999, 40)
    actual = np.concatenate([rng.normal(level, 1e-5, 300) for level in levels])
    again = Draws(40, 1000, rng)
    target, deeper = again.lowest_kept(actual, (0.1, 0.01))
    assert target.low < target.value < target.high
    # A tenth of the draws is below: the interval is about as wide as the gaps between that many of them.
    assert 0.0005 < target.high - target.low < 0.004
    assert deeper.value < target.value
    tail = again.tail_mean(1 - actual, 0.95)
    assert tail.low < tail.value < tail.high
    assert tail.value == pytest.approx(np.sort(1 - actual)[-600:].mean())


def test_draws_are_of_years():
    with pytest.raises(ValueError, match=r"draws\(=5\) must be from 1 to years\(=4\)"):
        Draws(5, 4, np.random.default_rng(1))
