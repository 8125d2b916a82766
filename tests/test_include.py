"""Carrier files that a scenario includes: what wins, where it stands, what can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

import callsim
from callsim.cli import main
from callsim.errors import ScenarioError
from callsim.scenario.companions import companions
from callsim.scenario.load import check_files, load_scenario, scenario_hash
from callsim.scenario.schema import json_schema
from callsim.scenario.tree import parse
from carriers.laws import Exponential, Fixed, Lognormal, Weibull

ROOT = Path(__file__).parent.parent
PROFILES = sorted((ROOT / "scenarios" / "carriers").glob("*.yaml"))

FITTED = """\
format: 1
source: "outages-2025.csv"
carriers:
  - name: atlantic
    failures:
      - {mode: silent, mtbf: {scale: 58d, shape: 0.8}, repair: {median: 41m, p95: 4.2h}}
      - {mode: refuses, name: refusals, mtbf: 33d, repair: {exponential: 20m}}
uncertain:
  - {path: carriers.atlantic.failures.silent.mtbf, log_errors: {scale: 0.31, shape: 0.18}, correlation: 0.2}
  - {path: carriers.atlantic.failures.refusals.mtbf, failures: 11, over: 365d}
"""
SCENARIO = """\
name: office
include: [fitted.yaml]
starts: 2026-01-01
traffic: {busy_hour_calls: 300, hold_time: 3m}
carriers:
  - {name: atlantic, trunks: ["sip:a.example"]}
  - {name: boreal, trunks: ["sip:b.example"], failures: [{mode: silent, mtbf: 90d, repair: 20m}]}
