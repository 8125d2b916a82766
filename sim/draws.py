"""Random draws keyed by what they are for, so that a unit added leaves those of the others as they were."""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np

from carriers.laws import Fixed, Law

FIRST_BLOCK = 32
LARGEST_BLOCK = 1024


class Draw(Protocol):
    """Gives one number, in seconds, each time it is called."""

    def __call__(self) -> float:
        """Draw."""


def generator(seed: int, stream: int, name: str) -> np.random.Generator:
    """Generator of one stream for one purpose; the same three arguments give the same numbers anywhere."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    words = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little"))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream, *words))))


class LawDraw:
    """Draws of a law, made in blocks (a call of numpy costs as much as thirty numbers)."""

    __slots__ = ("_block", "_law", "_rng", "_size")

    def __init__(self, law: Law, rng: np.random.Generator) -> None:
        self._law = law
        self._rng = rng
        self._size = FIRST_BLOCK
        self._block: list[float] = []

    def __call__(self) -> float:
        """Draw one duration."""
        if not self._block:
            self._block = self._law.sample(self._rng, self._size).tolist()
            self._size = min(2 * self._size, LARGEST_BLOCK)
        return self._block.pop()


class Uniform:
    """Uniform numbers in [0, 1), made in blocks."""

    __slots__ = ("_block", "_rng", "_size")

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._size = FIRST_BLOCK
        self._block: list[float] = []

    def __call__(self) -> float:
        """Draw one number."""
        if not self._block:
            self._block = self._rng.random(self._size).tolist()
            self._size = min(2 * self._size, LARGEST_BLOCK)
        return self._block.pop()


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
        return LawDraw(law, self.generator(name))

    def uniform(self, name: str) -> Draw:
        """Uniform draws for the purpose `name`."""
        return Uniform(self.generator(name))
