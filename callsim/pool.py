"""Plays numbered streams, in this process or in several, until a deadline."""

from __future__ import annotations

import gc
import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

from callsim.helpers import Helpers, helpers

NAP = 0.25
"""Seconds between looks at the clock while processes work."""

Part = TypeVar("Part")
Part_co = TypeVar("Part_co", covariant=True)


class Work(Protocol[Part_co]):
    """What a process needs to play streams."""

    def play(self, number: int, years: int) -> Part_co:
        """Play one stream."""


_numbers = count()
_work: tuple[int, Work[Any]] | None = None
"""The work that this process has played last, with its number."""


def _play(work: int, pickled: bytes, number: int, years: int) -> Any:  # noqa: ANN401 - whatever the work gives
    """Play a stream of a work that is sent each time, and made once: what it has found out is kept."""
    global _work  # noqa: PLW0603 - a process plays for one parent, which gives no other place
    if _work is None or _work[0] != work:
        _work = work, pickle.loads(pickled)
    return _played(_work[1], number, years)


def _played(work: Work[Part], number: int, years: int) -> Part:
    """Play a stream without the cycle collector, which would walk the growing record again and again.

    Objects of a stream know each other, so that they are collected at its end: they alone, since all that
    there was before is left aside meanwhile.
    """
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        return work.play(number, years)
    finally:
        gc.collect()
        gc.unfreeze()
        if was_on:
            gc.enable()


class Alone(Generic[Part]):
    """Plays in this process."""

    def __init__(self, work: Work[Part]) -> None:
        self._work = work

    def __enter__(self) -> Alone[Part]:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def play(self, streams: Sequence[tuple[int, int]], deadline: float) -> Iterator[tuple[int, int, Part]]:
        """Play (number, years) one after the other; none begins after the deadline (monotonic seconds)."""
        for number, years in streams:
            if time.monotonic() >= deadline:
                return
            yield number, years, _played(self._work, number, years)


class Together(Generic[Part]):
    """Plays in this process and in others.

    This process has nothing to start, so it is at work while the others begin.
    """

    def __init__(self, work: Work[Part], jobs: int) -> None:
        self._work = work
        self._others = jobs - 1
        self._sent = next(_numbers), pickle.dumps(work)
        self._open = ExitStack()

    def __enter__(self) -> Together[Part]:
        self._helpers: Helpers = self._open.enter_context(helpers(self._others))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def play(self, streams: Sequence[tuple[int, int]], deadline: float) -> Iterator[tuple[int, int, Part]]:
        """Play (number, years) as processes are free; none begins after the deadline (monotonic seconds)."""
        # What is kept of the first streams is large to send, so this process plays from the front.
        waiting = deque(streams)
        running: dict[Future[Part], tuple[int, int]] = {}
        try:
            while waiting or running:
                if time.monotonic() >= deadline:
                    waiting.clear()
                    for future in [f for f in running if f.cancel()]:
                        del running[future]
                # Two streams in hand keep a process busy while this one plays; the last one is for this one.
                while len(waiting) > 1 and len(running) < 2 * self._others:
                    number, years = waiting.pop()
                    running[self._helpers.submit(_play, *self._sent, number, years)] = (number, years)
                if waiting:
                    number, years = waiting.popleft()
                    yield number, years, _played(self._work, number, years)
                done, _ = wait(running, timeout=0.0 if waiting else NAP, return_when=FIRST_COMPLETED)
                for future in done:
                    yield (*running.pop(future), future.result())
        finally:
            for future in running:
                future.cancel()


def pool_of(work: Work[Part], jobs: int) -> Alone[Part] | Together[Part]:
    """Choose by the number of processes wanted."""
    return Alone(work) if jobs == 1 else Together(work, jobs)
