"""Calls summed up exactly by year, sound, direction; what is estimated from that."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_summary import FAST, HOURS, LENGTH, RATES, STEP, YEARS, ZONE, summary_of, timeline_of

from callsim import figures
from callsim.hearing import call_figures, distribution
from carriers.calendars import HOUR
from results.estimates import Estimate, Resampling
from results.hearing import SCALES, CallSums, Inbound, Path, Rated, Sound, busiest
from results.summary import Summary, merge
from results.timeline import Branch, Condition, Heard, Timeline

WAVE = 0.5 + 0.4 * np.sin(HOURS / 7)
GOOD = Heard(4.4, "MOS-CQE", 0.0, 0.001, 0.1)
LAN = Heard(2.754, "MOS-CQE", 0.04, 0.03, 0.15, spoilt_by="lan/interference")
NOISY = Heard(3.1, "MOS-CQE", 0.02, 0.03, 0.15, spoilt_by="atlantic/poor_audio")
WIDE = Heard(4.2, "MOS-CQEW", 0.0, 0.001, 0.1)
MUTE = Heard(None, "", 0.0, 0.0, 0.1, one_way=True)
UNRATED = Heard(None, "", 0.01, 0.0, 0.1)
TO_US = Inbound(share=0.4, down_above=0.3)
POOR_BELOW = 3.6


def branch(carrier: str, share: object, heard: Heard | None, inbound: bool = False) -> Branch:
    law = None if inbound else FAST
    return Branch(carrier, 1, 0.0, law, 8.0, np.zeros(168) + share, inbound=inbound, heard=heard)


CONDITIONS = (
    Condition(
        "nominal",
        np.full(168, 0.03),
        (
            branch("atlantic", 0.6 * WAVE, GOOD),
            branch("atlantic", 0.6 * (1 - WAVE), LAN),
            branch("boreal", 0.38, WIDE, inbound=True),
        ),
        unconnected=np.full(168, 0.02),
        blocked=0.01 * WAVE,
        directions=(0.02 * WAVE, 0.05 * WAVE),
    ),
    Condition(
        "noisy",
        0.5 * WAVE,
        (
            branch("atlantic", 0.2, NOISY),
            branch("atlantic", 0.2, MUTE),
            branch("boreal", 0.1 * WAVE, GOOD, inbound=True),
            branch("boreal", 0.1, UNRATED, inbound=True),
        ),
        unconnected=0.5 - 0.1 * WAVE,
        directions=(0.6 * WAVE, 1 - WAVE),
    ),
    Condition("lost", np.ones(168)),
)


def stream_of(*rows: tuple[float, float, int, int]) -> Timeline:
    return replace(timeline_of(*rows), conditions=CONDITIONS)


def heard_over(*rows: tuple[float, float, int, int], inbound: Inbound | None = TO_US) -> Summary:
    return summary_of(stream_of(*rows), inbound=inbound)


def of_condition(kind: int) -> dict[str, np.ndarray]:
    """What a call offered adds to each sum, by hour of the week; `down` is per second."""
    condition = CONDITIONS[kind]
    found = {f.name: np.zeros(168) for f in fields(CallSums)}
    found |= {name: np.zeros((168, 2)) for name in ("rated", "mos", "poor", "down")}
    found["offered"] += 1
    found["failed"] += condition.failing if condition.unconnected is None else condition.unconnected
    found["blocked"] += 0.0 if condition.blocked is None else condition.blocked
    found["inbound"] += TO_US.share
    found["inbound_failed"] += TO_US.share
    for row in condition.branches:
        if row.inbound:
            found["inbound_failed"] -= row.share
        if row.heard.one_way:
            found["one_way"] += row.share
        if row.heard.mos is not None:
            scale = SCALES.index(row.heard.scale)
            found["rated"][:, scale] += row.share
            found["mos"][:, scale] += row.share * row.heard.mos
            found["poor"][:, scale] += row.share * (row.heard.mos < POOR_BELOW)
    failing = condition.directions or (condition.failing, condition.failing)
    found["down"] = (np.stack(failing, axis=1) > TO_US.down_above).astype(float)
    return found


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[float, float, int, int]]:
    many = draw(st.integers(0, 6))
    edges = sorted(draw(st.sets(st.integers(0, int(LENGTH / STEP)), min_size=2 * many, max_size=2 * many)))
    spans = zip(edges[::2], edges[1::2], strict=True)
    return [(a * STEP, b * STEP, draw(st.integers(0, 2)), 0) for a, b in spans]


@settings(deadline=None, max_examples=12)
@given(rows())
def test_all_sums_equal_sums_over_small_steps_across_clock_changes(rows):
    summary = heard_over(*rows)
    step = np.arange(0.0, LENGTH, STEP)
    hour = ((ZONE.local_array(step) // HOUR) % 168).astype(int)
    kind = np.zeros(len(step), dtype=int)
    for start, end, of, _ in rows:
        kind[(step >= start) & (step < end)] = of
    year = np.searchsorted(ZONE.year_starts(YEARS), step, side="right") - 1
    busy = hour == busiest(RATES)
    tables = [of_condition(n) for n in range(len(CONDITIONS))]
    for field in fields(CallSums):
        table = np.stack([t[field.name] for t in tables])[kind, hour]
        weight = STEP if field.name == "down" else RATES[hour] * STEP / HOUR
        values = (table.T * weight).T
        expected = np.stack([values[year == n].sum(axis=0) for n in range(YEARS)])
        found = getattr(summary.calls, field.name)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-5, err_msg=field.name)
        of_busy = getattr(summary.busy_hour, field.name)
        np.testing.assert_allclose(of_busy[0], values[busy].sum(axis=0), rtol=1e-9, atol=1e-5)
    rated = sum(row.calls for row in summary.sounds.values())
    assert rated == pytest.approx(summary.calls.rated.sum(), rel=1e-9)
    assert sum(row.mos for row in summary.sounds.values()) == pytest.approx(summary.calls.mos.sum(), rel=1e-9)


def test_a_stretch_within_one_hour_is_as_exact_as_its_bounds():
    before = heard_over().calls
    after = heard_over((1800.25, 1803.75, 2, 0)).calls
    rate = RATES[int(ZONE.local_array(np.array([1800.0]))[0] // HOUR) % 168] / HOUR
    more = after.failed.sum() - before.failed.sum()
    hour = int(ZONE.local_array(np.array([1800.0]))[0] // HOUR) % 168
    assert more == pytest.approx(3.5 * rate * (1 - CONDITIONS[0].unconnected[hour]), rel=1e-5)


def test_calls_sound_as_their_branches_do():
    summary = heard_over((1e6, 2e6, 1, 0))
    assert set(summary.sounds) == {
        Sound("atlantic", False, "MOS-CQE", 4.4, ""),
        Sound("atlantic", False, "MOS-CQE", 2.75, "lan/interference"),
        Sound("atlantic", False, "MOS-CQE", 3.1, "atlantic/poor_audio"),
        Sound("boreal", True, "MOS-CQEW", 4.2, ""),
        Sound("boreal", True, "MOS-CQE", 4.4, ""),
    }
    lan = summary.sounds[Sound("atlantic", False, "MOS-CQE", 2.75, "lan/interference")]
    assert lan.mos / lan.calls == pytest.approx(2.754), "the mean is not rounded"


def test_equal_laws_and_sounds_meet_though_they_are_not_the_same_objects():
    twice = (branch("atlantic", 0.3, GOOD), branch("atlantic", 0.3, GOOD._replace(mos=4.4 * 1.0)))
    twice = (twice[0], replace(twice[1], delay=replace(FAST)))
    timeline = replace(timeline_of(), conditions=(Condition("nominal", np.full(168, 0.4), twice),))
    summary = summary_of(timeline)
    assert list(summary.connected) == [Path("atlantic", 1, 0.0, FAST, 8.0)]
    assert [row.calls for row in summary.sounds.values()] == [pytest.approx(0.6 * summary.attempts.sum())]


def test_without_a_codec_nothing_is_known_of_how_calls_sound():
    summary = summary_of(timeline_of((100.0, 200.0, 1, 1)))
    assert summary.sounds == {}
    for name in ("rated", "mos", "poor", "one_way", "blocked", "inbound", "inbound_failed", "down"):
        assert not getattr(summary.calls, name).any(), name


def test_calls_to_us_count_for_their_carrier_and_not_for_the_delay():
    both = heard_over((1e6, 2e6, 1, 0))
    outbound = [row for row in both.connected if not row.inbound]
    assert both.connected_by_carrier["boreal"] > 0
    assert {path.carrier for path in outbound} == {"atlantic"}
    expected = summary_of(timeline_of()).delay_percentiles((0.5, 0.99))
    assert both.delay_percentiles((0.5, 0.99)) == pytest.approx(expected), "one law, the same limit"
    only = replace(both, connected={path: 1.0 for path in both.connected if path.inbound})
    assert only.delay_percentiles() is None


def test_the_busy_hour_is_the_first_of_equal_ones():
    assert busiest([1.0, 3.0, 2.0, 3.0]) == 1


def test_merging_adds_sounds_and_busy_hours():
    parts = [heard_over((start, start + 5e5, 1, 0)) for start in (1e6, 2e6)]
    whole = merge(parts)
    assert whole.calls.rated.shape == (2 * YEARS, 2)
    assert whole.busy_hour.offered.tolist() == [sum(float(p.busy_hour.offered[0]) for p in parts)]
    for sound, row in whole.sounds.items():
        assert row.calls == pytest.approx(sum(p.sounds[sound].calls for p in parts))


def figures_of(summary: Summary):
    again = Resampling(len(summary.year_seconds), np.random.default_rng(5))
    return call_figures(summary, again, RATES.tolist(), POOR_BELOW)


@pytest.fixture(scope="module")
def summary() -> Summary:
    return merge(
        [heard_over((n * 1e5, n * 1.3e5 + 4e5, 1, 0), (5e6, 5e6 + n * 1e4, 2, 0)) for n in range(1, 9)]
    )


def test_scales_are_never_mixed(summary):
    voice = figures_of(summary).mos
    other = voice.other
    assert (voice.scale, other.scale, other.other) == ("MOS-CQE", "MOS-CQEW", None)
    assert other.mean.value == pytest.approx(4.2)
    assert other.distribution == [(4.2, pytest.approx(1.0))]
    assert other.poor_share.value == 0.0
    assert 2.75 < voice.mean.value < 4.2
    assert voice.mean.low < voice.mean.value < voice.mean.high
    connected = sum(summary.connected.values())
    assert voice.calls_share == pytest.approx(summary.calls.rated[:, 0].sum() / connected)
    assert voice.calls_share + other.calls_share < 1.0, "one-way and unrated calls have no MOS"


def test_the_scale_of_most_calls_comes_first(summary):
    calls = replace(summary.calls, rated=summary.calls.rated[:, ::-1], mos=summary.calls.mos[:, ::-1])
    swapped = {
        sound._replace(scale=SCALES[1 - SCALES.index(sound.scale)]): row
        for sound, row in summary.sounds.items()
    }
    voice = figures_of(replace(summary, calls=calls, sounds=swapped)).mos
    assert voice.scale == "MOS-CQEW"
    assert voice.other.scale == "MOS-CQE"


def test_figures_of_voice_agree_with_each_other(summary):
    voice = figures_of(summary).mos
    assert sum(share for _, share in voice.distribution) == pytest.approx(1.0)
    below = sum(share for mos, share in voice.distribution if mos < POOR_BELOW)
    assert below == pytest.approx(voice.poor_share.value)
    assert sum(row.calls_share for row in voice.by_carrier) == pytest.approx(1.0)
    assert sum(row.calls_share * row.mean for row in voice.by_carrier) == pytest.approx(voice.mean.value)
    poor = sum(row.calls_share * row.poor_share for row in voice.by_carrier)
    assert poor == pytest.approx(voice.poor_share.value)
    assert [(row.carrier, row.direction) for row in voice.by_carrier] == [
        ("atlantic", "outbound"),
        ("boreal", "inbound"),
    ]
    shares = [share for _, share in voice.poor_by_cause]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    assert {cause for cause, _ in voice.poor_by_cause} == {"lan/interference", "atlantic/poor_audio"}


def test_directions_make_up_the_whole(summary):
    found = figures_of(summary)
    success = {name: row.call_success.value for name, row in found.directions.items()}
    mean = (1 - TO_US.share) * success["outbound"] + TO_US.share * success["inbound"]
    assert mean == pytest.approx(found.call_success.value)
    seconds = summary.calls.down[:, 1].sum()
    down = 1 - found.directions["inbound"].availability.value
    assert down == pytest.approx(seconds / summary.seconds)
    assert found.directions["inbound"].availability.value != found.directions["outbound"].availability.value


def test_without_calls_to_us_there_are_no_directions():
    assert figures_of(heard_over((1e6, 2e6, 1, 0), inbound=None)).directions is None


def test_the_busy_hour_is_that_of_the_figures(summary):
    busy, sums = figures_of(summary).busy_hour, summary.busy_hour
    assert (busy.hour, busy.calls_per_hour) == ("Sun 23:00", RATES[167])
    assert busy.blocked_share == pytest.approx(sums.blocked[0] / sums.offered[0])
    assert busy.mos_mean == pytest.approx(sums.mos[0, 0] / sums.rated[0, 0])
    assert busy.call_success == pytest.approx(1 - sums.failed[0] / sums.offered[0])
    assert 0 < busy.poor_share < 1


def test_few_years_leave_a_mean_mos_without_bounds():
    mean = figures_of(heard_over((1e6, 2e6, 1, 0))).mos.mean
    assert mean.value is not None
    assert (mean.low, mean.high, mean.lower, mean.upper) == (None, None, None, None)


def test_mos_is_spread_in_steps_of_a_tenth():
    def sound(mos: float, calls: float) -> tuple[Sound, Rated]:
        return Sound("a", False, "MOS-CQE", mos, ""), Rated(calls, mos * calls)

    found = distribution([sound(4.10, 2.0), sound(4.19, 1.0), sound(4.2, 1.0), sound(1.0, 4.0)])
    assert found == [(1.0, 0.5), (4.1, 0.375), (4.2, 0.125)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Estimate(4.2114, 4.2111, 4.2119, 0.95, 50), "4.21"),
        (Estimate(4.208, 4.171, 4.244, 0.95, 50), "4.21 (4.17..4.24)"),
        (Estimate(4.0, None, None, 0.95, 4), "4.00"),
        (Estimate(None, None, None, 0.95, 0), "none"),
    ],
)
def test_a_mos_has_two_decimals(given, text):
    assert figures.mos(given) == text
