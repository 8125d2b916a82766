"""The year that a run's folder tells as agreements are judged on it."""

from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from ledger_cases import same
from ledger_plays import SCENARIOS, Played

from callsim import runs
from callsim.agreements.terms import load_terms
from callsim.api import simulate
from callsim.cli import main
from callsim.ledgers.outage_csv import outages_text, read_outages
from callsim.plots import bad_year
from callsim.scenario.load import load_scenario
from results.ledger import Kind
from results.ledger_file import ledger_text, parse_ledger, read_ledger
from sla.assess import assess

SCENARIO = """\
name: pbx
starts: 2026-01-01
platform:
  groups:
    - {name: pbx, units: 1, need: 1, failures: [{mode: hardware, mtbf: 60d, repair: 2h}]}
"""
PROMISED = """\
sla: {objectives: [{name: availability, at_least: 99.9%}]}
customers:
  - {name: acme, handsets: {count: 120, mtbf: 12y, exchange: 2d}}
  - {name: bolt}
"""


@pytest.fixture
def written(tmp_path):
    """Write the folder of a run of 20 years."""

    def write(text):
        file = tmp_path / "pbx.yaml"
        file.write_text(text)
        result = simulate(load_scenario(file), 20)
        folder = tmp_path / "run"
        folder.mkdir()
        runs.write_run(folder, result, file, [], {})
        return folder, result

    return write


def test_the_typical_bad_year_is_told_as_outages_and_as_ledgers(written):
    folder, result = written(SCENARIO + PROMISED)
    stretch, begin, end = bad_year(result)
    ledger = read_ledger(folder / "ledger.json")
    assert (ledger.start, ledger.end) == (
        result.study.tables.zone.origin + begin,
        result.study.tables.zone.origin + end,
    )
    down = stretch.outages.down_before(np.array([begin, end]))
    within = np.clip(ledger.outages.end, None, ledger.end) - np.clip(ledger.outages.start, ledger.start, None)
    assert within.sum() == pytest.approx(np.diff(down)[0], abs=0.05)
    assert within.sum() > 6 * 7200.0
    by_hand, warnings = read_outages(folder / "year-outages.csv", (ledger.start, ledger.end))
    assert warnings == []
    assert same(by_hand.outages.start, ledger.outages.start)
    assert same(by_hand.outages.end, ledger.outages.end)
    assert {file.name for file in folder.glob("ledger*")} == {"ledger.json", "ledger-acme.json"}
    acme = read_ledger(folder / "ledger-acme.json")
    assert acme.requests.kinds == (Kind.EXCHANGE,)
    assert acme.start <= acme.requests.opened.min() <= acme.requests.opened.max() < acme.end


def test_without_a_promise_there_is_nothing_to_judge(written):
    folder, _ = written(SCENARIO)
    assert (folder / "outages.csv").exists()
    assert not list(folder.glob("*ledger*"))
    assert not (folder / "year-outages.csv").exists()


def test_each_year_as_csv_or_json_is_worth_what_the_run_counted(tmp_path):
    played = Played(SCENARIOS / "two-carriers-shared-building.yaml", 40)
    terms = load_terms(SCENARIOS / "slas" / "ms-teams-phone-2021.yaml")
    counted = assess(terms, played.ledger).credits
    assert np.count_nonzero(counted.due) > 10
    starts = (played.ledger.start + played.plan.zone.year_starts(40)).tolist()
    file = tmp_path / "year.csv"
    for start, end in pairwise(starts[:20]):
        year = played.ledger.between(start, end)
        file.write_text(outages_text(year, "America/New_York"), encoding="utf-8")
        by_hand, _ = read_outages(file, (start, end))
        mine = (counted.windows.start >= start) & (counted.windows.end <= end)
        for ledger in (by_hand, parse_ledger(ledger_text(year))):
            found = assess(terms, ledger).credits
            assert found.windows.start.tolist() == counted.windows.start[mine].tolist()
            assert found.due.tolist() == counted.due[mine].tolist()


def test_the_copy_of_a_scenario_runs_again_with_the_terms_it_names(tmp_path):
    home = tmp_path / "mine"
    (home / "terms").mkdir(parents=True)
    base = "name: base\nlevel: corporate\nobjectives: [{name: availability, at_least: 99%}]\n"
    (home / "terms" / "base.yaml").write_text(base)
    (home / "terms" / "own.yaml").write_text("name: own\nlevel: service\nextends: base.yaml\n")
    (home / "lives.csv").write_text("\n".join(f"{n}h" for n in range(500, 600)) + "\n")
    (home / "s.yaml").write_text(
        "name: s\nstarts: 2026-01-01\nsla: terms/own.yaml\n"
        "platform: {groups: [{name: unit, units: 1, need: 1, failures:"
        " [{mode: hardware, mtbf: {empirical: lives.csv}, repair: 2h}]}]}\n"
    )
    out = tmp_path / "runs"
    options = ["--years", "5", "--jobs", "1", "--quiet"]
    first = CliRunner().invoke(main, ["run", str(home / "s.yaml"), *options, "--out", str(out)])
    assert first.exit_code in (0, 1, 3), first.output
    (folder,) = out.iterdir()
    again = CliRunner().invoke(
        main, ["run", str(folder / "scenario.yaml"), *options, "--out", str(tmp_path / "2")]
    )
    assert again.output == first.output
