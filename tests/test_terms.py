"""Files of terms: how they are read and inherited, and the commands about them."""

import json
import random
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from callsim.agreements.terms import load_terms
from callsim.cli import main
from callsim.errors import ScenarioError
from callsim.exits import Exit
from callsim.scenario.schema import json_schema
from sla.english import english
from sla.terms import Terms

TABLE = YAML(typ="safe").load(Path(__file__).with_name("bad_terms.yaml"))
FOLDER = Path(__file__).parent.parent / "scenarios" / "slas"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that messages name files briefly."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(**files: str) -> list[str]:
    """Write files of terms, and say what is wrong with the last."""
    for name, text in files.items():
        Path(f"{name}.yaml").write_text(text)
    try:
        load_terms(f"{name}.yaml")
    except ScenarioError as error:
        return [str(problem) for problem in error.problems]
    return []


# ---- what is wrong with a file


def test_the_good_one_is_good():
    assert problems(bad=TABLE["good"]) == []


def test_there_are_many_bad_ones():
    assert len({bad["case"] for bad in TABLE["bad"]}) == len(TABLE["bad"]) >= 40


@pytest.mark.parametrize("bad", TABLE["bad"], ids=lambda bad: bad["case"])
def test_every_mistake_is_named_with_its_line_and_what_would_be_right(bad):
    assert TABLE["good"].count(bad["old"]) == 1
    said = problems(bad=TABLE["good"].replace(bad["old"], bad["new"]))
    assert [line.removeprefix("bad.yaml:").strip() for line in said] == bad["says"]


def test_mistakes_are_told_in_one_go():
    text = TABLE["good"].replace("by: error_rate", "by: minutes").replace("cause: customer", "cause: x")
    assert problems(bad=text.replace("name: good", "name: !x good")) == [
        "bad.yaml:1: name: a tag, !x; leave it out",
        "bad.yaml:7: measured.by: 'minutes' is not known here; did you mean 'user_minutes'?",
        "bad.yaml:15: excludes.1.cause: 'x' is not known here; write one of maintenance, "
        "emergency_maintenance, carrier, third_party, customer, access, equipment, capacity, attack, "
        "force_majeure, suspended",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad.yaml: empty; a terms file begins like `name: gold`"),
        ("- a\n", "bad.yaml: a list, not a mapping; a terms file begins like `name: gold`"),
        ("name: [\n", "bad.yaml:2: not YAML here: a bracket that is never closed"),
        (
            "name: x\n",
            "bad.yaml:1: objectives: nothing is promised; write an objective, or what is `unknown`",
        ),
    ],
)
def test_what_are_no_terms_at_all(text, message):
    assert problems(bad=text) == [message]


def test_no_damage_to_a_file_ends_in_a_traceback():
    rng = random.Random(3)
    texts = [TABLE["good"], *(file.read_text() for file in sorted(FOLDER.glob("*.yaml")))]
    pieces = ["{", "]", ":", "\t", "\n", "'", "&a ", "*a", "!", "%", "-", "0", "\x00", "x: ", "null"]
    for _ in range(60):
        text = rng.choice(texts)
        at, cut = rng.randrange(len(text)), rng.choice([0, 1, 30])
        for line in problems(bad=text[:at] + rng.choice(pieces) + text[at + cut :]):
            assert line.isprintable()


def test_terms_whose_promise_is_unknown_are_terms():
    assert problems(bad="name: x\nunknown: [The target]\n") == []


# ---- levels

CORPORATE = """\
name: corporate
level: corporate
currency: EUR
measured: {window: {fixed: 720h}, by: error_rate, over: 1m, down_above: 5%, timezone: Europe/Berlin}
excludes:
  - {cause: customer}
  - {cause: maintenance, notice: 7d}
objectives:
  - {name: availability, at_least: 99.9%, risk: 1%}
  - {name: mttr, at_most: 2h}
credits:
  - {objective: availability, flat: 10%}
claims: {automatic: false, within: 30d}
duties: [GDPR, Emergency address]
unknown: [What a unit is]
"""
SERVICE = """\
name: voice
extends: corporate.yaml
measured: {by: time, window: {rolling: 30d}}
excludes:
  - {cause: maintenance, notice: 2d}
objectives:
  - {name: availability, at_least: 99.99%}
  - {name: availability, window: year, at_least: 99.999%}
credits:
  - {objective: availability, tiers: [{below: 99.99%, credit: 25%}]}
duties: [GDPR, HIPAA]
"""


def test_a_lower_level_overrides_and_adds():
    assert problems(corporate=CORPORATE, voice=SERVICE) == []
    terms = load_terms("voice.yaml")
    assert (terms.name, terms.level, terms.currency) == ("voice", "service", "EUR")
    assert terms.measured.window.rolling == 30 * 86400
    assert (terms.measured.by, terms.measured.over, terms.measured.timezone) == (
        "time",
        None,
        "Europe/Berlin",
    )
    assert [(e.cause, e.notice) for e in terms.excludes] == [("customer", None), ("maintenance", 2 * 86400)]
    assert [(o.name, o.window, o.target) for o in terms.objectives] == [
        ("mttr", None, 7200),
        ("availability", None, 0.9999),
        ("availability", "year", 0.99999),
    ]
    assert terms.objectives[1].risk == 0.05  # an item is replaced whole
    assert [rule.flat for rule in terms.credits] == [None]
    assert terms.claims.within == 30 * 86400
    assert terms.duties == ("Emergency address", "GDPR", "HIPAA")
    assert terms.unknown == ("What a unit is",)


