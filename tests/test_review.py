"""Which targets a review keeps, raises and lowers."""

import datetime as dt
import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import reading_cases
from claim_cases import call
from click.testing import CliRunner

from callsim.api import load
from callsim.cli import main
from callsim.commands import RunOptions
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.plan import load_plan
from callsim.reading.looking import look
from callsim.reviewing.deciding import Say, windows_needed
from callsim.reviewing.predicting import years_for
from callsim.reviewing.refitting import MEASURED, refit
from callsim.reviewing.review_command import Asked, last_months, review
from callsim.reviewing.targets import rounded
from callsim.reviewing.telling import summed
from callsim.scenario.laws_in import find_law
from results.estimates import share
from results.store.entries import Heartbeat
from results.store.opening import open_store
from sla.terms import Terms

HOUR, DAY = 3600.0, 86400.0
YEAR = (dt.date(2025, 10, 1), dt.date(2026, 10, 1))
BEGIN, END = (dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() for day in YEAR)
NOW = END + 5 * DAY
TERMS = """
name: ours
objectives: [{{name: availability, at_least: {target}}}]
credits: [{{objective: availability, tiers: [{{below: {target}, credit: 10%}}]}}]
"""
SCENARIO = """
name: office
starts: 2026-01-01
traffic: {busy_hour_calls: 100, hold_time: 3m, profile: flat}
carriers:
  - name: atlantic
    trunks: ["sip:trunk.atlantic.example"]
    failures:
      - {mode: silent, mtbf: 30d, repair: {median: 30m, p95: 4h}}
      - {mode: trying_only, mtbf: 200d, repair: 2h}
      - {mode: one_way_audio, mtbf: 300d, repair: 30m}
routing: {order: priority, routes: [atlantic]}
simulation: {years: 200, seed: 7}
"""
SECOND = """  - name: boreal
    trunks: ["sip:trunk.boreal.example"]
    failures: [{mode: silent, mtbf: 30d, repair: 1h}]
"""
TWO = SCENARIO.replace("routing:", f"{SECOND}routing:").replace("[atlantic]", "[atlantic, boreal]")
PLAN = reading_cases.PLAN.replace("every: 10m", "every: 1h")
ALONE = "".join(line for line in PLAN.splitlines(True) if "carrier: boreal" not in line).replace(
    ", boreal]", "]"
)


def outages(count, length):
    """So many in a year, at random in equal parts of it."""
    part = 360 * DAY / count
    starts = (
        BEGIN + part * np.arange(count) + np.random.default_rng(11).uniform(0, part - length - HOUR, count)
    )
    return [(at, at + length) for at in starts.tolist()]


def year(folder, faults, overs=("atlantic/1",), begin=BEGIN, end=END, every=HOUR):
    """Write a year of probes, and give the store's URL."""
    url = f"sqlite:///{folder / 'store.db'}"
    with open_store(url) as opened:
        for over in overs:
            at = np.arange(begin - 2 * HOUR, end + 2 * HOUR, every)
            opened.write([call(over, t, not any(a <= t < b for a, b in faults)) for t in at.tolist()])
            opened.write([Heartbeat(location="berlin", plan="night", at=end, started_at=begin, version="1")])
    return url


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Six outages of an hour and a half in a year."""
    return year(tmp_path_factory.mktemp("good"), outages(6, 1.5 * HOUR))


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Three of ten hours in each month or so."""
    return year(tmp_path_factory.mktemp("bad"), outages(36, 10 * HOUR))


