"""Bad scenario files, each with exactly what is said about it."""

import random
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from callsim.errors import ScenarioError
from callsim.exits import Exit
from callsim.scenario.load import check_files, load_scenario

TABLE = YAML(typ="safe").load(Path(__file__).with_name("bad_files.yaml"))
SCENARIOS = Path(__file__).parent.parent / "scenarios"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that messages name files as `bad.yaml`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(text: str | bytes) -> list[str]:
    """What is said about a file with this text."""
    Path("bad.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return [str(problem).removeprefix("bad.yaml:").strip() for problem in check_files(["bad.yaml"])]


@pytest.mark.parametrize("good", ["good", "good_voice"])
def test_the_good_ones_are_good(folder, good):
    assert said(TABLE[good]) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [("good", bad) for bad in TABLE["bad"]] + [("good_voice", bad) for bad in TABLE["bad_voice"]],
    ids=lambda part: part["case"] if isinstance(part, dict) else part,
)
def test_every_mistake_is_named_with_its_line_and_what_would_be_right(folder, good, bad):
    assert TABLE[good].count(bad["old"]) == 1
    assert said(TABLE[good].replace(bad["old"], bad["new"])) == bad["says"]


def test_the_mistakes_of_a_file_are_told_in_one_go(folder):
    # One from each stage: YAML, keys and values, and how the parts fit together.
    text = TABLE["good"].replace("name: good", "name: !x good").replace("channels: 60", "channels: many")
    text = text.replace("routes: [atlantic, boreal]", "routes: [atlantic, borael]").replace(
        "mtbf: 4y", "mtbf: 4"
    )
    assert said(text) == [
        "1: name: a tag, !x; leave it out",
        "8: platform.sites.east.failures.power.mtbf: 4 has no unit; write a duration, like 4s or 15m",
        "33: carriers.atlantic.channels: 'many' is not a count; write a bare number, like 2",
        "43: routing.routes.1: no carrier is called 'borael'; did you mean 'boreal'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; a scenario begins like `name: five-nines`"),
        ("# nothing but a comment\n", "empty; a scenario begins like `name: five-nines`"),
        ("{}", "empty; a scenario begins like `name: five-nines`"),
        ("tests: []\nguard: {}\n", "is a plan, not a scenario; a scenario begins like `name: five-nines`"),
        ("objectives: []\n", "is a terms file, not a scenario; a scenario begins like `name: five-nines`"),
        ("- name: x\n", "a list, not a mapping; a scenario begins like `name: five-nines`"),
        ("name", "'name', not a mapping; a scenario begins like `name: five-nines`"),
        (b"name: x\ntitle: caf\xe9\n", "2: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"name: x\n\x00", "2: character U+0000 is not allowed; delete it"),
        ("x" * 1_500_000, "1.5 MB; a scenario has at most 1 MB"),
        ("[" * 2000, "nested too deeply; a scenario has at most 40 levels"),
    ],
)
def test_what_is_no_scenario_at_all(folder, text, message):
    assert said(text) == [message]


def test_deep_nesting_is_told_where_it_gets_too_deep(folder):
    deep = "{any: [" * 30 + "sbc" + "]}" * 30
    text = TABLE["good"].replace("  crews:", f"  works_when: {deep}\n  crews:")
    assert said(text) == [
        "20: platform.works_when"
        + ".any.0" * 19
        + ".any: nested too deeply; a scenario has at most 40 levels"
    ]


def test_a_file_that_is_not_there_and_one_that_is_a_folder(folder):
    (folder / "dir.yaml").mkdir()
    assert [str(problem) for problem in check_files(["none.yaml", "dir.yaml", "a\0b"])] == [
        "none.yaml: cannot be read: no such file or directory",
        "dir.yaml: is a folder; name a file in it",
        "a\\x00b: is not a file name",
    ]


@pytest.mark.parametrize(
    ("csv", "messages"),
    [
        ("5m\n7\n", ["d.csv line 2: 7 has no unit; write a duration, like 7s or 15m"]),
        ("repair\n\n", ["d.csv has no duration above 0; write one a row, like 15m"]),
        (
            "repair\n5m,6m\n",
            ["d.csv line 2: '5m,6m' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"],
        ),
        (b"\xff\xfe5", ["d.csv is not UTF-8 text; write one duration a row"]),
        (
            "repair\nx\n5m\ny\n",
            [
                "d.csv line 2: 'x' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m",
                "d.csv line 4: 'y' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m",
            ],
        ),
    ],
)
def test_a_bad_file_of_durations_is_told_its_own_line(folder, csv, messages):
    Path("d.csv").write_bytes(csv.encode() if isinstance(csv, str) else csv)
    where = "35: carriers.atlantic.failures.silent.repair.empirical: "
    assert said(TABLE["good"].replace("repair: 14m", "repair: {empirical: d.csv}")) == [
        where + message for message in messages
    ]


def test_a_scenario_error_carries_its_problems_and_exit_code(folder):
    Path("bad.yaml").write_text("name: x\nstarts: 2026-01-02\ntimezone: Mars\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario("bad.yaml")
    assert raised.value.exit_code is Exit.USAGE
    assert [(problem.line, problem.path) for problem in raised.value.problems] == [
        (1, ""),
        (2, "starts"),
        (3, "timezone"),
    ]
    assert str(raised.value).splitlines()[1] == (
        "bad.yaml:2: starts: 2026-01-02 is not the first of a month; write 2026-01-01"
    )


def test_no_damage_to_a_file_ends_in_a_traceback(folder):
    rng = random.Random(20)
    pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        " ",
        "\t",
        "\n",
        "'",
        '"',
        "&a ",
        "*a",
        "!",
        "%",
        "#",
        "-",
        "0",
        "\x00",
        "\u2028",
    ]
    texts = [file.read_text() for file in sorted(SCENARIOS.glob("*.yaml"))] + [TABLE["good_voice"]]
    for _ in range(60):
        text = rng.choice(texts)
        at, cut = rng.randrange(len(text)), rng.choice([0, 0, 1, 30])
        damaged = text[:at] + rng.choice(pieces) + text[at + cut :]
        for line in said(damaged):
            assert line.isprintable()
