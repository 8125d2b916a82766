"""Stretches of time cut into cells within which nothing changes."""

from __future__ import annotations

import numpy as np

from results.timeline import Floats, Ints
from results.weekly import Index

NOTHING = -np.inf
"""What `highest` says of a cell that no row covers."""


def highest(first: Index, last: Index, values: Floats, cells: int) -> Floats:
    """Return for each cell the highest of the `values` of the rows that cover cells first to last - 1.

    Every row has at least one cell. Each is covered by two blocks of a power of two; the blocks are handed
    down from the longest to single cells, so that the cost does not depend on how much rows overlap.
    """
    block = np.full(cells, NOTHING)
    if not len(first):
        return block
    level = np.frexp(last - first)[1] - 1
    for step in range(int(level.max()), -1, -1):
        rows = level == step
        np.maximum.at(block, first[rows], values[rows])
        np.maximum.at(block, last[rows] - (1 << step), values[rows])
        if step:
            half = 1 << (step - 1)
            np.maximum(block[half:], block[:-half].copy(), out=block[half:])
    return block


def groups(cluster: Index, number: Ints) -> Index:
    """Join clusters that share a number, and give each row the least cluster that it is joined with."""
    label, numbered = cluster, np.unique(number, return_inverse=True)[1]
    while len(label):
        joined = label
        for by in (numbered, cluster):
            least = np.full(int(by.max()) + 1, len(label))
            np.minimum.at(least, by, joined)
            joined = least[by]
        if (joined == label).all():
            break
        label = joined
    return label


def weighted_before(start: Floats, end: Floats, weight: Floats, t: Floats) -> Floats:
    """Seconds times weight of cells (sorted, disjoint) before each instant."""
    if not len(start):
        return np.zeros(len(t))
    done = np.concatenate(([0.0], np.cumsum((end - start) * weight)))
    index = np.searchsorted(end, t, side="right")
    current = np.minimum(index, len(start) - 1)
    running = np.clip(t - start[current], 0.0, (end - start)[current]) * weight[current]
    return np.asarray(done[index] + np.where(index < len(start), running, 0.0))