routing: {order: priority, routes: [atlantic, boreal]}
simulation: {years: 20, seed: 1}
"""


class Files:
    """A folder with a scenario and the carrier file that it includes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scenario = self.write("office.yaml", SCENARIO)
        self.fitted = self.write("fitted.yaml", FITTED)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def edit(self, file: Path, old: str, new: str) -> None:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def carriers(self, *overrides: str):
        return {carrier.name: carrier for carrier in load_scenario(self.scenario, overrides).carriers}

    def paths(self, *overrides: str) -> list[str]:
        return [parameter.path for parameter in load_scenario(self.scenario, overrides).uncertain]

    def wrong(self, *overrides: str) -> list[str]:
        with pytest.raises(ScenarioError) as raised:
            load_scenario(self.scenario, overrides)
        return [line.replace(f"{self.folder}/", "") for line in str(raised.value).splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# ---- what wins


def test_what_the_scenario_does_not_say_is_the_files(files):
    silent, refusals = files.carriers()["atlantic"].failures
    assert silent.mtbf == Weibull(58 * 86400.0, 0.8)
    assert silent.repair == Lognormal(41 * 60.0, 4.2 * 3600)
    assert (refusals.mode, refusals.name, refusals.repair) == ("refuses", "refusals", Exponential(1200.0))
    assert files.carriers()["boreal"].failures[0].mtbf == Exponential(90 * 86400.0)


def test_the_scenarios_own_values_win_and_laws_are_whole(files):
    own = "failures: [{mode: silent, mtbf: 100d}, {mode: slow, post_dial_delay: 9s, mtbf: 1y, repair: 1h}]}"
    files.edit(files.scenario, '"sip:a.example"]}', f'"sip:a.example"], {own}')
    silent, slow, refusals = files.carriers()["atlantic"].failures
    assert silent.mtbf == Exponential(100 * 86400.0)  # and nothing is left of the other law
    assert silent.repair == Lognormal(41 * 60.0, 4.2 * 3600)
    assert (slow.mode, refusals.name) == ("slow", "refusals")


def test_staged_repairs_and_laws_do_not_mix(files):
    own = "failures: [{mode: silent, repair: {automatic: true, time: 5m}}]}"
    files.edit(files.scenario, '"sip:a.example"]}', f'"sip:a.example"], {own}')
    assert files.carriers()["atlantic"].failures[0].repair.time == Fixed(300.0)


def test_of_two_files_the_later_one_wins(files):
    files.write("newer.yaml", FITTED.replace("scale: 58d", "scale: 70d"))
    files.edit(files.scenario, "[fitted.yaml]", "[fitted.yaml, newer.yaml]")
    assert files.carriers()["atlantic"].failures[0].mtbf == Weibull(70 * 86400.0, 0.8)
    assert len(files.paths()) == 2
    assert (
        files.carriers("include=[newer.yaml, fitted.yaml]")["atlantic"].failures[0].mtbf.scale == 58 * 86400
    )


def test_files_include_files(files):
    files.write("deep/base.yaml", "source: base\ncarriers:\n  - {name: atlantic, channels: 30}\n")
    files.write("deep/middle.yaml", "source: middle\ninclude: [base.yaml]\n")
    files.edit(files.scenario, "[fitted.yaml]", "[fitted.yaml, deep/middle.yaml]")
    atlantic = files.carriers()["atlantic"]
    assert (atlantic.channels, len(atlantic.failures)) == (30, 2)


def test_carriers_get_other_names(files):
    files.edit(files.scenario, "[fitted.yaml]", "[fitted.yaml, {file: fitted.yaml, as: {atlantic: boreal}}]")
    silent, refusals = files.carriers()["boreal"].failures
    assert (silent.mtbf, refusals.name) == (Exponential(90 * 86400.0), "refusals")
    assert sorted(files.paths()) == [
        "carriers.atlantic.failures.refusals.mtbf",
        "carriers.atlantic.failures.silent.mtbf",
        "carriers.boreal.failures.refusals.mtbf",
    ]


def test_values_of_the_command_line_win_over_all(files):
    path = "carriers.atlantic.failures.silent.mtbf"
    assert files.carriers(f"{path}=5d")["atlantic"].failures[0].mtbf == Exponential(5 * 86400.0)
    assert files.paths(f"{path}=5d") == ["carriers.atlantic.failures.refusals.mtbf"]
    assert files.paths(f"{path}.shape=1.5") == ["carriers.atlantic.failures.refusals.mtbf"]


def test_what_the_scenario_says_itself_is_not_uncertain_by_a_file(files):
    own = "failures: [{mode: silent, mtbf: 100d}]}"
    files.edit(files.scenario, '"sip:a.example"]}', f'"sip:a.example"], {own}')
    assert files.paths() == ["carriers.atlantic.failures.refusals.mtbf"]
    files.edit(
        files.scenario,
        "simulation:",
        "uncertain: [{path: carriers.atlantic.failures.refusals.mtbf, failures: 1, over: 1y}]\nsimulation:",
    )
    (own_word,) = load_scenario(files.scenario).uncertain
    assert own_word.failures == 1


def test_names_of_files_start_from_the_file_that_has_them(files):
    files.write("logs/repairs.csv", "10m\n20m\n")
    files.write(
        "logs/measured.yaml",
        "source: log\ncarriers:\n  - name: boreal\n    failures:\n"
        "      - {mode: refuses, mtbf: 30d, repair: {empirical: repairs.csv}}\n",
    )
    files.edit(files.scenario, "[fitted.yaml]", "[fitted.yaml, logs/measured.yaml]")
    assert files.carriers()["boreal"].failures[1].repair.values == (600.0, 1200.0)
    named = {file.name for file in companions(files.scenario)}
    assert named == {"fitted.yaml", "measured.yaml", "repairs.csv"}


# ---- what it is worth


def test_the_hash_covers_what_is_included(files):
    before = scenario_hash(load_scenario(files.scenario))
    files.edit(files.fitted, "scale: 58d", "scale: 59d")
    after = scenario_hash(load_scenario(files.scenario))
    assert before != after
    # Written out it is the same.
    whole = parse(FITTED.replace("58d", "59d")).data
    bare = SCENARIO.replace("include: [fitted.yaml]\n", "").replace(
        '{name: atlantic, trunks: ["sip:a.example"]}',
        json.dumps(whole["carriers"][0] | {"trunks": ["sip:a.example"]}),
    )
    uncertain = f"uncertain: {json.dumps(whole['uncertain'])}\n"
    assert scenario_hash(load_scenario(files.write("bare.yaml", bare + uncertain))) == after


def test_a_run_brings_the_file_along(files, tmp_path):
    out = tmp_path / "runs"
    done = CliRunner().invoke(main, ["run", str(files.scenario), "--jobs", "1", "--out", str(out)])
    assert done.exit_code == 0, done.output
    (folder,) = out.iterdir()
    assert (folder / "fitted.yaml").read_text() == FITTED
    told = json.loads((folder / "result.json").read_text())
    assert told["scenario_hash"] == scenario_hash(load_scenario(folder / "scenario.yaml"))


def test_editors_know_it(files):
    schema = json_schema()
    given = parse(SCENARIO.replace("[fitted.yaml]", "[fitted.yaml, {file: x.yaml, as: {a: b}}]")).data
    jsonschema.validate(given, schema)
    jsonschema.validate(given | {"uncertain": parse(FITTED).data["uncertain"]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given | {"include": [{"as": {"a": "b"}}]}, schema)


# ---- what can be wrong


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "shape: 0.8",
            "shape: 800",
            "6: carriers.atlantic.failures.silent.mtbf.shape: 800 is out of range; ",
        ),
        ("scale: 58d", "scale: 58", "6: carriers.atlantic.failures.silent.mtbf.scale: 58 has no unit; "),
        (
            "mode: refuses",
            "mode: refuse",
            "7: carriers.atlantic.failures.refusals.mode: 'refuse' is not known ",
        ),
        ("source:", "sources:", "1: source: missing; write for example `source: "),
        ("format: 1", "format: 2", "1: format: 2 is not known here; write 1"),
        ("carriers:", "carrier:", "3: carrier: unknown key; did you mean 'carriers'?"),
        ("name: refusals", "nmae: x, name: x", "7: carriers.atlantic.failures.x.nmae: unknown key; did you "),
        (
            "failures: 11",
            "failures: 11, median: 3d",
            "10: uncertain.1.failures: write either `failures` and ",
        ),
        ("name: atlantic", "name: atlantic, name: b", "4: not YAML here: a second ':' in the line; quote "),
        (
            "shape: 0.8}",
            "shape: 0.8, shape: 1}",
            "6: carriers.atlantic.failures.silent.mtbf.shape: stands here ",
        ),
        (
            "silent.mtbf,",
            "silnt.mtbf,",
            "9: uncertain.0.path: no part of failures is called 'silnt'; did you ",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(files, old, new, message):
    files.edit(files.fitted, old, new)
    lines = files.wrong()
    assert any(line.startswith(f"fitted.yaml:{message}") for line in lines), lines


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("[fited.yaml]", "office.yaml:2: include.0: there is no file "),
        ("fitted.yaml", "office.yaml:2: include: 'fitted.yaml' is not a list; "),
        ("[7]", "office.yaml:2: include.0: 7 is not a mapping; write it like {file: carriers/"),
        ("[{fille: fitted.yaml}]", "office.yaml:2: include.0.fille: unknown key; did you mean 'file'?"),
        (
            "[{file: fitted.yaml, as: {atlntic: boreal}}]",
            "office.yaml:2: include.0.as.atlntic: no carrier in it is called 'atlntic'; did you mean 'atlan",
        ),
        ("[{file: fitted.yaml, as: {}}]", "office.yaml:2: include.0.as: empty; write {its-name: our-name}, "),
        (
            "[office.yaml]",
            "office.yaml:2: include.0: a circle: office.yaml includes office.yaml; leave one out",
        ),
    ],
)
def test_an_include_that_cannot_be(files, include, message):
    files.edit(files.scenario, "[fitted.yaml]", include)
    lines = files.wrong()
    assert any(line.startswith(message) for line in lines), lines


