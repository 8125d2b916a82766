"""Plays numbered streams, in this process or in several, until a deadline."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, Generic, Protocol, TypeVar

NAP = 0.25
"""Seconds between looks at the clock while processes work."""

Part = TypeVar("Part")
Part_co = TypeVar("Part_co", covariant=True)


class Work(Protocol[Part_co]):
    """What a process needs to play streams; it is sent to each process once."""

    def play(self, number: int, years: int) -> Part_co:
        """Play one stream."""


_work: Work[Any] | None = None
"""The work of a worker process, set once when it starts."""


def _start_worker(work: Work[Any]) -> None:
    global _work  # noqa: PLW0603 - a process pool hands its initial state over in this way
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _work = work


def _play(number: int, years: int) -> Any:  # noqa: ANN401 - whatever the work gives
    assert _work is not None  # _start_worker ran first
    return _work.play(number, years)


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
            yield number, years, self._work.play(number, years)


class Together(Generic[Part]):
    """Plays in this process and in others, which are started afresh (a fork of one with threads may hang).

    This process has nothing to start, so it is at work while the others begin.
    """

    def __init__(self, work: Work[Part], jobs: int) -> None:
        self._work = work
        self._others = jobs - 1
        self._pool = ProcessPoolExecutor(
            self._others, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(work,)
        )

    def __enter__(self) -> Together[Part]:
        # Processes inherit that SIGINT is ignored, so that Ctrl-C during their start leaves no traceback.
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
        try:
            for _ in range(self._others):
                self._pool.submit(time.sleep, 0.0)
        finally:
            if in_main:
                signal.signal(signal.SIGINT, before)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def play(self, streams: Sequence[tuple[int, int]], deadline: float) -> Iterator[tuple[int, int, Part]]:
        """Play (number, years) as processes are free; none begins after the deadline (monotonic seconds)."""
        waiting = list(reversed(streams))
        running: dict[Future[Part], tuple[int, int]] = {}
        while waiting or running:
            if time.monotonic() >= deadline:
                waiting.clear()
                for future in [f for f in running if f.cancel()]:
                    del running[future]
            # Two streams in hand keep a process busy while this one plays; the last one is for this one.
            while len(waiting) > 1 and len(running) < 2 * self._others:
                number, years = waiting.pop()
                running[self._pool.submit(_play, number, years)] = (number, years)
            if waiting:
                number, years = waiting.pop()
                yield number, years, self._work.play(number, years)
            done, _ = wait(running, timeout=0.0 if waiting else NAP, return_when=FIRST_COMPLETED)
            for future in done:
                yield (*running.pop(future), future.result())


def pool_of(work: Work[Part], jobs: int) -> Alone[Part] | Together[Part]:
    """Choose by the number of processes wanted."""
    return Alone(work) if jobs == 1 else Together(work, jobs)
