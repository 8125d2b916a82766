"""`sla assess` and `sla compare` on real records, as people call them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sla_cases import at, month

from callsim import cli, study
from callsim.ledgers.outage_csv import read_outages
from results.ledger_file import ledger_text

ONE_UNIT = Path(__file__).parent / "oracles" / "one-unit.yaml"
HEAD = "start,end,cause,notice_given\n"
OUTAGES = HEAD + (
    "2026-10-02T10:00:00Z,2026-10-02T11:30:00Z,provider:router,\n"
    "2026-10-05T22:00:00Z,2026-10-05T23:00:00Z,maintenance,2026-10-01T00:00:00Z\n"
    "2026-12-24T08:00:00Z,2026-12-24T08:10:00Z,carrier,\n"
)
TERMS = """\
name: plain
currency: USD
excludes: [{cause: maintenance, notice: 2d}]
objectives: [{name: availability, at_least: 99.9%}]
credits: [{objective: availability, tiers: [{below: 99.9%, credit: 10%}, {below: 99%, credit: 25%}]}]
"""
GENEROUS = TERMS.replace("plain", "generous").replace("10%", "40%").replace("25%", "80%")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with terms and a record."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("t.yaml", TERMS), ("generous.yaml", GENEROUS), ("o.csv", OUTAGES)):
        Path(name).write_text(text, encoding="utf-8")
    return tmp_path


def sla(*words: object) -> Result:
    return CliRunner().invoke(cli.main, ["sla", *map(str, words)], env={"COLUMNS": "80"})


def answer(*words: object) -> object:
    """JSON of a command that ends well."""
    done = sla(*words, "--json", "-")
    assert done.exit_code in (0, 1), done.output
    return json.loads(done.stdout)


def test_every_window_of_a_record_is_judged(folder):
    done = sla("assess", "t.yaml", "o.csv", "--fee", 1000)
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith(
        "plain: 3 windows judged, credit is due in 1: 100.00 USD (10 % of a month's fee)"
    )
    told = "excluded 2026-10-05 22:00:00 to 2026-10-05 23:00:00 (60 min): maintenance, told 2d before"
    assert told in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    october, november, december = answer("assess", "t.yaml", "o.csv", "--fee", 1000)
    assert [w["window"] for w in (october, november, december)] == ["2026-10", "2026-11", "2026-12"]
    assert [w["downtime_s"] for w in (october, november, december)] == [5400, 0, 600]
    assert october["availability"]["gross"] == pytest.approx(1 - 2.5 / 744)
    assert october["availability"]["eligible"] == pytest.approx(1 - 1.5 / 743)
    assert [(one["reason"], one["seconds"]) for one in october["excluded"]] == [
        ("maintenance, told 2d before", 3600)
    ]
    assert (october["credit"]["share"], october["credit"]["amount"]) == (0.1, 100)
    (objective,) = october["objectives"]
    assert (objective["met"], objective["credit_share"]) == (False, 0.1)


def test_a_month_or_any_days_may_be_chosen(folder):
    december = answer("assess", "t.yaml", "o.csv", "--month", "2026-12")
    assert (december["window"], december["downtime_s"]) == ("2026-12", 600)
    days = answer("assess", "t.yaml", "o.csv", "--from", "2026-10-01", "--to", "2026-10-03")
    assert (days["downtime_s"], days["credit"]["share"]) == (5400, 0.25)
    months = answer("assess", "t.yaml", "o.csv", "--from", "2026-09-15", "--to", "2027-01-01")
    assert [window["window"] for window in months] == ["2026-10", "2026-11", "2026-12"]
    quiet = sla("assess", "t.yaml", "o.csv", "--month", "2026-11")
    assert quiet.exit_code == 0
    assert quiet.stderr == "o.csv: 3 of 3 outages lie outside of the time that is judged\n"


def test_who_is_in_arrears_gets_no_credit_where_terms_ask_for_a_paid_account(folder):
    strict = TERMS + "claims: {automatic: false, good_standing: true}\n"
    Path("strict.yaml").write_text(strict, encoding="utf-8")
    paid, unpaid = (
        answer("assess", "strict.yaml", "o.csv", "--month", "2026-10", *more)
        for more in ((), ("--in-arrears",))
    )
    assert paid["credit"]["share"] > 0
    assert unpaid["credit"]["share"] == 0
    assert unpaid["availability"]["claimed"] == 1.0


def test_what_is_still_open_is_said(folder):
    Path("open.csv").write_text("start,end,cause\n2025-03-30T00:00:00Z,,provider\n", encoding="utf-8")
    done = sla("assess", "t.yaml", "open.csv")
    assert done.stderr == (
        "open.csv: an outage is still open: counted up to the end of the record, 2025-04-01 00:00\n"
    )
    Path("mute.yaml").write_text(
        Path("t.yaml").read_text(encoding="utf-8").replace("objectives:", "scope: portal\nobjectives:"),
        encoding="utf-8",
    )
    told = sla("compare", "o.csv", "mute.yaml", "t.yaml")
    (row,) = (line for line in told.stdout.splitlines() if "not assessed" in line and "99." in line)
    assert "%   " not in row.partition("not assessed")[2]


def test_quiet_leaves_out_the_notes_of_a_comparison(folder):
    mute = Path("t.yaml").read_text(encoding="utf-8").replace("objectives:", "scope: portal\nobjectives:")
    Path("mute.yaml").write_text(mute, encoding="utf-8")
    whole, quiet = (sla("compare", "o.csv", "mute.yaml", *more).stdout for more in ((), ("--quiet",)))
    assert whole.startswith(quiet.rstrip("\n"))
    assert len(quiet.splitlines()) < len(whole.splitlines())


def test_a_comparison_interrupted_tells_what_is_known(folder, monkeypatch):
    played = []

    def play(work, number, years, whole=study._Work.play):
        played.append(number)
        if len(played) == 3:
            raise KeyboardInterrupt
        return whole(work, number, years)

    monkeypatch.setattr("callsim.study._Work.play", play)
    done = sla("compare", ONE_UNIT, "t.yaml", "--years", 2000, "--jobs", 1, "--json", "c.json")
    assert done.exit_code == 130
    assert "(PARTIAL: interrupted after " in done.stdout
    assert json.loads(Path("c.json").read_text(encoding="utf-8"))["partial"].startswith("interrupted after ")


def test_a_ledger_is_judged_as_its_outages_are(folder):
    ledger, _ = read_outages("o.csv")
    Path("o.json").write_text(ledger_text(ledger), encoding="utf-8")
    assert answer("assess", "t.yaml", "o.json") == answer("assess", "t.yaml", "o.csv")
    october = answer("assess", "t.yaml", "o.json", "--month", "2026-10")
    assert october == answer("assess", "t.yaml", "o.csv", "--month", "2026-10")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "o.json: cannot be read: no such file or directory"),
        ("{", "o.json: Expecting property name"),
        ('{"holds": "something"}', "o.json: not a ledger"),
        ('{"holds": "ledger", "format": 1, "start": 0}', "o.json: not a whole ledger: KeyError: 'requests'"),
        ('{"holds": "ledger", "format": 99}', "o.json: format 99 is not known"),
    ],
)
def test_a_file_that_is_no_ledger_is_one_clear_line(folder, text, said):
    if text is not None:
        Path("o.json").write_text(text, encoding="utf-8")
    for words in (("assess", "t.yaml", "o.json"), ("compare", "o.json", "t.yaml")):
        done = sla(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(said)
        assert len(done.stderr.splitlines()) == 1


def test_a_time_that_a_ledger_does_not_tell_of_is_said(folder):
    Path("o.json").write_text(ledger_text(month((1, 2, "provider"))), encoding="utf-8")
    done = sla("assess", "t.yaml", "o.json", "--month", "2026-11")
    assert (done.exit_code, done.stderr) == (
        2,
        "o.json: tells of 2026-10-01 00:00+00:00 to 2026-11-01 00:00+00:00; "
        "2026-11-01 00:00+00:00 to 2026-12-01 00:00+00:00 is not all in it\n",
    )


def test_all_that_is_wrong_with_a_record_is_said_at_once(folder):
    lines = ["2026-10-02T10:00:00,,provider,", "2026-10-02T10:00:00Z,2026-10-01T10:00:00Z,me,", ",,,"]
    Path("o.csv").write_text(HEAD + "\n".join([*lines, "1,2"]) + "\n", encoding="utf-8")
    done = sla("assess", "t.yaml", "o.csv")
    assert done.exit_code == 2
    assert [line.split(": ")[0:2] for line in done.stderr.splitlines()] == [
        ["o.csv:2", "start"],
        ["o.csv:3", "cause"],
        ["o.csv:3", "end"],
        ["o.csv:5", "2 cells; the first line has 4"],
    ]


def test_a_gap_that_must_not_be_filled_is_one_clear_line(folder):
    gap = "{below: 99.9%, down_to: 99.85%, credit: 10%}], gap_policy: error}]"
    Path("t.yaml").write_text(TERMS[: TERMS.index("{below")] + gap + "\n", encoding="utf-8")
    for words in (("assess", "t.yaml", "o.csv"), ("compare", "o.csv", "t.yaml")):
        done = sla(*words)
        assert done.exit_code == 2
        assert done.stderr.startswith("t.yaml: o.csv: availability of 0.99798")
        assert len(done.stderr.splitlines()) == 1


def test_options_that_exclude_each_other_are_refused(folder):
    for words in (
        ("--month", "2026-10", "--from", "2026-10-01", "--to", "2026-10-02"),
        ("--from", "2026-10-01"),
        ("--from", "2026-10-02", "--to", "2026-10-02"),
        ("--against-by", "customer"),
        ("--against", "o.csv", "--recorded-by", "customer", "--against-by", "customer"),
    ):
        assert sla("assess", "t.yaml", "o.csv", *words).exit_code == 2
    refused = sla("compare", "o.csv", "t.yaml", "--years", 5)
    assert (refused.exit_code, "a real record is not simulated" in refused.stderr) == (2, True)


def test_terms_are_compared_on_one_record(folder):
    found = answer("compare", "o.csv", "t.yaml", "generous.yaml")
    assert [(row["agreement"], row["total_share"]) for row in found["terms"]] == [
        ("plain", 0.1),
        ("generous", 0.4),
    ]
    done = sla("compare", "o.csv", "t.yaml", "generous.yaml")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "What each pays on o.csv, as shares of a month's fee:"
    assert [line.split()[0] for line in lines[2:5]] == ["Terms", "generous", "plain"]


# ---- two records


@pytest.fixture
def theirs(folder):
    """The customer's record: October was worse, and November not perfect."""
    more = (
        "2026-10-09T00:00:00Z,2026-10-09T09:00:00Z,provider,\n2026-11-01T00:00:00Z,2026-11-01T00:01:00Z,,\n"
    )
    Path("theirs.csv").write_text(OUTAGES + more, encoding="utf-8")
    return folder