@pytest.fixture
def reviews(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # It takes most of the time, and what it tells is a note.
    monkeypatch.setattr("callsim.fitting.pairs.goodness", lambda *_: None)

    def made(
        url,
        terms,
        scenario=SCENARIO,
        plan=ALONE,
        *,
        span=YEAR,
        subject="service",
        risk=None,
        years=100,
        now=NOW,
        quiet=False,
    ):
        for name, text in (("terms.yaml", terms), ("scenario.yaml", scenario), ("plan.yaml", plan)):
            Path(name).write_text(text, "utf-8")
        capsys.readouterr()
        files = (Path("terms.yaml"), Path("scenario.yaml"), Path("plan.yaml"))
        asked = Asked(*files, url, 12, span, subject, risk)
        code = review(asked, RunOptions(years, None, 1, (), "answer.json", quiet), now)
        said = capsys.readouterr()
        made.errors = said.err
        text = " ".join(said.out.split())
        return code, json.loads(Path("answer.json").read_text("utf-8")), text

    return made


@pytest.fixture
def refitted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def made(store, scenario=SCENARIO):
        Path("scenario.yaml").write_text(scenario, "utf-8")
        Path("plan.yaml").write_text(ALONE, "utf-8")
        plan = load_plan(Path("plan.yaml"))
        return refit(load(Path("scenario.yaml")), plan, look(store, plan, BEGIN, END), "store", 1)

    return made


def at(target):
    return TERMS.format(target=target)


# ---- what is advised


def test_a_target_that_fits_is_kept(good, reviews):
    code, answer, text = reviews(good, at("99%"))
    (one,) = answer["advice"]
    assert (one["advice"], one["to"], code) == ("KEEP", None, Exit.MET)
    assert (one["measured"]["kept"], one["measured"]["broken"]) == (12, 0)
    assert text.startswith("ours, 2025-10-01 to 2026-10-01: keep its target. KEEP")
    low = share(12, 12, 0.95).low
    assert f"Probes saw 12 of 12 months keep it ({100 * low:.0f}..100 %)." in text


def test_a_target_far_below_what_is_kept_is_raised_to_what_is_safe(good, reviews):
    code, answer, text = reviews(good, at("90%"))
    (one,) = answer["advice"]
    promise = one["model"]["promise"]
    assert (one["advice"], code) == ("RAISE", Exit.MET)
    assert 0.9 < one["to"] <= promise["low"] <= promise["value"] <= promise["high"]
    assert one["to"] == rounded(_availability(), promise["low"])
    assert one["model"]["verdict"] == "MET"
    assert "The record does not contradict the higher target." in text
    assert "A broken month costs at least 10 % of a month's fee." in text or "costs 10 %" in text


def test_a_target_far_above_what_is_kept_is_lowered(bad, reviews):
    code, answer, text = reviews(bad, at("99.9%"))
    (one,) = answer["advice"]
    assert (one["advice"], code) == ("LOWER", Exit.BREACHED)
    assert one["measured"]["verdict"] == one["model"]["verdict"] == "BREACHED"
    worst = min(window["shortest"] for window in one["measured"]["windows"])
    assert one["to"] <= min(one["model"]["promise"]["low"], worst)
    assert "0 of 12 months keep it, 12 break it (0..26 %)" in text
    assert "A broken month costs 10 % of a month's fee." in text


def test_without_data_nothing_can_be_said(good, reviews):
    before = (dt.date(2023, 1, 1), dt.date(2024, 1, 1))
    code, answer, text = reviews(good, at("99%"), span=before)
    (one,) = answer["advice"]
    assert (one["advice"], code) == ("CANNOT SAY", Exit.INCONCLUSIVE)
    assert answer["refitted"] == []
    assert answer["years"] is None
    assert "no probe tells of service in this time; it takes probes (callsim watch)" in text
    assert "Nothing is refitted or simulated: atlantic (not probed)." in text


THREE = """
name: ours
objectives:
  - {name: availability, at_least: 99%}
  - {name: downtime, at_most: 30h}
  - {name: mos, at_least: 4}
"""


def test_of_minutes_nothing_is_said_at_once_and_once(tmp_path, reviews, monkeypatch):
    monkeypatch.setattr("callsim.reviewing.predicting.simulate_under", None)
    url = year(tmp_path, [], begin=BEGIN + 200 * DAY, end=BEGIN + 200 * DAY + 60, every=HOUR)
    code, answer, text = reviews(url, THREE)
    assert code is Exit.INCONCLUSIVE
    assert [one["advice"] for one in answer["advice"]] == ["CANNOT SAY"] * 3
    assert (answer["years"], answer["refitted"]) == (None, [])
    assert "ours, 2025-10-01 to 2026-10-01: nothing can be said of any of its 3 targets." in text
    assert text.count("a day is needed.") == text.count("too little was seen of any carrier") == 1
    assert "only, a day is needed to refit)" in text
    assert answer["assumed"][0].startswith("atlantic (seen for ")


def test_a_carrier_that_was_seen_for_hours_keeps_its_laws(tmp_path, reviews):
    url = year(tmp_path, outages(6, 1.5 * HOUR))
    with open_store(url) as store:
        hours = np.arange(BEGIN, BEGIN + 20 * HOUR, HOUR).tolist()
        store.write([call("boreal/1", t, True) for t in hours])
    _, answer, text = reviews(url, at("90%"), TWO, PLAN, years=50)
    assert [one["carrier"] for one in answer["refitted"]] == ["atlantic"]
    assert answer["assumed"][0].startswith("boreal (seen for 19 h only")
    assert "Assumed as before: boreal (seen for 19 h only, a day is needed to refit)" in text


@pytest.mark.parametrize("quiet", [False, True])
def test_it_says_what_it_simulates(quiet, good, reviews):
    reviews(good, at("99%"), years=50, quiet=quiet)
    assert ("simulating 50 years of office, refitted" in reviews.errors) is not quiet


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ([Say.KEEP], "keep its target"),
        ([Say.CANNOT_SAY], "nothing can be said of its target"),
        ([Say.LOWER, Say.LOWER], "lower each of its 2 targets"),
        ([Say.CANNOT_SAY] * 6, "nothing can be said of any of its 6 targets"),
        ([Say.KEEP, Say.LOWER, Say.KEEP], "of its 3 targets lower 1, keep 2"),
        ([Say.KEEP, Say.CANNOT_SAY], "of its 2 targets keep 1; of 1 nothing can be said"),
    ],
)
def test_targets_are_summed_up_in_plain_words(says, told):
    assert summed([SimpleNamespace(say=say) for say in says]) == told


