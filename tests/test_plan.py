"""Plans: the examples, every kind of mistake, secrets that are never shown."""

import json
import random
import re
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from callgen.messages import Secret
from callsim import cli
from callsim.errors import ScenarioError
from callsim.plan import Plan, Reference, SecretError, check_plan, is_plan, load_plan, read_secret
from callsim.scenario.calls import Routing
from callsim.scenario.schema import json_schema

TABLE = YAML(typ="safe").load(Path(__file__).with_name("bad_plans.yaml"))
ROOT = Path(__file__).parent.parent
PLANS = sorted((ROOT / "scenarios" / "plans").glob("*.yaml"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that messages name files as `bad.yaml`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(text: str) -> list[str]:
    Path("bad.yaml").write_text(text)
    return [str(problem).removeprefix("bad.yaml:").strip() for problem in check_plan("bad.yaml")]


def test_the_good_one_is_good(folder):
    assert said(TABLE["good"]) == []


@pytest.mark.parametrize("bad", TABLE["bad"], ids=lambda bad: bad["case"])
def test_every_mistake_is_named_with_its_line_and_what_would_be_right(folder, bad):
    assert TABLE["good"].count(bad["old"]) == 1
    assert said(TABLE["good"].replace(bad["old"], bad["new"])) == bad["says"]


def test_no_message_repeats_a_secret(folder):
    secret = "hunter2"
    for bad in TABLE["bad"]:
        if secret in bad["new"]:
            assert not any(secret in line for line in said(TABLE["good"].replace(bad["old"], bad["new"])))
    Path("good.yaml").write_text(TABLE["good"])
    with pytest.raises(ScenarioError) as raised:
        load_plan("good.yaml", [f"trunks.1.password={secret}"])
    assert str(raised.value) == (
        "--set trunks.1.password: a plan never holds a secret as text; write env:NAME or file:PATH"
    )


def test_an_empty_file_is_told_how_a_plan_begins(folder):
    assert said("") == ["empty; a plan begins like `name: production-trunks`"]


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_shipped_plans_are_good_and_fit_the_schema(file):
    assert check_plan(file) == []
    jsonschema.validate(YAML(typ="safe").load(file), json_schema(Plan))


def test_what_a_plan_says_is_what_is_read(folder):
    Path("good.yaml").write_text(TABLE["good"])
    plan = load_plan("good.yaml", ["guard.at_once=3"])
    assert plan.trunk_names() == ("atlantic/1", "boreal/1", "boreal/2")
    assert (plan.trunks_of("boreal"), plan.trunks_of("boreal/2"), plan.trunks_of("x")) == ((1, 2), (2,), ())
    assert plan.trunks[0].password == Reference("file", "a.secret")
    assert plan.guard.at_once == 3
    test = plan.tests[0]
    assert (test.every, test.jitter, test.talk, test.expect.dtmf) == (300.0, 30.0, 12.0, "1234#")
    assert plan.tests[1].over == ("route",)
    assert type(plan.routing) is Routing


def test_a_secret_is_read_where_the_plan_says_and_is_never_shown(folder, monkeypatch):
    monkeypatch.setenv("A_USER", "alice")
    Path("a.secret").write_text("hunter2\nmore\n")
    user = read_secret(Reference("env", "A_USER"), "atlantic/1: username", folder)
    password = read_secret(Reference("file", "a.secret"), "atlantic/1: password", folder)
    assert (user, password) == (Secret("alice"), Secret("hunter2"))
    assert f"{password} {password!r}" == "*** ***"


@pytest.mark.parametrize(
    ("reference", "content", "message"),
    [
        (Reference("env", "NOT_SET"), None, "b: the environment has no NOT_SET"),
        (Reference("file", "s"), None, "b: s cannot be read: no such file or directory"),
        (Reference("file", "s"), b"\nhunter2", "b: the first line of s is empty"),
        (Reference("file", "s"), b"\xff", "b: s is not UTF-8 text"),
    ],
)
def test_a_secret_that_is_not_there(folder, monkeypatch, reference, content, message):
    monkeypatch.delenv("NOT_SET", raising=False)
    if content is not None:
        Path("s").write_bytes(content)
    with pytest.raises(SecretError) as raised:
        read_secret(reference, "b", Path())
    assert str(raised.value) == message


def test_check_tells_a_plan_from_a_scenario_and_schema_knows_both(folder):
    Path("plan.yaml").write_text(TABLE["good"].replace("at_once: 2", "at_once: two"))
    scenario = ROOT / "scenarios" / "five-nines.yaml"
    assert is_plan("plan.yaml")
    assert not is_plan(scenario)
    checked = CliRunner().invoke(cli.main, ["check", "plan.yaml", str(scenario)])
    assert checked.exit_code == 2
    assert checked.stderr == (
        "plan.yaml:31: guard.at_once: 'two' is not a count; write a bare number, like 2\n"
    )
    assert checked.stdout == f"{scenario}: ok\n"
    shown = CliRunner().invoke(cli.main, ["schema", "--plan"])
    assert "trunks" in json.loads(shown.stdout)["properties"]


def test_no_damage_to_a_plan_ends_in_a_traceback(folder):
    rng = random.Random(7)
    junk = ["5", "[]", "{}", "[1, {a: 2}]", "true", "''", "-1", "1e400", "!x y", "\x00", "}", '"+1"']
    for _ in range(60):
        text = TABLE["good"]
        for _ in range(rng.choice([1, 1, 3])):
            spot = rng.choice(list(re.finditer(r": ([^,{}\[\]\n]+)", text)))
            text = text[: spot.start(1)] + rng.choice(junk) + text[spot.end(1) :]
        for line in said(text):
            assert line.isprintable()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('allow: ["+120255501"]', 'allow: ["+1646"]', "tests.echo-number.to: '+12025550100': number not on"),
        ("calls_per_day: 1200", "calls_per_day: 100", "calls_per_day: "),
    ],
)
def test_check_says_what_the_guard_would_refuse(folder, old, new, why):
    Path("bad.yaml").write_text(PLANS[1].read_text().replace(old, new))
    ran = CliRunner().invoke(cli.main, ["check", "bad.yaml"])
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"bad.yaml: {why}")