def test_two_records_are_judged_and_the_terms_say_which_counts(theirs):
    done = sla("assess", "t.yaml", "o.csv", "--against", "theirs.csv")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "The two records differ in 2 of 3 windows.",
        "Window   provider                 customer                 counts",
        "2026-10  99.79812 %, credit 10 %  98.58681 %, credit 25 %  provider",
        "2026-11  100.00000 %, credit 0 %  99.99769 %, credit 0 %   provider",
        "The record of the provider counts.",
        "By what counts, 10 % of a month's fee is due.",
    ]
    assert "The record of the customer, theirs.csv:" in lines
    found = answer("assess", "t.yaml", "o.csv", "--against", "theirs.csv")
    assert [record["by"] for record in found["records"]] == ["provider", "customer"]
    assert [len(record["windows"]) for record in found["records"]] == [3, 3]
    assert [(one["window"], one["differ"], one["counts"]) for one in found["disputes"]] == [
        ("2026-10", True, "provider"),
        ("2026-11", True, "provider"),
        ("2026-12", False, "provider"),
    ]
    assert found["disputes"][0]["credit_share"] == [0.1, 0.25]


def test_the_exit_code_is_that_of_the_record_that_counts(theirs):
    Path("good.csv").write_text(HEAD + "2026-10-02T10:00:00Z,2026-10-02T10:01:00Z,,\n", encoding="utf-8")
    codes = {}
    for rule in ("provider", "customer", "lower", "higher", "third_party"):
        text = TERMS + f"measured: {{disputes: {rule}}}\n"
        Path("t.yaml").write_text(text, encoding="utf-8")
        codes[rule] = sla("assess", "t.yaml", "good.csv", "--against", "theirs.csv").exit_code
    assert codes == {"provider": 0, "customer": 1, "lower": 1, "higher": 0, "third_party": 1}


