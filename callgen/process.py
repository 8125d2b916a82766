"""A disposable process at the other end of a pipe, seen from an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from callgen.messages import Stop

PATIENCE = 5.0
"""Seconds that a process has to end by itself."""

NEEDED = re.compile(
    r"(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH|DYLD_.*|SYSTEMROOT|WINDIR|PYTHON.*|COV_.*|COVERAGE_.*)",
    re.IGNORECASE,
)
"""Variables of the environment that a process gets; others may hold passwords, which `ps e` would show."""

To = TypeVar("To")
From = TypeVar("From")


def _enter(module: str, pipe: Connection, settings: object) -> None:
    """Run a module in the new process; only there is it imported."""
    importlib.import_module(module).run(pipe, settings)


@contextlib.contextmanager
def _only_needed() -> Iterator[None]:
    """Leave out of the environment, while a process starts, what is none of its business."""
    aside = {name: value for name, value in os.environ.items() if not NEEDED.fullmatch(name)}
    for name in aside:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(aside)


class Process(Generic[To, From]):
    """Runs `MODULE.run(pipe, settings)`, hears its messages, and learns of its death.

    Make it in a running event loop: `heard` and `died` (once, with the exit code) are called there. The
    process ends when it is told to stop, and when this one is gone, because the pipe closes.
    """

    def __init__(
        self, module: str, settings: object, heard: Callable[[From], None], died: Callable[[int], None]
    ) -> None:
        self._heard = heard
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        # Started afresh: a fork of a process with threads may hang, and would share our sockets.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_enter, args=(module, theirs, settings), daemon=True)
        # Inherited, so that Ctrl-C during its start leaves no traceback.
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
        try:
            with _only_needed():
                self._process.start()
        finally:
            if in_main:
                signal.signal(signal.SIGINT, before)
        theirs.close()
        self._thread = threading.Thread(target=self._listen, name=f"from {module}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Its number, while it is there."""
        return self._process.pid

    def tell(self, message: To | Stop) -> None:
        """Send a message; to a process that is gone it is lost, and its death is heard of."""
        with contextlib.suppress(OSError):
            self._pipe.send(message)

    def kill(self) -> None:
        """End it at once, as one that hangs has to be; its death is heard of."""
        self._process.kill()

    async def close(self) -> int:
        """Let it end, by force if it does not, and return its exit code; negative: a signal's number."""
        self.tell(Stop())
        for force in (self._process.terminate, self._process.kill):
            done, _ = await asyncio.wait([self._ended], timeout=PATIENCE)
            if done:
                break
            force()
        await self._ended
        self._thread.join(PATIENCE)
        return self._ended.result()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._call(self._heard, self._pipe.recv())
        self._process.join()
        self._call(self._bury, self._process.exitcode)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody listens
            self._loop.call_soon_threadsafe(function, *arguments)

    def _bury(self, code: int) -> None:
        self._pipe.close()
        self._ended.set_result(code)
        self._died(code)
