"""Uniform numbers that depend on what they are for alone, never on what was drawn before."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from results.timeline import Floats
from results.weekly import Index

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB))
_LAST = np.uint64(31)
_UNUSED = np.uint64(12)
"""With 52 bits of the 64 and a half, a number is never 0 or 1."""


class Purpose(IntEnum):
    """What a number is drawn for; each has a sequence of its own."""

    STATE = 0
    """State of a stretch."""
    CARRY = 1
    """How long a stretch decides for those after it."""
    FAILED = 2
    CONNECTED = 3
    """Counts of a stretch."""
    POINTS = 4
    PLACE = 5
    HEIGHT = 6
    """Points in a block of stretches: how many, and where each is."""


class Uniforms:
    """Sequences of uniform numbers in (0, 1), of which each can be had by its number.

    They are those of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"),
    which gives its n-th number without those before.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        self._keys = np.random.SeedSequence(seed).generate_state(len(Purpose), np.uint64)

    def at(self, purpose: Purpose, number: Index | NDArray[np.int64]) -> Floats:
        """Return the numbers of these indexes, which may be negative."""
        bits = (number.astype(np.int64).view(np.uint64) + np.uint64(1)) * _STEP + self._keys[purpose]
        for shift, factor in _MIX:
            bits = (bits ^ (bits >> shift)) * factor
        bits ^= bits >> _LAST
        return np.asarray(((bits >> _UNUSED).astype(np.float64) + 0.5) * 2.0**-52)
