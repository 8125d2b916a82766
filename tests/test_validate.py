"""Whether `validate` says what is so: of false alarms, of what it finds, of what it asks for."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from click.testing import CliRunner
from validate_cases import BEGIN, DAY, PLAN, SCENARIO, recorded

from callsim.build import build
from callsim.cli import main
from callsim.errors import CallsimError
from callsim.plan import load_plan
from callsim.scenario.load import load_scenario
from callsim.validating import judging, validate_command
from callsim.validating.departing import slower_repairs
from callsim.validating.facts import ADDITIVE, Metric
from callsim.validating.fares import connected, week
from callsim.validating.judging import MTTR, judge, refer
from callsim.validating.legs import match
from callsim.validating.pattern import of_plan
from callsim.validating.sampling import Part, played, sampled
from callsim.validating.states import Streets
from callsim.validating.validate_command import as_probed
from carriers.laws import Exponential, Fixed, Lognormal
from results.agreement import Agreement
from results.store.opening import open_store
from results.timeline import Heard

ONE = """
name: one
starts: 2026-01-01
timezone: UTC
traffic: {busy_hour_calls: 300, hold_time: 3m, profile: flat}
carriers:
  - name: atlantic
    trunks: ["sip:a.example"]
    post_dial_delay: {median: 1.6s, p95: 3.4s}
    failures: [{mode: silent, mtbf: 1d, repair: {exponential: 40m}}]