def test_one_window_is_no_plural(good, reviews):
    month = (dt.date(2025, 10, 1), dt.date(2025, 11, 1))
    text = reviews(good, at("90%"), span=month, years=50)[2]
    assert "of 1 month keep it" in text
    assert "1 months" not in text


def test_two_months_of_twelve_are_too_few(tmp_path, reviews):
    url = year(tmp_path, [], begin=BEGIN + 200 * DAY, end=BEGIN + 262 * DAY)
    code, answer, text = reviews(url, at("90%"))
    (one,) = answer["advice"]
    assert (one["advice"], one["why"], code) == ("CANNOT SAY", "unseen", Exit.INCONCLUSIVE)
    assert [window["seen"] for window in one["measured"]["windows"]].count(True) == 2
    assert "It takes probes in at least 6 of the 12 months." in text
    assert "% of the time was seen." in text


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Both carriers of a service fail at the same times, which no two that are independent do."""
    return year(tmp_path_factory.mktemp("both"), outages(8, 3 * HOUR), ("atlantic/1", "boreal/1"))


def test_where_record_and_model_disagree_nothing_is_raised(together, reviews):
    code, answer, text = reviews(together, at("95%"), TWO, PLAN)
    (one,) = answer["advice"]
    assert one["model"]["promise"]["low"] > 0.98, "the model alone would raise it"
    assert one["measured"]["kept"] == 12
    assert (one["advice"], one["why"], code) == ("KEEP", "disagree", Exit.MET)
    assert one["disagreement"]["measured_is_better"] is False
    assert one["disagreement"]["p"] < 0.05
    assert "What was measured is worse than the model has it" in text


def test_what_the_record_breaks_is_lowered_whatever_the_model_says(together, reviews):
    code, answer, _ = reviews(together, at("99.9%"), TWO, PLAN)
    (one,) = answer["advice"]
    assert (one["advice"], code) == ("LOWER", Exit.BREACHED)
    assert one["measured"]["verdict"] == "BREACHED"
    assert one["model"]["promise"]["low"] > one["to"], "it is the record that says how far"
    worst = min(window["shortest"] for window in one["measured"]["windows"])
    assert worst - 0.005 < one["to"] <= worst


def test_probes_that_are_rare_raise_nothing_beyond_what_they_tell(tmp_path, reviews):
    url = year(tmp_path, [])
    _, answer, _ = reviews(url, at("90%"), risk=0.2)
    (one,) = answer["advice"]
    assert (one["advice"], one["risk"]) == ("RAISE", 0.2)
    # A probe an hour leaves two hours open, and these are 0.28 % of a month.
    assert one["to"] <= 0.995
    (carrier,) = answer["refitted"]
    assert (carrier["failures"], carrier["repair_assumed"]) == (0, True)


def test_other_objectives_and_those_that_none_can_judge(good, reviews):
    terms = (
        "name: ours\nobjectives:\n"
        "  - {name: downtime, at_most: 30h}\n"
        "  - {name: availability, window: year, at_least: 50%}\n"
        "  - {name: mos, at_least: 4}\n"
    )
    code, answer, text = reviews(good, terms)
    downtime, yearly, mos = answer["advice"]
    assert downtime["advice"] == "RAISE"
    assert HOUR <= downtime["model"]["promise"]["high"] <= downtime["to"] < 30 * HOUR
    assert (yearly["advice"], yearly["why"]) == ("CANNOT SAY", "unjudged")
    assert (mos["advice"], code) == ("CANNOT SAY", Exit.INCONCLUSIVE)
    assert "No whole year lies in this time; --from and --to can give one." in text
    assert "Neither probes nor the scenario tell of it: the record has no voice quality (MOS)." in text
    assert "No credit hangs on it." in text


def test_a_part_of_a_service_is_not_what_the_scenario_predicts(together, reviews):
    _, answer, text = reviews(together, at("90%"), TWO, PLAN, subject="atlantic")
    (one,) = answer["advice"]
    assert (one["advice"], one["why"]) == ("KEEP", "unpredicted")
    assert "Not predicted: office predicts the service as a whole." in text


def test_a_carrier_that_is_not_probed_may_have_carried_the_calls(together, reviews):
    third = TWO.replace("routing:", SECOND.replace("boreal", "cirrus") + "routing:")
    _, answer, text = reviews(
        together, at("90%"), third.replace("boreal]", "boreal, cirrus]"), PLAN, years=50
    )
    assert answer["advice"][0]["advice"] == "CANNOT SAY"
    assert "calls go over cirrus, too, which probes do not cross" in text
    assert "cirrus (not probed)" in text


def test_terms_without_carriers_faults_are_not_judged_by_probes(good, reviews):
    _, answer, _ = reviews(good, at("90%") + "excludes: [{cause: carrier}]\n", years=50)
    assert answer["advice"][0]["measured"]["not_judged"].startswith("the terms exclude carriers' faults")


# ---- what it rests on


def test_a_carriers_failures_are_replaced_and_others_stay(good, reviews):
    _, answer, text = reviews(good, at("99%"))
    (carrier,) = answer["refitted"]
    assert (carrier["carrier"], carrier["mode"], carrier["failures"]) == ("atlantic", "silent", 6)
    assert carrier["assumed"]["modes"] == ["silent", "trying_only"]
    assert carrier["assumed"]["mtbf_s"] == pytest.approx(DAY / (1 / 30 + 1 / 200))
    assert carrier["mtbf_s"]["low"] < 365 * DAY / 6 < carrier["mtbf_s"]["high"]
    assert answer["assumed"] == ["atlantic's one way audio"]
    assert "(assumed: 26 d)" in text


def test_what_is_uncertain_of_the_scenario_itself_is_drawn_too(good, refitted):
    own = (
        "uncertain:\n"
        "  - {path: carriers.atlantic.failures.silent.mtbf, failures: 3, over: 1y}\n"
        "  - {path: carriers.atlantic.failures.one_way_audio.repair, median: 20m, p95: 2h}\n"
    )
    with open_store(good) as store:
        found = refitted(store, SCENARIO + own)
    paths = [parameter.path for parameter in found.uncertain.parameters]
    assert paths == [
        "carriers.atlantic.failures.one_way_audio.repair",
        f"carriers.atlantic.failures.{MEASURED}.mtbf",
        f"carriers.atlantic.failures.{MEASURED}.repair",
    ]
    law, (carrier,) = find_law(found.scenario, paths[1]).law, found.carriers
    assert law.mean == pytest.approx(carrier.pair.lives.fitted.best.law.mean, rel=1e-3)


def test_a_shape_that_nobody_can_tell_is_not_drawn(tmp_path, refitted):
    # As long as each other, and as regular as a clock: any law that is narrow enough fits.
    regular = [(at, at + 3 * HOUR) for at in BEGIN + (15 + 30 * np.arange(12)) * DAY]
    with open_store(year(tmp_path, regular)) as store:
        found = refitted(store)
    life, repair = found.uncertain.parameters
    assert (life.log_errors, life.failures) == (None, 12)
    assert (repair.log_errors, repair.failures) == (None, 12)
    assert find_law(found.scenario, life.path).law.mean == pytest.approx(30 * DAY, rel=0.1)


def test_the_answer_is_the_same_for_the_same_seed(good, reviews):
    first, second = (reviews(good, at("99%"), years=50)[1] for _ in range(2))
    assert first == second


def test_a_plan_of_other_carriers_is_an_error(good, reviews):
    with pytest.raises(CallsimError, match="its carriers are atlantic, and"):
        reviews(good, at("99%"), SCENARIO.replace("atlantic", "other"))


# ---- windows, targets, the command


def _availability(target="99%"):
    return Terms.model_validate({"objectives": [{"name": "availability", "at_least": target}]}).objectives[0]


@pytest.mark.parametrize(
    ("objective", "bound", "target"),
    [
        ({"name": "availability", "at_least": "99%"}, 0.99967, 0.9995),
        ({"name": "availability", "at_least": "99%"}, 0.9995, 0.9995),
        ({"name": "availability", "at_least": "99%"}, 0.9749, 0.97),
        ({"name": "availability", "at_least": "99%"}, 0.3, None),
        ({"name": "mttr", "at_most": "4h"}, 2.1 * HOUR, 3 * HOUR),
        ({"name": "mtbf", "at_least": "4d"}, 13.9 * DAY, 10 * DAY),
        ({"name": "outages", "at_most": 4}, 2.0, 2.0),
        ({"name": "packet_loss", "at_most": "1%"}, 0.0031, 0.005),
        ({"name": "mos", "at_least": 4}, 3.99, 3.9),
    ],
)
def test_targets_are_rounded_on_the_safe_side(objective, bound, target):
    (made,) = Terms.model_validate({"objectives": [objective]}).objectives
    assert rounded(made, bound) == (None if target is None else pytest.approx(target))


def test_the_windows_that_the_record_alone_would_take():
    for broken in (0, 2):
        needed = windows_needed(broken, 0.05, 0.95)
        assert share(needed - broken, needed, 0.95).low >= 0.95
        assert share(needed - 1 - broken, needed - 1, 0.95).low < 0.95


@pytest.mark.parametrize(
    ("window", "now", "span"),
    [
        ("calendar_month", "2026-10-05", ("2025-10-01", "2026-10-01")),
        ("calendar_month", "2026-01-01", ("2025-01-01", "2026-01-01")),
        ({"billing_cycle": 15}, "2026-10-05", ("2025-09-15", "2026-09-15")),
        ({"billing_cycle": 15}, "2026-10-15", ("2025-10-15", "2026-10-15")),
    ],
)
def test_the_last_whole_months_are_reviewed(window, now, span):
    terms = Terms.model_validate({"objectives": [], "unknown": ["all"], "measured": {"window": window}})
    at_noon = dt.datetime.fromisoformat(f"{now}T12:00+00:00").timestamp()
    assert last_months(terms, 12, at_noon) == tuple(map(dt.date.fromisoformat, span))


def test_smaller_risks_take_more_years():
    assert years_for(0.05) == years_for(0.2) == 1000
    assert years_for(0.01) == 2400
    assert years_for(0.001) == 24000


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--from", "2026-01-01"], "go together"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "is not after"),
        (["--from", "2026-01-01", "--to", "2026-02-01", "--months", "3"], "give --months, or"),
        (["--risk", "100%"], "less than 100%"),
    ],
)
def test_options_that_do_not_go_together(arguments, why):
    known = ["review", "terms.yaml", "--scenario", "s.yaml", "--plan", "p.yaml"]
    result = CliRunner().invoke(main, [*known, *arguments])
    assert result.exit_code == Exit.USAGE
    assert why in result.output


def test_the_command_writes_json_alone_to_stdout(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("terms.yaml", at("99.9%")), ("scenario.yaml", SCENARIO), ("plan.yaml", ALONE)):
        Path(name).write_text(text, "utf-8")
    known = ["review", "terms.yaml", "--scenario", "scenario.yaml", "--plan", "plan.yaml", "--store", good]
    span = ["--from", "2025-10-01", "--to", "2026-10-01"]
    result = CliRunner().invoke(main, [*known, *span, "--years", "200", "--jobs", "1", "--json", "-"])
    # The clock of this machine may be before that year.
    if time.time() < END:
        assert result.exit_code == Exit.USAGE
        return
    assert result.exit_code in (Exit.MET, Exit.BREACHED)
    answer = json.loads(result.stdout)
    assert answer["terms"] == "ours"
    assert answer["refitted"][0]["fit_p"] == [None, None], "six are too few to tell"
