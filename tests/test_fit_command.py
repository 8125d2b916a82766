"""The command `fit`: logs, stores, carrier files, and what a simulation makes of them."""

import datetime as dt
import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from reading_cases import DAY, NOW, ONE_TRUNK, PLAN, probed, written

from callsim.cli import main
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.fitting.carrier_file import mean_text
from callsim.fitting.fit_command import FitOptions, fit_store
from callsim.scenario.load import load_carrier_file
from carriers.laws import Exponential
from results.estimates import Estimate
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
        ("begin,end\n2026-01-02\n", YEAR, "log.csv:2: 1 cell; the first line has 2"),
        (
            "begin,end,cause\n2026-01-02,2026-01-03,atlantic/maintenance\n",
            YEAR,
            "log.csv: planned work only; nothing there fails at random",
        ),
        (
            "begin,end,cause\n2026-01-02,,a/silent\n2026-01-05,2026-01-06,a/silent\n2026-01-07,,a/silent\n",
            YEAR,
            "log.csv:2: a/silent has no end, yet 2 rows of it begin later; give its end, or leave it out",
        ),
        (
            "begin,end,cause\n2026-01-02,,maintenance\n2026-01-05,2026-01-06,maintenance\n",
            YEAR,
            "log.csv:2: maintenance has no end, yet 1 row of it begins later; give its end, or leave it out",
        ),
        (
            "begin,end\n2026-03-29 02:30,2026-03-29 04:00\n",
            (*YEAR, "--timezone", "Europe/Berlin"),
            "log.csv:2: begin: the clocks of Europe/Berlin skip '2026-03-29 02:30'; "
            "write a time that they showed, or its offset",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_line(folder, text, words, told):
    assert refused(text, *words) == [told]


def test_a_row_without_an_end_is_fine_where_none_of_its_own_comes_after(folder):
    found = fitted(
        """
        begin,end,unit,cause
        2026-02-01T10:00Z,2026-02-01T11:00Z,a,sbc/software
        2026-05-01T10:00Z,,a,sbc/software
        2026-06-01T10:00Z,2026-06-01T11:00Z,b,sbc/software
        """,
        *YEAR,
    )
    assert (found["pairs"][0]["failures"], found["warnings"]) == (3, [])


TWICE = "rows have times that the clocks showed twice: taken as the first"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["2026-02-01T10:00,2026-02-01T11:00", "2026-03-01T10:00,2026-03-01T11:00"], []),
        (
            ["2026-02-01T10:00,2026-02-01T11:00", "2026-03-01T10:00Z,2026-03-01T11:00Z"],
            ["some rows have no offset: taken as Europe/Berlin"],
        ),
        (
            ["2026-10-25T02:30,2026-10-25T05:00"],
            [f"1 {TWICE.replace('rows have times', 'row has a time')}"],
        ),
        (["2025-10-26T02:00,2025-10-26T02:10", "2026-10-25T01:00,2026-10-25T02:30"], [f"2 {TWICE}"]),
        # Rows that only touch are how an outage is written whose causes change.
        (["2026-02-01T10:00,2026-02-01T11:00", "2026-02-01T11:00,2026-02-01T12:00"], []),
        (
            ["2026-02-01T10:00,2026-02-01T11:00", "2026-02-01T10:30,2026-02-01T12:00"],
            ["1 row overlaps an earlier one of the same unit and cause: merged, as one outage"],
        ),
        (
            ["2026-02-01,2026-02-09", "2026-02-02,2026-02-03", "2026-02-05,2026-02-06"],
            ["2 rows overlap earlier ones of the same unit and cause: merged, as one outage"],
        ),
    ],
)
def test_what_was_made_of_rows_is_told(folder, rows, told):
    text = "begin,end,cause\n" + "".join(f"{row},a/silent\n" for row in rows)
    span = ("--from", "2025-01-01", "--to", "2027-01-01")
    assert fitted(text, *span, "--timezone", "Europe/Berlin")["warnings"] == told


def test_of_a_time_that_there_is_twice_the_first_is_taken(folder):
    text = "begin,end\n2026-10-25T02:30,2026-10-25T02:00Z\n"
    found = fitted(text, *YEAR, "--timezone", "Europe/Berlin")
    assert found["pairs"][0]["to_repair"]["mean_s"]["value"] == 1.5 * 3600


NAMES = "begin,end,cause\n2026-02-01,2026-02-02,atlantic/silent\n2026-02-01,2026-02-02,sbc-1\n"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("atlantik", "atlantic"),
        ("Atlantic", "atlantic"),
        ("atlantik/silent", "atlantic/silent"),
        ("atlantic/silnet", "atlantic/silent"),
        ("atlantik/refuses", "atlantic/refuses"),
    ],
)
def test_a_misspelt_name_is_no_perfect_carrier(folder, name, meant):
    assert refused(NAMES, *YEAR, "--of", name) == [f"no row is of {name}; did you mean {meant}?"]


@pytest.mark.parametrize("name", ["boreal", "sbcs/silent", "atlantic/slow", "atlantic-2", "sbc-2"])
def test_a_name_of_its_own_did_not_fail(folder, name):
    found = fitted(NAMES, *YEAR, "--of", name)
    assert found["warnings"] == [f"no row is of {name}: taken as without a failure"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "give a log, or --plan for what its probes saw"),
        (("log.csv", "--plan", "plan.yaml"), "give a log or --plan, not both"),
        (("log.csv", "--plot", "p.jpg"), "--plot p.jpg: draws PNG and SVG; write p.png"),
    ],
)
def test_what_does_not_go_together_is_told(folder, words, told):
    Path("log.csv").write_text(NAMES, encoding="utf-8")
    assert run("fit", *words, code=2).splitlines()[-1] == f"Error: {told}"
    assert [path.name for path in folder.iterdir()] == ["log.csv"]