def test_a_circle_of_files(files):
    files.write("one.yaml", "source: one\ninclude: [two.yaml]\n")
    files.write("two.yaml", "source: two\ninclude: [one.yaml]\n")
    files.edit(files.scenario, "[fitted.yaml]", "[one.yaml]")
    assert files.wrong() == [
        "two.yaml:2: include.0: a circle: one.yaml includes two.yaml includes one.yaml; leave one out"
    ]


def test_the_command_line_names_files_too(files):
    assert files.wrong("include=[nowhere.yaml]")[0].startswith("office.yaml:2: include.0: there is no file ")


def test_two_of_a_name_cannot_be_merged(files):
    own = "failures: [{mode: silent, trunk: 1, mtbf: 9d, repair: 1h}, {mode: silent, mtbf: 9d, repair: 1h}]}"
    files.edit(files.scenario, '"sip:a.example"]}', f'"sip:a.example"], {own}')
    (line,) = files.wrong()
    assert line.startswith(
        "fitted.yaml:6: carriers.atlantic.failures.silent: several are called 'silent', here "
    )
    assert line.endswith("give each its own `name`")


def test_renaming_is_for_files_of_carriers(files):
    files.edit(files.fitted, "carriers:", "timezone: Europe/Paris\ncarriers:")
    files.edit(files.scenario, "[fitted.yaml]", "[{file: fitted.yaml, as: {atlantic: boreal}}]")
    (line,) = files.wrong()
    assert "renames carriers, but " in line
    assert line.endswith("has `timezone` too; include it without `as`")


