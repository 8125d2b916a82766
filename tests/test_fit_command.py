"""The command `fit`: logs, stores, carrier files, and what a simulation makes of them."""

import json
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner
from reading_cases import DAY, NOW, ONE_TRUNK, probed, written

from callsim.cli import main
from callsim.fitting.fit_command import FitOptions, fit_store
from callsim.scenario.load import load_carrier_file
from carriers.laws import Exponential
from results.store.opening import open_store

YEAR = ("--from", "2026-01-01", "--to", "2027-01-01")
SCENARIO = """
name: one
starts: 2026-01-01
traffic: {busy_hour_calls: 100, hold_time: 3m, profile: flat}
carriers:
  - name: atlantic
    trunks: ["sip:a.example"]
    channels: 100
FAILURES
routing: {order: priority, routes: [atlantic]}
simulation: {years: 40, seed: 5}
"""
FAILURES = "    failures: [{mode: silent, mtbf: 9d, repair: {median: 40m, p95: 4h}}]"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that messages name files as they are given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(*words, code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def fitted(text, *words):
    """What a log comes to, as JSON."""
    Path("log.csv").write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    run("fit", "log.csv", *words, "--json", "found.json")
    return json.loads(Path("found.json").read_text(encoding="utf-8"))


def refused(text, *words):
    Path("log.csv").write_text(text, encoding="utf-8")
    return run("fit", "log.csv", *words, code=2).splitlines()


# ---- logs


def test_a_log_kept_by_hand(folder):
    found = fitted(
        """
        begin,end,unit,mode,ticket
        2026-02-01T10:00,2026-02-01T11:00,atlantic,silent,17
        2026-05-01T10:00+02:00,2026-05-01T08:30Z,atlantic,silent,18
        2026-08-01T00:00,2026-08-01T06:00,atlantic,refuses,19
        2026-12-31T23:00,,atlantic,silent,20
        """,
        *YEAR,
        "--timezone",
        "UTC",
    )
    refuses, silent = found["pairs"]
    assert [refuses["name"], silent["name"]] == ["atlantic/refuses", "atlantic/silent"]
    assert (silent["failures"], silent["to_repair"]["ended"]) == (3, 2)
    # While it refuses calls it is not operating.
    assert silent["operating_s"] == 365 * DAY - 3600 * (1 + 0.5 + 1) - 6 * 3600
    assert silent["to_repair"]["mean_s"]["value"] == pytest.approx((1 + 0.5 + 1) * 3600 / 2)
    assert found["stretch"] == "2026-01-01 to 2027-01-01, as asked for"


def test_the_stretch_is_told_where_it_is_assumed(folder):
    found = fitted("start,end\n2026-02-10T10:00Z,2026-02-10T11:00Z\n2026-03-10T10:00Z,2026-03-10T12:00Z\n")
    assert found["stretch"].startswith("2026-02-01 to 2026-04-01, ASSUMED")
    assert found["pairs"][0]["operating_s"] == 59 * DAY - 3 * 3600


def test_no_failure_gives_a_bound_and_no_law(folder):
    Path("log.csv").write_text("begin,end,cause\n", encoding="utf-8")
    text = run("fit", "log.csv", *YEAR, "--of", "boreal/silent", "--carrier-file", "out.yaml")
    assert "at least 122 d" in text
    assert "no failure in 365 d, so there is a bound and no law" in text
    assert "failures: 0, over: 365d" in Path("out.yaml").read_text(encoding="utf-8")
    (carrier,) = load_carrier_file("out.yaml").carriers
    assert carrier.failures[0].mtbf == Exponential(730 * DAY)


def test_times_within_bounds_are_read(folder):
    found = fitted(
        """
        subject,kind,began_earliest,began_latest,ended_earliest,ended_latest
        atlantic,outage,2026-02-01T10:00Z,2026-02-01T10:10Z,2026-02-01T10:30Z,2026-02-01T10:40Z
        atlantic,blind,2026-02-05T10:00Z,2026-02-05T10:10Z,,
        """,
        *YEAR,
    )
    (pair,) = found["pairs"]
    assert pair["failures"] == 1
    mean = pair["to_repair"]["mean_s"]["value"]
    assert 20 * 60 < mean < 40 * 60


def test_pooled_and_units_without_a_row(folder):
    log = "start,end,unit,cause\n2026-02-01T00:00Z,2026-02-01T01:00Z,{},sbc/software\n"
    assert fitted(log.format("sbc-1"), *YEAR)["pairs"][0]["operating_s"] == 365 * DAY - 3600
    four = fitted(log.format("sbc-1"), *YEAR, "--units", "4")["pairs"][0]
    assert (four["units"], four["operating_s"]) == (4, 4 * 365 * DAY - 3600)
    two = log.format("a") + "2026-03-01T00:00Z,2026-03-01T01:00Z,b,other\n"
    assert [pair["name"] for pair in fitted(two, *YEAR, "--pool")["pairs"]] == ["pooled"]
    assert refused(two, *YEAR, "--units", "4")[-1].endswith("choose it with --of, or --pool them")


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("", (), "log.csv:1: empty; the first line is like begin,end,cause"),
        ("a;b\n", (), "log.csv:1: separated by ';', not by commas; the first line is like begin,end,cause"),
        ("begin,end\n", (), "log.csv: no rows, so nothing says of which time it is; give --from and --to"),
        (
            "begin,end\n1,\n",
            YEAR,
            "log.csv:2: begin: '1' is not a time; write one like 2026-10-01T12:00:00Z",
        ),
        ("begin,end\n,2026-01-01\n", YEAR, "log.csv:2: begin: empty; an incident has a begin"),
        (
            "begin,end\n2026-01-02,2026-01-01\n",
            YEAR,
            "log.csv:2: end: before its begin; an incident that is still open has an empty cell",
        ),
        ("begin,end\n2026-01-02\n", YEAR, "log.csv:2: 1 cells; the first line has 2"),
        (
            "begin,end,cause\n2026-01-02,2026-01-03,atlantic/maintenance\n",
            YEAR,
            "log.csv: planned work only; nothing there fails at random",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_line(folder, text, words, told):
    assert refused(text, *words) == [told]


def test_the_answer_fits_a_screen(folder):
    rows = "".join(
        f"2026-{month:02}-01T00:00Z,2026-{month:02}-01T0{month % 7 + 1}:00Z,c{month % 5}/silent\n"
        for month in range(1, 13)
    )
    Path("log.csv").write_text("begin,end,cause\n" + rows, encoding="utf-8")
    lines = run("fit", "log.csv", *YEAR, "--plot", "drawn.png").splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert Path("drawn.png").stat().st_size > 10_000
    assert "Kaplan-Meier" in Path("drawn.svg").read_text(encoding="utf-8")


# ---- a store


def test_what_probes_saw_has_bounds(folder):
    with open_store("sqlite:///store.db") as store:
        faults = [(NOW - n * 2 * DAY, NOW - n * 2 * DAY + 3600.0 * (1 + n % 3)) for n in range(1, 10)]
        store.write(probed("atlantic/1", NOW - 20 * DAY, NOW, faults))
    plan = written(folder, "plan.yaml", ONE_TRUNK)
    options = FitOptions(None, "UTC", (), False, None, 0.95, 1, Path("out.yaml"), None, "found.json")
    fit_store("sqlite:///store.db", plan, options, NOW)
    found = json.loads(Path("found.json").read_text(encoding="utf-8"))
    (pair,) = found["pairs"]
    assert (pair["name"], pair["failures"]) == ("atlantic", 9)
    # The year before the first probe is not operating time.
    assert pair["operating_s"] == pytest.approx(20 * DAY - sum(e - b for b, e in faults), rel=0.01)
    assert pair["to_repair"]["mean_s"]["value"] == pytest.approx(2 * 3600.0, rel=0.1)
    text = Path("out.yaml").read_text(encoding="utf-8")
    assert "ASSUMED: mode silent; probes do not tell how it failed" in text
    assert load_carrier_file("out.yaml").carriers[0].name == "atlantic"


# ---- round trip


def test_a_simulated_year_fitted_and_simulated_again(folder):
    Path("truth.yaml").write_text(SCENARIO.replace("FAILURES", FAILURES), encoding="utf-8")
    run("run", "truth.yaml", "--years", 1, "--jobs", 1, "--out", "runs", "--quiet")
    (incidents,) = Path("runs").glob("*/incidents.csv")
    text = run("fit", incidents, "--carrier-file", "fitted.yaml")
    assert "1 simulated years, as result.json beside it says" in " ".join(text.split())
    run("check", "fitted.yaml")
    Path("again.yaml").write_text(
        "include: [fitted.yaml]\n" + SCENARIO.replace("FAILURES\n", ""), encoding="utf-8"
    )
    run("run", "truth.yaml", "--years", 400, "--jobs", 1, "--out", "long", "--quiet", "--json", "truth.json")
    run(
        *("run", "again.yaml", "--years", 200, "--jobs", 1, "--out", "more", "--quiet"),
        *("--json", "again.json", "--parameters-uncertain", "included"),
    )
    truth, again = (
        json.loads(Path(f"{name}.json").read_text(encoding="utf-8"))["availability"]["gross"]
        for name in ("truth", "again")
    )
    assert again["low"] <= truth["value"] <= again["high"]
    # And the interval says something.
    assert 1 - again["low"] < 4 * (1 - truth["value"])
