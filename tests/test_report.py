import re
from dataclasses import replace
from pathlib import Path

import pytest

import callsim
from callsim import figures, report
from results.estimates import Estimate
from sla.objectives import Availability, Downtime, Mtbf, Mttr

SCENARIOS = Path(__file__).parent.parent / "scenarios"


@pytest.fixture(scope="module")
def result() -> callsim.Result:
    return callsim.simulate(SCENARIOS / "five-nines.yaml", years=40, seed=3)


def estimate(value, low=None, high=None, lower=None, upper=None) -> Estimate:
    return Estimate(value, low, high, 0.95, 50, lower, upper)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (estimate(0.9999954, 0.9999945, 0.9999961), "99.99954 % (99.99945..99.99961 %)"),
        (estimate(0.5, 0.45, 0.55), "50 % (45..55 %)"),
        (estimate(0.991666, 0.98716, 0.9949), "99.2 % (98.7..99.5 %)"),
        (estimate(1.0, 0.99846, 1.0), "100 % (99.85..100 %)"),
        (estimate(0.99999999, 0.9999, 1.0), "99.999999 % (99.990000..100 %)"),
        (estimate(0.0, 0.0, 0.0123), "0 % (0..1.2 %)"),
        (estimate(0.9989, lower=0.9976, upper=0.9994), "99.89 % (at least 99.76 %, at most 99.94 %)"),
        (estimate(1.0, upper=1.0), "100 %"),
        (estimate(None), "none"),
    ],
)
def test_shares_have_the_digits_that_their_interval_supports(given, text):
    assert figures.percent(given) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (estimate(3.8251, 3.5585, 4.0877), "3.83 (3.56..4.09)"),
        (estimate(57.08, 56.2, 57.9), "57.1 (56.2..57.9)"),
        (estimate(157343.2, 157260.0, 157414.0), "157,343 (157,260..157,414)"),
        (estimate(0.0, upper=0.02995), "0 (at most 0.030)"),
        (estimate(7.0, 7.0, 7.0), "7.0 (7.0..7.0)"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_supports(given, text):
    assert figures.number(given) == text


def test_a_change_has_its_sign():
    assert figures.change(estimate(258.1, 239.4, 277.2)) == "+258 (+239..+277)"
    assert figures.change(estimate(-2.06, -2.51, -1.66)) == "-2.1 (-2.5..-1.7)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.02, "0.020 s"),
        (119.0, "119 s"),
        (145.0, "2.4 min"),
        (7300.0, "2.0 h"),
        (4e5, "4.6 d"),
        (2e8, "6.3 years"),
    ],
)
def test_lengths_of_time_have_the_unit_that_suits(seconds, text):
    assert figures.plain_duration(seconds) == text


def test_an_interval_of_time_is_in_the_unit_of_its_value():
    assert figures.duration(estimate(145.0, 123.0, 173.0)) == "2.4 min (2.0..2.9 min)"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (120, 30)])
def test_one_screen_is_enough(result, width, height):
    lines = report.terminal(result, width, height).splitlines()
    assert len(lines) + report.LINES_BELOW <= height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for name in ("Availability", "Downtime", "MTBF", "MTTR", "Call success", "dropped", "Post-dial delay"):
        assert name in text
    for judgement in result.objectives:
        assert (judgement.verdict.value if judgement.verdict else "not assessed") in text
    assert report.cause_name(result.causes[0]) in text


def test_the_causes_shown_add_up_to_all(result):
    lines = report.terminal(result, 100, 24).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Causes of downtime"))
    shares = [
        float(m[1]) for line in lines[first + 1 :] if (m := re.search(r" ([\d.]+) % ?[█ ]+[\d.]+$", line))
    ]
    assert len(shares) >= report.FEWEST_CAUSES
    assert sum(shares) == pytest.approx(100.0, abs=2.0)


def test_a_bar_is_as_long_as_its_share(result):
    text = report.terminal(result, 80, 40, blocks="#")
    assert "█" not in text
    name, share = report.cause_name(result.causes[0]), result.causes[0].downtime_share
    line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
    assert line.count("#") == round(share * report.BAR)


def test_the_sentence_is_about_the_worst_objective(result):
    line = report.verdict_line(result)
    worst = next(j for j in result.objectives if j.verdict is result.verdict)
    assert line.startswith(f"{result.verdict.value}: five-nines achieves ")
    assert report.promised(worst.objective) in line
    assert figures.percent(worst.met_share) in line
    assert "no objective" not in line.lower()
    assert report.verdict_line(replace(result, accounts=replace(result.accounts, judgements=()))).startswith(
        "NO OBJECTIVE: five-nines achieves "
    )


@pytest.mark.parametrize(
    ("objective", "text"),
    [
        (Availability(name="availability", at_least="99.99%"), "99.99 %"),
        (Mttr(name="mttr", at_most="30m"), "MTTR of at most 30 min"),
        (Mtbf(name="mtbf", at_least="14d"), "MTBF of at least 14 d"),
        (Downtime(name="downtime", at_most="4h"), "downtime of at most 4 h"),
    ],
)
def test_promises_have_their_own_digits(objective, text):
    assert report.promised(objective) == text


def test_what_is_missing_is_said(result):
    partial = replace(
        result, study=replace(result.study, partial="interrupted after 40 years", missed_precision=True)
    )
    text = report.terminal(partial, 80, 24)
    assert text.startswith("PARTIAL: interrupted after 40 years;")
    assert "wider than the precision" in " ".join(text.split())


def test_no_outage_is_no_perfection():
    overrides = ["platform.groups.unit.failures.hardware.mtbf=10000y"]
    path = Path(__file__).parent / "oracles" / "one-unit.yaml"
    result = callsim.simulate(callsim.load(path, overrides), years=10)
    line = report.verdict_line(result)
    assert (
        line == "NO OBJECTIVE: one-unit has no outage in 10 years (at most 0.30 a year); nothing is promised."
    )
    assert "Causes" not in report.terminal(result, 80, 24)


def test_a_notebook_gets_tables(result):
    html = result._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 3
    assert report.verdict_line(result) in html
    named = replace(result, scenario=result.scenario.model_copy(update={"name": "<b>"}))
    assert "<b> achieves" not in named._repr_html_()
    assert "&lt;b&gt; achieves" in named._repr_html_()
