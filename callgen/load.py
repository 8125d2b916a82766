"""Calls at a rate: when each is due, and whether the tool keeps up."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Shape:
    """How many calls are offered, and when: `calls_per_second` for `seconds`, at most `at_once` at a time.

    Over the first `ramp` seconds the rate grows in proportion to time. Calls are evenly spaced. Raises
    ValueError for a shape without calls.
    """

    calls_per_second: float
    at_once: int
    seconds: float
    ramp: float = 0.0

    def __post_init__(self) -> None:
        if min(self.calls_per_second, self.at_once, self.seconds) <= 0:
            raise ValueError(f"rate, calls at once and seconds must be above 0: {self}")
        if not 0 <= self.ramp <= self.seconds:
            raise ValueError(f"ramp(={self.ramp}) must be between 0 and the {self.seconds} seconds")

    def due(self) -> Iterator[float]:
        """Seconds from the start at which each call is due.

        Call n (from 0) is due when the integral of the rate reaches n: in the ramp R t² / (2 ramp).
        """
        rate, ramp = self.calls_per_second, self.ramp
        for number in itertools.count():
            in_ramp = number < rate * ramp / 2
            at = math.sqrt(2 * number * ramp / rate) if in_ramp else ramp / 2 + number / rate
            if at >= self.seconds:
                return
            yield at

    @property
    def calls(self) -> int:
        """How many calls are due in all."""
        return sum(1 for _ in self.due())


@dataclass
class Kept:
    """How the tool kept up with a shape; it changes while calls are offered."""

    due: int = 0
    """Calls that were due so far."""
    placed: int = 0
    held_back: int = 0
    """Calls that were due while `at_once` others were on the line, and so never placed."""
    latest: float = 0.0
    """Most seconds by which a call came after it was due."""
    on_the_line: int = 0
    waits: int = 0
    """Calls that had to wait until a worker had room for them."""
    busy: float | None = None
    """Share of the machine's processors that was in use by whatever runs; None where that is not known."""


async def generate(
    place: Callable[[], Awaitable[T]], shape: Shape, done: Callable[[T], None], kept: Kept
) -> None:
    """Place calls as they are due, whatever became of those before, and wait until the last is over.

    `done` is told of each as it ends. Cancelled, it cancels the calls that are on their way. An exception of
    `place` ends it.
    """
    loop = asyncio.get_running_loop()
    calls: set[asyncio.Task[T]] = set()
    failed: asyncio.Future[None] = loop.create_future()

    def over(task: asyncio.Task[T]) -> None:
        calls.discard(task)
        kept.on_the_line = len(calls)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            done(task.result())
        elif not failed.done():
            failed.set_exception(error)

    start = loop.time()
    try:
        for at in shape.due():
            await _until(start + at, failed)
            kept.due += 1
            if len(calls) >= shape.at_once:
                kept.held_back += 1
                continue
            kept.latest = max(kept.latest, loop.time() - start - at)
            kept.placed += 1
            task = asyncio.ensure_future(_awaited(place))
            calls.add(task)
            kept.on_the_line = len(calls)
            task.add_done_callback(over)
        while calls and not failed.done():
            waited: set[asyncio.Future[Any]] = {*calls, failed}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # what is done is told by callbacks
        if failed.done():
            failed.result()
    finally:
        failed.cancel()
        left = tuple(calls)
        for task in left:
            task.cancel()
        for task in left:
            with suppress(asyncio.CancelledError, Exception):
                await task


async def watch_machine(kept: Kept) -> None:
    """Keep `kept.busy` up to date, from now on; where there is no /proc/stat (Linux) it stays unknown."""
    first = _processors()
    while first is not None and (now := _processors()) is not None:
        idle, total = (b - a for a, b in zip(first, now, strict=True))
        if total > 0:
            kept.busy = 1 - idle / total
        await asyncio.sleep(1.0)


def _processors() -> tuple[int, int] | None:
    """Ticks that all processors were idle, and ticks in all, since the machine started."""
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return ticks[3] + ticks[4], sum(ticks)


async def _awaited(place: Callable[[], Awaitable[T]]) -> T:
    return await place()


async def _until(instant: float, failed: asyncio.Future[None]) -> None:
    """Wait for an instant; raises what made a call fail before it."""
    wait = instant - asyncio.get_running_loop().time()
    done, _ = await asyncio.wait({failed}, timeout=max(wait, 0.0))
    if done:
        failed.result()
