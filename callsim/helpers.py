"""Other processes for this one's work, which may begin to start before the work is known."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

AHEAD = ("callsim.study", "callsim.agreements.reckoner")
"""What most work needs; helpers import it while they wait for some."""

P = ParamSpec("P")
T = TypeVar("T")


class Helpers:
    """So many processes, each started afresh (a fork of one with threads may hang)."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin)
        with _deaf_to_interrupts():
            for _ in range(count):
                self._pool.submit(_import_ahead)

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have one of them call a function that can be pickled; BrokenProcessPool where one has died."""
        return self._pool.submit(task, *args, **kwargs)


_ready: Helpers | None = None
"""Those that the present command has begun."""


@contextmanager
def begun(count: int) -> Iterator[None]:
    """Begin to start helpers, for whatever asks for no more within."""
    global _ready  # noqa: PLW0603 - the work asks far from here, through code that need not know
    with Helpers(count) as _ready:
        try:
            yield
        finally:
            _ready = None


@contextmanager
def helpers(count: int) -> Iterator[Helpers]:
    """Give the helpers that were begun, or start some for the time of the context."""
    if _ready is not None and _ready.count >= count:
        yield _ready
    else:
        with Helpers(count) as made:
            yield made


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Have processes inherit that SIGINT is ignored: Ctrl-C during their start leaves no traceback."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    try:
        yield
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End as soon as the parent is gone, be it killed: it can no longer say that there is no more work."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # helpers are child processes
    wait([parent.sentinel])
    os._exit(1)


def _import_ahead() -> None:
    for name in AHEAD:
        importlib.import_module(name)
