from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

import callsim
from callsim.hearing import Voice
from callsim.sweeps import sweep_plot
from results.estimates import Estimate
from results.hearing import Rated, Sound

SCENARIOS = Path(__file__).parent.parent / "scenarios"
PLOTS = ("causes", "downtime", "mos", "stages", "year")
ONE_UNIT = Path(__file__).parent / "oracles" / "one-unit.yaml"


@pytest.fixture(scope="module")
def result() -> callsim.Result:
    return callsim.simulate(SCENARIOS / "five-nines.yaml", years=40, seed=3)


@pytest.fixture(scope="module")
def heard(result) -> callsim.Result:
    """As if its calls had been rated: 2 % of them are poor."""
    sounds = {
        Sound("atlantic", False, "MOS-CQE", 4.4, ""): Rated(98.0, 431.2),
        Sound("atlantic", False, "MOS-CQE", 2.7, "lan"): Rated(0.5, 1.35),
        Sound("atlantic", False, "MOS-CQE", 3.1, "atlantic/poor_audio"): Rated(1.5, 4.65),
        Sound("boreal", False, "MOS-CQEW", 1.5, "lan"): Rated(7.0, 10.5),
    }
    some = Estimate(0.02, 0.01, 0.03, 0.95, 40)
    causes = [("atlantic/poor_audio", 0.75), ("lan", 0.25)]
    voice = Voice("MOS-CQE", 3.6, 0.9, some.scaled(200.0), some, [], [], causes)
    summary = replace(result.study.summary, sounds=sounds)
    return replace(result, mos=voice, study=replace(result.study, summary=summary))


@pytest.fixture(scope="module")
def quiet() -> callsim.Result:
    overrides = ["platform.groups.unit.failures.hardware.mtbf=10000y"]
    return callsim.simulate(callsim.load(ONE_UNIT, overrides), years=10)


def test_every_plot_is_written_the_same_twice(result, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        result.plot.save(tmp_path / name)
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    kinds = [f"{plot}.{kind}" for plot in PLOTS for kind in ("png", "svg")]
    assert files == kinds
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    for plot in PLOTS:
        image = imread(tmp_path / "one" / f"{plot}.png")
        assert image.std() > 0.01
        assert ET.parse(tmp_path / "one" / f"{plot}.svg").getroot().tag.endswith("svg")


def test_downtime_counts_every_year_and_marks_what_is_allowed(result):
    ax = result.plot.downtime()
    heights = sum(bar.get_height() for container in ax.containers for bar in container)
    # Stacked bars: matplotlib gives each its own height.
    assert heights == pytest.approx(100.0)
    lines = sorted(float(line.get_xdata()[0]) for line in ax.lines)
    assert lines == pytest.approx([1e-5 * 365.25 * 86400, 1e-4 * 365.25 * 86400])
    assert "year" in ax.get_xlabel()
    assert "%" in ax.get_ylabel()


def test_causes_are_the_result_s(result):
    ax = result.plot.causes()
    (bars,) = ax.containers
    widths = [bar.get_width() for bar in bars]
    assert sum(widths) == pytest.approx(100.0)
    assert widths[0] == pytest.approx(100 * result.causes[0].downtime_share)
    assert ax.get_yticklabels()[0].get_text().replace("\n", " ") == " + ".join(result.causes[0].causes)


def test_stages_add_up_to_the_mttr(result):
    ax = result.plot.stages()
    (bars,) = ax.containers
    unit = {"s": 1.0, "min": 60.0, "h": 3600.0}[ax.get_xlabel().split("(")[1].rstrip(")")]
    assert sum(bar.get_width() for bar in bars) * unit == pytest.approx(
        60.0 * result.mttr_min.value, rel=1e-6
    )


def test_the_bad_year_is_at_its_quantile(result):
    ax = result.plot.year()
    drawn = sum(len(line.get_xdata()) for line in ax.lines)
    (stretch,) = result.study.kept
    bounds = result.study.tables.zone.year_starts(stretch.years)
    down = np.diff(stretch.outages.down_before(bounds))
    bad = int(np.argsort(down, kind="stable")[int(np.ceil(0.95 * len(down))) - 1])
    begin, end = bounds[bad : bad + 2]
    inside = (stretch.outages.end > begin) & (stretch.outages.start < end)
    assert drawn == inside.sum() > 0
    assert f"{inside.sum()} outages" in ax.get_title()


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_draw_on_axes_of_one_s_own(result, plot):
    mine = Figure().subplots()
    assert getattr(result.plot, plot)(mine) is mine


def test_nothing_to_see_is_no_trouble(quiet, tmp_path):
    quiet.plot.save(tmp_path)
    assert {file.stem for file in tmp_path.iterdir()} == {"downtime", "year"}


def test_mos_rises_to_all_calls_of_its_scale(heard):
    ax = heard.plot.mos()
    everyone, worst, second = ax.lines
    assert list(everyone.get_xdata()) == [2.7, 2.7, 3.1, 4.4]
    assert list(everyone.get_ydata())[1:] == pytest.approx([0.5, 2.0, 100.0])
    assert worst.get_label().startswith("atlantic/poor_audio: 75 %")
    assert list(worst.get_ydata())[-1] == pytest.approx(1.5)
    assert list(second.get_ydata())[-1] == pytest.approx(0.5)
    assert "MOS-CQE" in ax.get_xlabel()


def test_without_a_mos_there_is_no_plot_of_it(quiet):
    with pytest.raises(ValueError, match=r"traffic\.codec"):
        quiet.plot.mos()


def test_a_year_that_was_not_kept_is_not_drawn():
    scenario = callsim.load(ONE_UNIT, ["simulation.keep_years=0"])
    with pytest.raises(ValueError, match="keep_years"):
        callsim.simulate(scenario, years=2).plot.year()


@pytest.mark.parametrize(
    ("values", "places"), [(("30m", "2h"), [1800.0, 7200.0]), (("{exponential: 1h}", "2h"), [0.0, 1.0])]
)
def test_a_sweep_is_drawn_to_scale_where_it_has_one(values, places):
    path = "platform.groups.unit.failures.hardware.repair"
    compared = callsim.compare([callsim.load(ONE_UNIT, [f"{path}={value}"]) for value in values], years=20)
    ax = sweep_plot(compared, [path], [(value,) for value in values])
    (line, *_), *_ = ax.containers
    assert list(line.get_xdata()) == places
    means = [result.downtime_min_per_year.value for result in compared.results]
    assert list(line.get_ydata()) == pytest.approx(means)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(values)