routing: {order: priority, routes: [atlantic], no_reply_timeout: 4s, progress_timeout: 20s}
simulation: {years: 10, seed: 1}
"""
ONE_PLAN = PLAN.replace('  - {carrier: boreal, uri: "sip:127.0.0.1:5071"}\n', "").replace(
    "[atlantic, boreal]", "[atlantic]"
)
NAMES: dict[str, str] = {}


def files(tmp_path: Path, scenario: str = ONE, plan: str = ONE_PLAN) -> tuple[Path, Path]:
    for name, text in (("scenario.yaml", scenario), ("plan.yaml", plan)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "scenario.yaml", tmp_path / "plan.yaml"


@pytest.fixture
def one(tmp_path):
    """Tables, plan and matching of one carrier."""
    scenario, plan = files(tmp_path)
    tables, plan = build(load_scenario(scenario)), load_plan(plan)
    return tables, plan, match(plan, tables, NAMES)


def records(part, matching, trials, seed):
    streets = Streets(part.tables, matching)
    part = replace(part, stretches=trials)
    for number, (count, years) in enumerate(part.streams()):
        yield from played(part, streets, matching, seed, (number, count, years))


# ---- what is simulated


def test_time_down_and_lengths_are_those_of_the_laws(one):
    tables, plan, matching = one
    (sample,) = sampled([Part(tables, of_plan(plan, matching, BEGIN, 14), 100)], plan, NAMES, 3)
    down, known = (sample.sums[:, 0, ADDITIVE.index(name)] for name in ("down", "known"))
    truth = 40.0 / (1440.0 + 40.0)
    unavailable = down / known
    assert abs(unavailable.mean() - truth) < 4.0 * unavailable.std() / math.sqrt(len(unavailable))
    told, through = (sample.sums[:, 0, ADDITIVE.index(name)] for name in ("told", "connected"))
    failed = 1.0 - through / told
    assert abs(failed.mean() - truth) < 4.0 * failed.std() / math.sqrt(len(failed))
    # Exponential: what is found of outages, by the chance of a probe every ten minutes.
    outages = sample.sums[:, 0, ADDITIVE.index("outages")]
    found = 1.0 - (1.0 - 40.0 / 10.0 * -math.expm1(-10.0 / 40.0))
    expected = 14.0 * DAY / (1480.0 * 60.0) * found
    assert abs(outages.mean() - expected) < 4.0 * outages.std() / math.sqrt(len(outages)) + 0.02 * expected


def test_the_same_for_any_number_of_processes(one):
    tables, plan, matching = one
    parts = [Part(tables, of_plan(plan, matching, BEGIN, 7), 16)]
    (alone,), (together,) = (sampled(parts, plan, NAMES, 3, jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(alone.values, together.values)
    np.testing.assert_array_equal(alone.lengths[0], together.lengths[0])


def test_a_call_that_rings_too_late_connects_and_fails():
    plan = load_plan_text(ONE_PLAN.replace("talk: 12s", "talk: 12s, expect: {answered_within: 2s}"))
    expect = plan.tests[0].expect
    in_time, late = connected(expect, week(1.0), None, (0.0, Exponential(2.0), 8.0), 12.0)
    within = (1.0 - math.exp(-1.0)) / (1.0 - math.exp(-4.0))
    assert in_time.chance[0] == pytest.approx(within, rel=0.02)
    assert (in_time.passes, late.passes, late.connects) == (True, False, True)
    assert in_time.chance[0] + late.chance[0] == pytest.approx(1.0)
    (silent,) = connected(
        expect.model_copy(update={"two_way_audio": True}),
        week(1.0),
        Heard(None, "", 0.0, 0.0, 0.0, one_way=True),
        (0.0, Fixed(1.0), 8.0),
        12.0,
    )
    assert not silent.passes


def load_plan_text(text):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.yaml"
        path.write_text(text, encoding="utf-8")
        return load_plan(path)


def test_our_own_platform_and_mobiles_are_left_out():
    scenario = load_scenario(Path(__file__).parent.parent / "scenarios" / "five-nines.yaml")
    tables, notes = as_probed(scenario)
    assert all(group.need == 0 for group in tables.groups)
    assert tables.voice is not None
    assert tables.voice.mobile is None
    assert len(notes) == 2
    tables, notes = as_probed(scenario, through_platform=True)
    assert any(group.need for group in tables.groups)
    assert len(notes) == 1


# ---- what is what


def test_carriers_are_matched_by_name(tmp_path):
    scenario, plan_file = files(
        tmp_path,
        SCENARIO.replace("name: boreal", "name: cirrus").replace("atlantic, boreal", "atlantic, cirrus"),
        PLAN,
    )
    tables, plan = build(load_scenario(scenario)), load_plan(plan_file)
    matching = match(plan, tables, {})
    assert matching.subjects == ("atlantic",)
    assert "boreal/1" in matching.notes[0]
    assert match(plan, tables, {"boreal": "cirrus"}).subjects == ("atlantic", "boreal", "service")
    with pytest.raises(
        CallsimError, match="--as boreal=x: the scenario has no carrier x; it has atlantic, cirrus"
    ):
        match(plan, tables, {"boreal": "x"})
    other = load_plan_text(PLAN.replace("atlantic", "other").replace("boreal", "third"))
    with pytest.raises(CallsimError, match="no test of plan night goes over a trunk of the scenario"):
        match(other, tables, {})


# ---- calibration


def test_it_is_calibrated_and_finds_what_it_asked_the_data_for(one, monkeypatch):
    monkeypatch.setattr(judging, "LONGER", 120)
    tables, plan, matching = one
    short = refer([tables], plan, matching, NAMES, of_plan(plan, matching, BEGIN, 7), seed=1, stretches=20)
    days = math.ceil(short.needed(MTTR, 0.05 / len(short.tests))[1] / DAY)
    assert 7 < days < 60
    pattern = of_plan(plan, matching, BEGIN, days)
    reference = refer([tables], plan, matching, NAMES, pattern, seed=2, stretches=250)
    trials = 40
    said = [
        [
            judge(reference, facts).verdict
            for facts in records(Part(made, pattern, trials), matching, trials, 77)
        ]
        for made in (tables, slower_repairs(tables, 2.0))
    ]
    false, found = (one.count(Agreement.INCONSISTENT) for one in said)
    assert len(said[0]) == len(said[1]) == trials
    # Of 40 at 5 % more than 6, and of 40 at 85 % fewer than 28, are both rarer than 1 in 100.
    assert false <= 6
    assert found >= 28


# ---- the command


@pytest.fixture
def fewer(monkeypatch):
    monkeypatch.setattr(judging, "STRETCHES", 300)
    monkeypatch.setattr(judging, "A_TEST", 1)
    monkeypatch.setattr(judging, "LONGER", 40)
    monkeypatch.setattr(validate_command, "DRAWS", 20)


def told(tmp_path, store, *more):
    answer = CliRunner().invoke(
        main,
        [
            *("validate", str(tmp_path / "scenario.yaml"), "--plan", str(tmp_path / "plan.yaml")),
            *("--store", f"sqlite:///{store}", "--jobs", "1", "--json", str(tmp_path / "answer.json"), *more),
        ],
    )
    assert answer.exit_code in (0, 1, 2, 3), answer.output
    found = json.loads((tmp_path / "answer.json").read_text()) if answer.exit_code != 2 else None
    return answer, found


def kept(tmp_path, name, scenario, plan, **how):
    with open_store(f"sqlite:///{tmp_path / name}") as store:
        store.write(recorded(scenario, plan, 10, 5, **how))
    return tmp_path / name


def test_a_record_of_the_scenario_itself_is_no_alarm(tmp_path, fewer):
    scenario_file, plan_file = files(tmp_path)
    store = kept(tmp_path, "same.db", load_scenario(scenario_file), load_plan(plan_file))
    answer, found = told(tmp_path, store)
    assert answer.exit_code == 3
    assert answer.output.startswith("TOO FEW DATA: in 10.0 d night measured nothing that contradicts one.")
    assert all(len(line) <= 80 for line in answer.output.splitlines())
    assert len(answer.output.splitlines()) <= 24
    rows = {row["figure"]: row for row in found["figures"]}
    assert rows["pdd_mean"]["verdict"] == "consistent"
    assert rows["mos_mean"]["verdict"] == "not_predicted"
    assert rows["outage_length"]["needs_days"] > 10.0
    assert 0 < rows["connect_share"]["worth"] < rows["connect_share"]["count"] == 1440


def test_delays_that_are_longer_by_a_constant_are_told(tmp_path, fewer):
    scenario_file, plan_file = files(tmp_path)
    store = kept(tmp_path, "late.db", load_scenario(scenario_file), load_plan(plan_file), late=0.3)
    answer, found = told(tmp_path, store)
    assert answer.exit_code == 1
    assert "post-dial delay of atlantic is higher" in " ".join(answer.output.split())
    rows = {row["figure"]: row for row in found["figures"]}
    assert rows["pdd_mean"]["verdict"] == "inconsistent"
    assert rows["pdd_mean"]["direction"] == "higher"
    assert rows["availability"]["verdict"] != "inconsistent"


def test_outages_that_last_longer_are_told_unless_parameters_allow_it(tmp_path, fewer):
    scenario_file, plan_file = files(tmp_path)
    slow = load_scenario(scenario_file, ["carriers.atlantic.failures.silent.repair=6h"])
    store = kept(tmp_path, "slow.db", slow, load_plan(plan_file))
    answer, found = told(tmp_path, store)
    assert answer.exit_code == 1
    rows = {row["figure"]: row for row in found["figures"]}
    assert rows["outage_length"]["verdict"] == rows["availability"]["verdict"] == "inconsistent"
    assert (rows["availability"]["direction"], rows["outage_length"]["direction"]) == ("lower", "higher")
    unsure = tmp_path / "unsure.yaml"
    unsure.write_text(
        "parameters:\n  - {path: carriers.atlantic.failures.silent.repair, median: 2h, p95: 10h}\n"
    )
    answer, wider = told(tmp_path, store, "--parameters-uncertain", str(unsure))
    assert answer.exit_code == 3
    low, high = (
        {row["figure"]: row for row in one["figures"]}["availability"]["predicted"] for one in (found, wider)
    )
    assert high["high"] - high["low"] > 2.0 * (low["high"] - low["low"])


def test_nothing_to_compare_is_one_line(tmp_path):
    files(tmp_path)
    with open_store(f"sqlite:///{tmp_path / 'empty.db'}"):
        pass
    answer, _ = told(tmp_path, tmp_path / "empty.db")
    assert answer.exit_code == 2
    assert len(answer.output.splitlines()) == 1
    assert "no probe of night tells of atlantic" in answer.output


def test_lognormal_is_scaled_with_its_spread(one):
    tables, *_ = one
    mode = replace(
        tables.units[0].modes[0], repair=replace(tables.units[0].modes[0].repair, time=Lognormal(60.0, 300.0))
    )
    made = replace(tables, units=(replace(tables.units[0], modes=(mode,)),))
    law = slower_repairs(made, 2.0).units[0].modes[0].repair.time
    assert (law.mean / mode.repair.time.mean, law.sigma) == pytest.approx((2.0, mode.repair.time.sigma))
    assert Metric.LENGTH.value == "outage_length"
