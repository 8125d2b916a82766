import re
from dataclasses import replace
from pathlib import Path

import pytest

import callsim
from callsim import figures, report
from callsim.call_rows import call_rows
from callsim.hearing import BusyHour, CarrierVoice, Direction, Voice
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


NARROW = Voice(
    scale="MOS-CQE",
    poor_below=3.6,
    calls_share=0.9,
    mean=estimate(4.2083, 4.1712, 4.2441),
    poor_share=estimate(0.01312, 0.01201, 0.01433),
    distribution=[(2.7, 0.0131), (4.2, 0.9869)],
    by_carrier=[CarrierVoice("atlantic", "outbound", 4.2, 0.0131, 1.0)],
    poor_by_cause=[("atlantic/poor_audio", 0.6), ("access/congestion", 0.2), ("lan", 0.15), ("mobile", 0.05)],
)
WIDE = replace(NARROW, scale="MOS-CQEW", calls_share=0.1, poor_by_cause=[])
BUSY = BusyHour("Mon 10:00", 1800.0, 0.98, 0.015, 4.1, 0.02)
FARES = Direction(estimate(0.99991, 0.99988, 0.99993), estimate(0.9999, 0.9998, 0.99995))


@pytest.fixture(scope="module")
def heard(result) -> callsim.Result:
    """A result that has all there is to tell of calls."""
    return replace(
        result,
        mos=NARROW,
        directions={"outbound": FARES, "inbound": FARES},
        busy_hour=BUSY,
        dpm=estimate(9000.0, 8100.0, 9900.0),
        blocked_per_million=estimate(7000.0, 6100.0, 7900.0),
        one_way_per_million=estimate(150.0, 130.0, 170.0),
    )


@pytest.fixture(scope="module")
def plain() -> callsim.Result:
    return callsim.simulate(SCENARIOS / "single-carrier.yaml", years=6)


def row_of(result: callsim.Result, name: str, brief: bool = False) -> str:
    return dict(report.rows_of(result, brief))[name]


def test_voice_is_told_in_one_row(heard):
    assert row_of(heard, "Voice") == (
        "MOS-CQE 4.21 (4.17..4.24) mean, 1.31 % (1.20..1.43 %) of calls poor (below 3.6): "
        "atlantic/poor_audio 60 %, access/congestion 20 %, lan 15 %, 1 more 5.0 %; 90 % of calls are rated"
    )
    assert row_of(heard, "Voice", brief=True) == (
        "MOS-CQE 4.21, 1.3 % of calls poor, most by atlantic/poor_audio"
    )


def test_the_other_scale_is_told_apart(heard):
    text = row_of(replace(heard, mos=replace(NARROW, other=WIDE)), "Voice")
    assert text.endswith("; MOS-CQEW 4.21 (4.17..4.24) mean, 1.31 % (1.20..1.43 %) poor, in 10 % of calls")


def test_calls_that_fail_say_how_many_are_blocked(heard):
    assert row_of(heard, "Per million").startswith("9,000 (8,100..9,900) calls fail, 7,000 (6,100..7,900) of")
    assert row_of(heard, "Per million").endswith(" are dropped, 150 (130..170) have one-way audio")
    few = replace(heard, blocked_per_million=estimate(80.0, 70.0, 90.0))
    assert "blocked" not in row_of(few, "Per million")


def test_directions_are_told_where_there_are_two(heard, plain):
    assert row_of(heard, "  by direction") == (
        "outbound 99.9910 % (99.9880..99.9930 %), inbound 99.9910 % (99.9880..99.9930 %)"
    )
    assert "direction" not in " ".join(name for name, _ in report.rows_of(plain))


def test_the_busy_hour_is_told_where_it_is_worse(heard):
    told = "Mon 10:00, 1,800 calls: 2.0 % fail, 1.5 % are blocked, MOS 4.10, 2.0 % poor"
    assert row_of(heard, "Busy hour") == told
    like_all = replace(BUSY, blocked_share=0.0071, poor_share=0.0132)
    assert "Busy hour" not in dict(call_rows(replace(heard, busy_hour=like_all)))
    noisy = replace(like_all, poor_share=0.02)
    assert "Busy hour" in dict(call_rows(replace(heard, busy_hour=noisy)))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (120, 30)])
def test_one_screen_is_enough_for_voice_too(heard, width, height):
    lines = report.terminal(heard, width, height).splitlines()
    assert len(lines) + report.LINES_BELOW <= height
    assert max(map(len, lines)) <= width
    assert any(line.startswith("Voice            MOS-CQE 4.21") for line in lines)


def test_the_answer_has_what_callers_met(heard):
    answer = replace(heard, mos=replace(NARROW, other=WIDE)).to_json()
    mos = answer["mos"]
    assert mos["mean"]["value"] == 4.2083
    assert mos["distribution"][0] == {"mos": 2.7, "share": 0.0131}
    assert mos["by_carrier"][0]["direction"] == "outbound"
    assert mos["poor_by_cause"][0] == {"cause": "atlantic/poor_audio", "share": 0.6}
    assert (mos["scale"], mos["other_scale"]["scale"]) == ("MOS-CQE", "MOS-CQEW")
    assert answer["directions"]["inbound"]["availability"]["value"] == 0.99991
    assert answer["busy_hour"]["hour"] == "Mon 10:00"
    assert answer["blocked_per_million"]["value"] == 7000.0
    assert {"mos", "poor_share", "inbound_availability", "blocked_per_million"} <= set(heard.to_frame().index)


def test_what_a_scenario_has_not_is_null(plain):
    answer = plain.to_json()
    assert answer["mos"] is None
    assert answer["directions"] is None
    assert answer["one_way_per_million"]["value"] == 0.0
    assert answer["busy_hour"]["mos_mean"] is None