def test_three_levels_and_what_loses_its_meaning():
    customer = "level: customer\nextends: corporate.yaml\nclaims: {automatic: true}\ncaps: {per_month: 50%}\n"
    service = "extends: customer.yaml\ncaps: {stacking: highest}\n"
    assert problems(corporate=CORPORATE, customer=customer, service=service) == []
    terms = load_terms("service.yaml")
    assert terms.claims.automatic
    assert terms.claims.within is None
    assert (terms.caps.per_month, terms.caps.stacking) == (0.5, "highest")
    assert terms.measured.over == 60


def test_files_are_named_from_the_file_that_names_them(folder):
    (folder / "top").mkdir()
    Path("top/corporate.yaml").write_text(CORPORATE)
    assert problems(low=SERVICE.replace("corporate.yaml", "top/corporate.yaml")) == []


def test_errors_of_the_whole_name_the_file_that_each_comes_from():
    above = CORPORATE.replace("at_most: 2h", "at_most: 2").replace("within: 30d", "within: 30x")
    below = SERVICE.replace("99.999%", "99.999").replace("duties: [GDPR, HIPAA]", "duties:")
    assert problems(corporate=above, voice=below) == [
        "corporate.yaml:10: objectives.mttr.at_most: 2 has no unit; write a duration, like 2s or 15m",
        "corporate.yaml:13: claims.within: '30x' is not a duration; "
        "write one like 90s, 15m, 2h, 45d, 4y or 1h30m",
        "voice.yaml:8: objectives.2.at_least: 99.999 has no unit; write a share in percent, like 5%",
        "voice.yaml:11: duties: empty; write a value, or delete the key",
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a": "level: service\nextends: none.yaml"},
            "a.yaml:2: extends: none.yaml: cannot be read: no such file or directory",
        ),
        (
            {"b": "name: b", "a": "extends: b.yaml"},
            "a.yaml:1: extends: b.yaml is of level service, and this of level service; "
            "write `level: corporate or customer` there",
        ),
        (
            {"b": "level: customer", "a": "level: corporate\nextends: b.yaml"},
            "a.yaml:2: extends: b.yaml is of level customer, and this of level corporate; leave it out",
        ),
        (
            {"b": "extends: a.yaml\nlevel: customer", "a": "extends: b.yaml"},
            "b.yaml:1: extends: a.yaml is below these terms itself; a level extends a higher one",
        ),
        (
            {"b": "", "a": "extends: b.yaml"},
            "a.yaml:1: extends: b.yaml: empty; a terms file begins like `name: gold`",
        ),
        (
            {"b": "level: [top]", "a": "level: customer\nextends: b.yaml"},
            "a.yaml:2: extends: b.yaml is of level a list, and this of level customer; "
            "write `level: corporate` there",
        ),
        ({"b": "x: [", "a": "extends: b.yaml"}, "b.yaml:1: not YAML here: a bracket that is never closed"),
        ({"a": 'extends: "b\\0"'}, "a.yaml:1: extends: b\\x00: is not a file name"),
    ],
)
def test_a_level_that_cannot_be_laid_over_another_is_one_error(files, message):
    assert problems(**files) == [message]


# ---- commands


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_check_warns_and_ends_well():
    done = run("sla", "check", FOLDER / "skyswitch-2023.yaml", FOLDER / "neuralicity.yaml")
    assert done.exit_code == Exit.MET
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"{FOLDER / 'skyswitch-2023.yaml'}: warning: credits.0: no tier is printed from 95.1% to 95%; "
        "it pays nothing there (gap_policy: nothing)"
    )
    assert lines[-1] == f"{FOLDER / 'neuralicity.yaml'}: ok"


def test_check_tells_errors_of_all_files():
    Path("a.yaml").write_text("level: x\nobjectives: []\nunknown: [all]\n")
    done = run("sla", "check", "a.yaml", FOLDER / "neuralicity.yaml", "b.yaml")
    assert done.exit_code == Exit.USAGE
    assert done.stderr.splitlines() == [
        "a.yaml:1: level: 'x' is not known here; write one of corporate, customer, service",
        "b.yaml: cannot be read: no such file or directory",
    ]
    assert done.stdout.endswith("neuralicity.yaml: ok\n")


def test_show_prints_plain_english():
    done = run("sla", "show", FOLDER / "gold.yaml")
    assert done.exit_code == Exit.MET
    assert done.stdout == english(load_terms(FOLDER / "gold.yaml")) + "\n"
    assert run("sla", "show", "none.yaml").exit_code == Exit.USAGE


def test_the_schema_of_terms_is_one_and_describes_every_key():
    schema = json.loads(run("schema", "--terms").stdout)
    assert schema == json_schema(Terms)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "Law" not in schema["$defs"]
    for name, model in {"Terms": schema, **schema["$defs"]}.items():
        assert model["additionalProperties"] is False
        for key, value in model["properties"].items():
            described = schema["$defs"].get(value.get("$ref", "").removeprefix("#/$defs/"), {}) | value
            assert described.get("description") or "const" in value, f"{name}.{key}"
            assert "null" not in json.dumps(value), f"{name}.{key}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("window: calendar_month", "window: month"),
        ("cause: customer", "cause: provider"),
        ("quota: 12h/year", "quota: 12h/week"),
        ("name: mttr, at_most: 30m", "name: mttr, at_least: 30m"),
        ("currency: USD", "currency: Dollars"),
        ("credit: 2 service days", "credit: 2 days"),
        ("at_least: 10 attempts", "at_least: 10"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(old, new):
    text = TABLE["good"].replace(old, new)
    assert text != TABLE["good"]
    assert problems(bad=text)
    validator = jsonschema.Draft202012Validator(json_schema(Terms))
    assert validator.is_valid(YAML(typ="safe").load(TABLE["good"]))
    assert not validator.is_valid(YAML(typ="safe").load(text))
