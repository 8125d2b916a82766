"""The fates of packets on an impaired path, without sockets or clocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from callgen.lab.impairment import HELD, SPACING, Impairment, LabFault

PACKETS = 40_000
ALMOST_SURE = 1 - 1e-4


def arrivals(fault, packets=PACKETS, seed=1, spacing=SPACING):
    """Return instants of sending, and of arrival; nan: lost."""
    path = Impairment(fault, np.random.default_rng(seed))
    sent = np.arange(packets) * spacing
    found = [path.arrives(at) for at in sent]
    return sent, np.array([np.nan if at is None else at for at in found])


def runs(lost):
    """Return the lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def within(mean, values):
    """Whether a mean lies in the interval that independent values of it give."""
    margin = stats.norm.ppf((1 + ALMOST_SURE) / 2) * np.std(values) / np.sqrt(len(values))
    return abs(np.mean(values) - mean) <= margin


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.10, 0.5])
def test_random_loss_is_binomial_with_random_runs(loss):
    _, arrived = arrivals(LabFault("impaired", loss=loss))
    lost = np.isnan(arrived)
    test = stats.binomtest(int(lost.sum()), PACKETS)
    low, high = test.proportion_ci(ALMOST_SURE)
    assert low <= loss <= high
    assert within(1 / (1 - loss), runs(lost))


@pytest.mark.parametrize(("loss", "burst_ratio"), [(0.05, 2.0), (0.10, 3.0), (0.02, 8.0), (0.3, 0.75)])
def test_bursty_loss_has_its_share_and_its_burst_ratio(loss, burst_ratio):
    _, arrived = arrivals(LabFault("impaired", loss=loss, burst_ratio=burst_ratio), 4 * PACKETS)
    lost = np.isnan(arrived)
    assert within(burst_ratio / (1 - loss), runs(lost)), "G.107: mean run over that of random loss"
    assert within(burst_ratio / loss, runs(~lost)), "so that a share `loss` is lost"


def test_loss_of_all_and_of_nothing():
    assert np.isnan(arrivals(LabFault("impaired", loss=1.0), 100)[1]).all()
    sent, arrived = arrivals(LabFault("impaired"), 100)
    assert (sent == arrived).all()


@pytest.mark.parametrize("delay", [0.01, 0.3])
def test_delay_is_the_same_for_all(delay):
    sent, arrived = arrivals(LabFault("impaired", delay=delay), 100)
    assert arrived - sent == pytest.approx(delay)


@pytest.mark.parametrize(
    ("jitter", "within_share"), [(0.001, 0.03), (0.005, 0.03), (0.01, 0.03), (0.02, 0.03), (0.03, 0.16)]
)
def test_jitter_is_that_of_rfc_3550_and_keeps_the_order(jitter, within_share):
    sent, arrived = arrivals(LabFault("impaired", jitter=jitter, delay=0.05), 4 * PACKETS)
    transit = arrived - sent
    assert (np.diff(arrived) >= 0).all()
    assert 0.05 <= transit.min() < 0.0501
    assert np.abs(np.diff(transit)).mean() == pytest.approx(jitter, rel=within_share)


def test_a_share_of_the_packets_is_overtaken_by_the_next():
    sent, arrived = arrivals(LabFault("impaired", reorder=0.05))
    overtaken = arrived[:-1] > arrived[1:]
    low, high = stats.binomtest(int(overtaken.sum()), PACKETS - 1).proportion_ci(ALMOST_SURE)
    # A packet that is held back is overtaken unless the next one is held back too.
    assert low <= 0.05 * 0.95 <= high
    assert set(np.round(arrived - sent, 9)) == {0.0, HELD}


def test_the_same_seed_has_the_same_fates():
    fault = LabFault("impaired", loss=0.1, burst_ratio=2.0, jitter=0.01, reorder=0.01)
    assert np.array_equal(arrivals(fault)[1], arrivals(fault)[1], equal_nan=True)
    assert not np.array_equal(arrivals(fault)[1], arrivals(fault, seed=2)[1], equal_nan=True)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"kind": "refuses", "share": 1.1}, "share(=1.1) is a share, from 0 to 1"),
        ({"kind": "refuses", "status": 200}, "status(=200) is no refusal; those are 300 to 699"),
        ({"kind": "impaired", "jitter": -1.0}, "jitter(=-1.0) must be at least 0"),
        ({"kind": "hang_up", "after": float("nan")}, "after(=nan) must be at least 0"),
        ({"kind": "slow"}, "a slow carrier needs a post_dial_delay"),
        (
            {"kind": "impaired", "loss": 0.1, "burst_ratio": 0.5},
            "burst_ratio(=0.5) is at least 0.9 with so much loss",
        ),
    ],
)
def test_a_fault_that_cannot_be_is_refused(figures, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        LabFault(**figures)
    assert str(caught.value) == message
