"""Probes made of faults that are known."""

from __future__ import annotations

import numpy as np

from results.incidents import subjects_of
from results.probes import Probes, Series, misses_of, reach_of

EVERY, JITTER = 300.0, 30.0
TRUNKS = ("atlantic/1", "boreal/1")
HERE = Series("berlin", "echo", "atlantic/1")
BESIDE = Series("berlin", "echo", "boreal/1")
THERE = Series("oslo", "echo", "atlantic/1")
NONE_MISSED = misses_of([])


def probes_of(rows):
    """Make columns of rows (series, started, ended, passed), in any order."""
    rows = sorted(rows, key=lambda row: row[2])
    of = tuple(dict.fromkeys(series for series, *_ in rows))
    return Probes(
        of,
        np.array([of.index(series) for series, *_ in rows], dtype=np.int32),
        np.array([started for _, started, _, _ in rows], dtype=float),
        np.array([started for _, started, _, _ in rows], dtype=float),
        np.array([ended for _, _, ended, _ in rows], dtype=float),
        np.array([passed for *_, passed in rows], dtype=np.int8),
        np.full(len(rows), np.nan),
    )


def strip(series, text, every=EVERY, start=0.0, lasts=10.0):
    """Rows of a leg, one letter for each slot: `.` good, `x` bad, `?` says nothing, a blank no probe."""
    marks = {".": 1, "x": 0, "?": -1}
    return [
        (series, start + n * every, start + n * every + lasts, marks[letter])
        for n, letter in enumerate(text)
        if letter != " "
    ]


def reaches(*series, every=EVERY, jitter=0.0):
    return {one: reach_of(every, jitter) for one in series}


def subjects(legs):
    return subjects_of(legs, TRUNKS)


def probed(faults, until, rng, series=HERE, every=EVERY, jitter=JITTER, talk=10.0, fails=2.0):
    """Probe a trunk that refuses calls during `faults` (pairs of instants), on a grid with jitter."""
    slots = np.arange(0.0, until, every) + every / 2
    starts = slots + rng.uniform(-jitter, jitter, len(slots))
    rows = []
    for start in starts:
        bad = any(begin <= start < end for begin, end in faults)
        rows.append((series, start, start + (fails if bad else talk), 0 if bad else 1))
    return rows
