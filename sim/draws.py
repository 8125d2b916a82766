"""Random draws keyed by what they are for, so that a unit added leaves those of the others as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np

from carriers.laws import Fixed, Floats, Law

FIRST_BLOCK = 32
LARGEST_BLOCK = 1024

Draw = Callable[[], float]
"""Gives one number, in seconds where it is a duration, each time it is called."""


def generator(seed: int, stream: int, name: str) -> np.random.Generator:
    """Generator of one stream for one purpose; the same three arguments give the same numbers anywhere."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    words = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little"))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream, *words))))


def one_by_one(sample: Callable[[int], Floats]) -> Draw:
    """Draw numbers in blocks (a call of numpy costs as much as thirty of them), and give one at a time."""
    return chain.from_iterable(_blocks(sample)).__next__


def _blocks(sample: Callable[[int], Floats]) -> Iterator[Iterator[float]]:
    """Draw ever larger blocks, each of which is used from its end."""
    size = FIRST_BLOCK
    while True:
        yield reversed(sample(size).tolist())
        size = min(2 * size, LARGEST_BLOCK)


class Randomness:
    """All the draws of one stream."""

    def __init__(self, seed: int, stream: int) -> None:
        self._seed = seed
        self._stream = stream

    def generator(self, name: str) -> np.random.Generator:
        """Generator for the purpose `name`."""
        return generator(self._seed, self._stream, name)

    def law(self, law: Law, name: str) -> Draw:
        """Draws of `law` for the purpose `name`."""
        if isinstance(law, Fixed):
            value = law.mean
            return lambda: value
        rng = self.generator(name)
        return one_by_one(lambda size: law.sample(rng, size))

    def uniform(self, name: str) -> Draw:
        """Uniform draws in [0, 1) for the purpose `name`."""
        return one_by_one(self.generator(name).random)