def test_a_carrier_file_is_checked_by_itself(files):
    assert check_files([files.fitted]) == []
    files.edit(files.fitted, "shape: 0.8", "shape: 0")
    (problem,) = check_files([files.fitted])
    assert (problem.line, problem.path) == (6, "carriers.atlantic.failures.silent.mtbf.shape")
    done = CliRunner().invoke(main, ["check", str(files.fitted)])
    assert (done.exit_code, "out of range" in done.output) == (2, True)
    (nameless,) = check_files([files.write("no.yaml", "source: log\nuncertain: [{failures: 1, over: 1y}]\n")])
    assert (nameless.line, nameless.path) == (2, "uncertain.0.path")
    only_repair = "source: log\ncarriers:\n  - {name: a, failures: [{mode: poor_audio, repair: 20m}]}\n"
    assert check_files([files.write("part.yaml", only_repair)]) == []


# ---- the ready-made profiles


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_ready_made_profile_plays_in_a_scenario(profile, tmp_path):
    assert check_files([profile]) == []
    text = profile.read_text("utf-8")
    assert "# Assumed:" in text
    assert "# Published:" in text
    (carrier,) = parse(text).data["carriers"]
    scenario = tmp_path / "one.yaml"
    scenario.write_text(
        f"name: one\nstarts: 2026-01-01\ninclude: [{{file: {profile}, as: {{{carrier['name']}: ours}}}}]\n"
        "traffic: {busy_hour_calls: 300, hold_time: 3m}\n"
        'carriers: [{name: ours, trunks: ["sip:a.example"]}]\n'
        "routing: {order: priority, routes: [ours]}\n"
    )
    result = callsim.simulate(scenario, 40)
    down = sum(
        failure.repair.mean / (failure.mtbf.mean + failure.repair.mean)
        for failure in result.scenario.carriers[0].failures
        if failure.mode != "maintenance"
    )
    bounds = result.downtime_min_per_year
    assert bounds.lower is not None
    assert bounds.upper is not None
    expected = down * 365.25 * 1440
    assert 0.2 * bounds.lower < expected < 5 * bounds.upper


def test_there_are_profiles():
    assert len(PROFILES) >= 5
