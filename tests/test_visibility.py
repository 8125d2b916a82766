"""What a schedule can see, against brute force."""

import math

import numpy as np
import pytest
from scipy import stats

from carriers.calendars import WEEK
from carriers.hours import parse_hours
from results.visibility import (
    DAY,
    Beat,
    days_to_show,
    fits,
    found_law,
    noticed_law,
    probes_to_show,
    probes_with_outages,
    unseen_share,
)

PLAIN = Beat(300.0)
MANY = 20_000
FOUR_SIGMA = 6e-5


def slots(beat, until, rng):
    """Beginnings of slots at a random phase."""
    grid = np.arange(-2 * beat.every, until, beat.every) + rng.uniform(0, beat.every)
    at = np.sort(grid + rng.uniform(-beat.jitter, beat.jitter, len(grid)))
    if beat.hours.always:
        return at
    opens, closes = np.reshape(beat.hours.spans, (-1, 2)).T
    week = (at % WEEK)[:, None]
    return at[((opens <= week) & (week < closes)).any(axis=1)]


def played(beats, until, rng, times=MANY):
    """Begin an outage at a random instant; gives the time from then to each slot that fails, sorted."""
    for _ in range(times):
        begin = rng.uniform(0, WEEK if until == WEEK else 600.0)
        yield begin, [slots(beat, begin + until, rng) - begin for beat in beats]


def holds(hits, times, chance):
    return stats.binomtest(int(hits), times, chance).pvalue > FOUR_SIGMA


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 150), (0.95, 285)])
def test_without_jitter_length_over_cadence_is_found(share, seconds):
    assert found_law([PLAIN]).quantile(share) == pytest.approx(seconds)
    later = found_law([Beat(300.0, tries=40.0)]).quantile(share)
    assert later == pytest.approx(seconds + 40, abs=0.5)


def test_what_is_noticed_without_jitter_is_half_a_cadence_on_average():
    law = noticed_law([Beat(300.0, known=4.0)])
    assert law.mean == pytest.approx(154, abs=0.1)
    assert noticed_law([PLAIN], 3).mean == pytest.approx(750, abs=0.5)


BEATS = {
    "jitter": [Beat(300.0, 60.0)],
    "repeats": [Beat(300.0, 30.0, tries=50.0, known=4.0)],
    "two": [Beat(300.0, 30.0), Beat(120.0, 10.0, tries=20.0)],
    "hours": [Beat(3600.0, 600.0, hours=parse_hours("Mon-Fri 08:00-18:00"))],
}


@pytest.mark.parametrize("name", BEATS)
def test_laws_are_those_of_outages_that_are_played(name):
    beats, rng = BEATS[name], np.random.default_rng(7)
    always = all(beat.hours.always for beat in beats)
    until = 2000.0 if always else WEEK
    times = MANY if always else 2000
    found, second = [], []
    for _, runs in played(beats, until, rng, times):
        first = [at[at >= 0] + beat.tries for at, beat in zip(runs, beats, strict=True)]
        found.append(min(at[0] for at in first))
        told = np.sort(np.concatenate([at + beat.known for at, beat in zip(first, beats, strict=True)]))
        second.append(told[1])
    law, twice = found_law(beats), noticed_law(beats, 2)
    for share in (0.5, 0.95):
        assert holds(np.sum(np.array(found) <= law.quantile(share)), times, share)
        assert holds(np.sum(np.array(second) <= twice.quantile(share)), times, share)
    error = np.std(second) / math.sqrt(times)
    assert abs(np.mean(second) - twice.mean) < 4 * error


def test_how_many_can_fail_within_a_time():
    assert fits([PLAIN], 2, 300.0)
    assert not fits([PLAIN], 2, 299.0)
    assert fits([Beat(300.0, 10.0)], 2, 299.0)
    assert fits([PLAIN, PLAIN], 2, 1.0)


def test_probes_that_show_an_availability_are_clopper_and_pearsons():
    for availability in (0.9, 0.999, 0.9999):
        n = probes_to_show(availability)
        bounds = [stats.beta.ppf(0.05, k, 1) for k in (n - 1, n)]
        assert bounds[0] < availability <= bounds[1]
    assert days_to_show(0.999, 288) == pytest.approx(probes_to_show(0.999) / 288)


def test_probes_among_lasting_outages_are_those_of_a_chain_that_is_played():
    availability, spacing, mean = 0.95, 300.0, 1800.0
    n = probes_with_outages(availability, spacing, mean)
    assert n > 3 * probes_to_show(availability)
    rng, times = np.random.default_rng(3), 20_000
    clean = 0
    up_mean = mean * availability / (1 - availability)
    for _ in range(times):
        # Where the first failure begins; the chain starts as it is found at random.
        if rng.uniform() > availability:
            continue
        t, good = rng.exponential(up_mean), True
        while t < (n - 1) * spacing:
            end = t + rng.exponential(mean)
            if math.floor(min(end, (n - 1) * spacing) / spacing) > math.floor(t / spacing):
                good = False
                break
            t = end + rng.exponential(up_mean)
        clean += good
    assert holds(clean, times, 0.05) or clean / times < 0.05
    assert clean / times > 0.045


def test_lasting_outages_take_longer_to_show():
    per_day = 288.0
    assert days_to_show(0.9999, per_day) < days_to_show(0.9999, per_day, 1800.0)
    assert days_to_show(0.9999, per_day, 1e-3) == pytest.approx(days_to_show(0.9999, per_day), rel=1e-3)


def test_short_outages_between_good_probes_take_no_more_than_their_share():
    rng, n = np.random.default_rng(2), 200
    share = unseen_share(n)
    assert share == pytest.approx(1 - 0.05 ** (1 / n))
    assert unseen_share(0) == 1
    # Parts of a time, in each of which another share is down, together `share`.
    down = rng.dirichlet(np.ones(n)) * n * share
    missed = sum((rng.uniform(size=n) >= down).all() for _ in range(MANY))
    assert missed / MANY < 0.05 + 4 * math.sqrt(0.05 / MANY)


def test_hours_shorten_the_day():
    beat = Beat(300.0, hours=parse_hours("Mon-Fri 08:00-18:00"))
    assert beat.per_day == pytest.approx(50 * 3600 / 300 / 7)
    assert PLAIN.per_day == DAY / 300
