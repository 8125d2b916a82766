"""What `callsim promise` says, and how."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import callsim
from callsim import study
from callsim.agreements.at_risk import credit_by_target, nines, widened
from callsim.agreements.terms import load_terms
from callsim.cli import main
from sla.remedies import CreditRule
from sla.terms import Terms

ROOT = Path(__file__).parent.parent
ONE_UNIT = str(ROOT / "tests" / "oracles" / "one-unit.yaml")
GOLD = load_terms(ROOT / "scenarios" / "slas" / "gold.yaml")
UNCERTAIN = """\
parameters:
  - {path: platform.groups.unit.failures.hardware.mtbf, failures: 1, over: 2000h}
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["promise", *arguments])
    return result.exit_code, result.output


def test_a_scenario_without_terms_promises_availability(tmp_path):
    out = tmp_path / "runs"
    code, text = run(ONE_UNIT, "--years", "200", "--jobs", "1", "--out", str(out))
    assert code == 0
    assert text.startswith("one-unit: the average is 99.8")
    assert "what one can sign for a month, at a risk of 1 %, is" in text
    assert [line.split()[0] for line in text.splitlines() if line[:1].isdigit() and " %  " in line] == [
        *("0.1", "1", "5", "10"),
    ]
    (folder,) = out.iterdir()
    assert {path.name for path in folder.iterdir()} == {"promise.json", "promise.png", "promise.svg"}
    told = json.loads((folder / "promise.json").read_text())["promise"]
    assert {(row["window"], row["risk"]) for row in told} >= {
        ("month", 0.01),
        ("quarter", 0.1),
        ("year", 0.05),
    }
    monthly = [row["target"]["value"] for row in told if row["window"] == "month"]
    assert monthly == sorted(monthly)


def test_promises_from_python():
    found = callsim.promise(ONE_UNIT, (0.02, 0.2), years=100)
    frame = found.to_frame()
    assert set(frame["window"]) == {"month", "quarter", "year"}
    assert frame.groupby("window")["target"].apply(lambda t: t.is_monotonic_increasing).all()
    assert (found.years, found.result.study.years, found.draws) == (100, 100, None)
    with pytest.raises(ValueError, match="name the scenario's file"):
        callsim.promise(callsim.load(ONE_UNIT), overrides=["name=other"])


def test_one_objective_at_one_risk(tmp_path):
    five_nines = str(ROOT / "scenarios" / "five-nines.yaml")
    options = ["--years", "40", "--jobs", "1", "--objective", "mttr", "--risk", "2%", "--out", str(tmp_path)]
    code, text = run(five_nines, *options)
    assert code == 0
    assert "MTTR" in text
    assert "Availability\n" not in text
    assert "2 %" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "mtr"], "the terms promise no mtr; there is availability"),
        (["--risk", "100%"], "a risk is more than 0% and less than 100%"),
        (["--risk", "1"], "1 has no unit; write a share in percent, like 5%"),
        (
            ["--parameters-uncertain", "nowhere.yaml"],
            "nowhere.yaml: cannot be read: no such file or directory",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, message, tmp_path):
    code, text = run(ONE_UNIT, *arguments, "--out", str(tmp_path / "runs"))
    assert code == 2
    assert message in text
    assert not (tmp_path / "runs").exists()


def test_what_is_not_known_makes_promises_smaller(tmp_path):
    file = tmp_path / "known.yaml"
    file.write_text(UNCERTAIN)
    options = ["--years", "400", "--jobs", "1", "--risk", "10%", "--json", "-", "--out", str(tmp_path)]
    monthly = []
    for more in ([], ["--parameters-uncertain", str(file)]):
        code, text = run(ONE_UNIT, *options, *more)
        assert code == 0
        (row,) = (row for row in json.loads(text)["promise"] if row["window"] == "month")
        monthly.append(row["target"])
    sure, unsure = monthly
    told = json.loads(text)
    assert (told["years"], told["uncertain"]["draws"], told["seed"]) == (400, 100, 1)
    assert unsure["value"] < sure["low"]
    assert unsure["low"] < unsure["value"] <= unsure["high"]


def test_terms_are_widened_to_all_windows():
    wide = widened(GOLD, None)
    kinds = [(o.name, o.window) for o in wide.objectives]
    assert kinds[:3] == [("availability", "month"), ("availability", "quarter"), ("availability", "year")]
    assert len(kinds) == 3 * len({name for name, _ in kinds}) == 15
    assert (wide.credits, wide.chronic, wide.measured) == ((), None, GOLD.measured)


@pytest.mark.parametrize(("availability", "many"), [(0.9, 1), (0.99, 2), (0.9995, 3), (0.99999, 5), (0.5, 0)])
def test_nines(availability, many):
    assert nines(availability) == many


def test_credits_by_target_are_those_of_the_terms_at_their_own_target():
    rule = GOLD.credits[0]
    rng = np.random.default_rng(1)
    actual = 1 - 10 ** rng.uniform(-7, -1, 5000)
    paid = np.select([actual < 0.99, actual < 0.999, actual < 0.9999], [0.5, 0.25, 0.1], 0.0)
    found = credit_by_target(rule, actual, np.array([0.9999, 1.0]))
    assert found[0] == pytest.approx(paid.mean())
    assert found[1] == pytest.approx(np.maximum(paid, 0.1).mean())
    flat = CreditRule.model_validate({"objective": "availability", "flat": "5%"})
    assert credit_by_target(flat, actual, np.array([0.999]))[0] == pytest.approx(
        0.05 * np.mean(actual < 0.999)
    )


def test_terms_without_objectives_still_tell_their_availability():
    only_unknown = Terms.model_validate({"unknown": ["all"]})
    assert {o.name for o in widened(only_unknown).objectives} == {"availability"}


def interrupted_at(monkeypatch, part: int) -> None:
    """Let Ctrl-C come while the given part of the years is played."""
    played = []

    def play(work, number, years, whole=study._Work.play):
        played.append(number)
        if len(played) == part:
            raise KeyboardInterrupt
        return whole(work, number, years)

    monkeypatch.setattr("callsim.study._Work.play", play)


def test_ctrl_c_tells_what_is_known(monkeypatch, tmp_path):
    interrupted_at(monkeypatch, 3)
    code, text = run(ONE_UNIT, "--years", "2000", "--jobs", "1", "--out", str(tmp_path))
    assert code == 130
    assert text.startswith("PARTIAL: interrupted after ")
    (folder,) = tmp_path.iterdir()
    told = json.loads((folder / "promise.json").read_text())
    assert told["partial"] == f"interrupted after {told['years']} years"
    assert 0 < told["years"] < 2000


def test_an_uncertain_promise_interrupted_keeps_its_whole_draws(monkeypatch, tmp_path):
    (tmp_path / "known.yaml").write_text(UNCERTAIN)
    interrupted_at(monkeypatch, 8)
    arguments = ["--years", "400", "--jobs", "1", "--out", str(tmp_path / "runs")]
    code, text = run(ONE_UNIT, *arguments, "--parameters-uncertain", str(tmp_path / "known.yaml"))
    assert code == 130, text
    assert text.startswith("PARTIAL: interrupted after 28 years")
    (folder,) = (tmp_path / "runs").iterdir()
    told = json.loads((folder / "promise.json").read_text())
    assert (told["uncertain"]["draws"], told["years"]) == (7, 28)