def test_who_kept_a_single_record_matters_where_the_terms_name_another(folder):
    assert "Whose record counts" not in sla("assess", "t.yaml", "o.csv").stdout
    assert "Whose record counts" not in sla("assess", "t.yaml", "o.csv", "--recorded-by", "provider").stdout
    (window, *_) = answer("assess", "t.yaml", "o.csv", "--recorded-by", "customer")
    assert window["not_assessed"] == [
        "Whose record counts: the terms name that of the provider, and this one is by the customer."
    ]


def test_a_ledger_says_of_which_time_a_table_is_judged(theirs):
    ledger = replace(month((1, 2, "provider")), end=at("2026-12-01"))
    Path("o.json").write_text(ledger_text(ledger), encoding="utf-8")
    found = answer("assess", "t.yaml", "theirs.csv", "--against", "o.json", "--against-by", "provider")
    assert [(record["file"], record["by"]) for record in found["records"]] == [
        ("theirs.csv", "customer"),
        ("o.json", "provider"),
    ]
    assert [one["window"] for one in found["disputes"]] == ["2026-10", "2026-11"]
    early = replace(month(name="2025-10"), end=at("2025-12-01"))
    Path("early.json").write_text(ledger_text(early), encoding="utf-8")
    done = sla("assess", "t.yaml", "early.json", "--against", "o.json")
    assert (done.exit_code, done.stderr) == (
        2,
        "early.json and o.json: they tell of no time in common\n",
    )


def test_a_hundred_thousand_rows(folder):
    starts = np.datetime64("2016-01-01T00:00:00") + np.arange(100_000) * np.timedelta64(3000, "s")
    ends = starts + np.timedelta64(60, "s")
    rows = [f"{a}Z,{b}Z,provider,\n" for a, b in zip(starts, ends, strict=True)]
    Path("o.csv").write_text(HEAD + "".join(rows), encoding="utf-8")
    windows = answer("assess", "t.yaml", "o.csv")
    assert sum(window["downtime_s"] for window in windows) == pytest.approx(6e6)
    assert all(window["credit"]["share"] == 0.25 for window in windows[:-1])