def test_a_bound_of_a_million_years_is_none(folder):
    lengths = (1, 60, 4, 442_800, 2, 777_600)
    begins = [dt.datetime(2026, month, 2, tzinfo=dt.UTC) for month in range(1, 7)]
    rows = [
        f"{begin.isoformat()},{(begin + dt.timedelta(seconds=length)).isoformat()},a/silent\n"
        for begin, length in zip(begins, lengths, strict=True)
    ]
    Path("log.csv").write_text("begin,end,cause\n" + "".join(rows), encoding="utf-8")
    (row,) = (line for line in run("fit", "log.csv", *YEAR).splitlines() if line.startswith("a/silent  "))
    assert re.search(r" h \(at least \d+ h\)", row)
    assert mean_text(Estimate(5e10, 2e10, 9e11, 0.95, 3)) == "1,584 years (634..28,519 years)"


@pytest.mark.parametrize(("count", "told"), [(1, "1 is too few to tell"), (2, "2 are too few to tell")])
def test_one_is_not_several(folder, count, told):
    rows = ["2026-02-01,2026-02-02,a/silent\n", "2026-03-01,2026-03-03,a/silent\n"][:count]
    rows += ["2026-04-01,2026-04-02,a/maintenance\n", "2020-04-01,2020-04-02,a/silent\n"]
    Path("log.csv").write_text("begin,end,cause\n" + "".join(rows), encoding="utf-8")
    text = " ".join(run("fit", "log.csv", *YEAR, "--carrier-file", "out.yaml").split())
    assert told in text
    assert "1 row of planned work has no law" in text
    assert f"1 of {count + 2} rows lies outside" in text
    written = Path("out.yaml").read_text(encoding="utf-8")
    assert f"# {count} failure{'s' * (count - 1)} in " in written
    assert ("1 repair seen to its end" if count == 1 else "2 repairs seen to their end") in written


def test_a_carrier_file_takes_a_day(folder):
    log = "begin,end,cause\n2026-02-01T10:00:00Z,2026-02-01T10:00:05Z,a/silent\n"
    Path("log.csv").write_text(log, encoding="utf-8")
    day = ("--from", "2026-02-01", "--to", "2026-02-02")
    run("fit", "log.csv", *day, "--carrier-file", "out.yaml")
    assert Path("out.yaml").exists()


def test_without_a_failure_the_plot_has_the_bound(folder):
    Path("log.csv").write_text("begin,end,cause\n", encoding="utf-8")
    text = run("fit", "log.csv", *YEAR, "--of", "b/silent", "--plot", "p")
    assert text.splitlines()[-2:] == ["p.png: written", "p.svg: written"]
    drawn = Path("p.svg").read_text(encoding="utf-8")
    assert "no failure in 365 d: MTBF at least 122 d (95 %)" in drawn
    assert "time to repair" not in drawn
    # Beside one that failed its place stays empty.
    Path("log.csv").write_text("begin,end,cause\n2026-02-01,2026-02-02,a/silent\n", encoding="utf-8")
    run("fit", "log.csv", *YEAR, "--of", "b/silent", "--of", "a", "--plot", "p")
    drawn = Path("p.svg").read_text(encoding="utf-8")
    assert "a/silent: time to repair" in drawn
    assert "b/silent: time to repair" not in drawn


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


def test_what_was_seen_for_minutes_makes_no_carrier_file(folder):
    with open_store("sqlite:///store.db") as store:
        store.write(probed("atlantic/1", NOW - 600.0, NOW, every=60.0))
    plan = written(folder, "plan.yaml", ONE_TRUNK)
    options = FitOptions(None, "UTC", (), False, None, 0.95, 1, None, None, "found.json")
    assert fit_store("sqlite:///store.db", plan, options, NOW) is Exit.MET
    found = json.loads(Path("found.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"the last 365 days; [\d.]+ min of it seen", found["stretch"])
    Path("found.json").unlink()
    options = replace(options, carrier_file=Path("out.yaml"))
    with pytest.raises(CallsimError) as error:
        fit_store("sqlite:///store.db", plan, options, NOW)
    assert re.fullmatch(
        r"out\.yaml: not written: seen for [\d.]+ min only: too little for a carrier file, which takes a day",
        str(error.value),
    )
    assert Path("found.json").exists()
    assert not Path("out.yaml").exists()


def test_what_was_seen_for_minutes_is_left_out_beside_another(folder):
    with open_store("sqlite:///store.db") as store:
        store.write(probed("atlantic/1", NOW - 5 * DAY, NOW))
        store.write(probed("boreal/1", NOW - 600.0, NOW, every=60.0))
    plan = written(folder, "plan.yaml", PLAN)
    options = FitOptions(None, "UTC", (), False, None, 0.95, 1, Path("out.yaml"), None, None)
    fit_store("sqlite:///store.db", plan, options, NOW)
    assert [carrier.name for carrier in load_carrier_file("out.yaml").carriers] == ["atlantic"]
    assert "# Left out: boreal: seen for " in Path("out.yaml").read_text(encoding="utf-8")


# ---- round trip


def test_a_simulated_year_fitted_and_simulated_again(folder):
    Path("truth.yaml").write_text(SCENARIO.replace("FAILURES", FAILURES), encoding="utf-8")
    run("run", "truth.yaml", "--years", 1, "--jobs", 1, "--out", "runs", "--quiet")
    (incidents,) = Path("runs").glob("*/incidents.csv")
    text = run("fit", incidents, "--carrier-file", "fitted.yaml")
    assert "1 simulated year, as result.json beside it says" in " ".join(text.split())
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
