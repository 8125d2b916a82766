"""Sends what a guard has permitted, over a pool of disposable workers."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Protocol

from callgen.guard import Method, Permit
from callgen.messages import (
    Ended,
    Endpoint,
    Event,
    Freed,
    FromWorker,
    HangUp,
    Lost,
    Ping,
    Pinged,
    Place,
    Ready,
    Response,
    Sent,
    ToWorker,
)
from callgen.process import Process

SLOTS = 4
"""Calls at once in a worker: a limit that is built into the wheel."""
START = 20.0
"""Seconds that a worker has to start."""


class LostByToolError(Exception):
    """No worker has a free slot, or it died: the tool is at fault, not a carrier."""


class LiveCall(Protocol):
    """One INVITE that is under way."""

    async def event(self) -> Event:
        """Wait for what happens next."""

    def hang_up(self) -> None:
        """Give it up; `Ended` follows."""


class Dialer(Protocol):
    """What sends; pools of workers do, and scripts in tests."""

    def place(self, permit: Permit, talk: float) -> LiveCall:
        """Send the permitted INVITE, and a BYE `talk` seconds after the answer; raises LostByToolError."""

    async def ping(self, permit: Permit, timeout: float) -> int | None:
        """Send the permitted OPTIONS; None where `timeout` seconds bring no final status.

        Raises LostByToolError where the tool cannot tell.
        """


@dataclass(eq=False)
class _Worker:
    """A worker with what it has in hand."""

    ready: asyncio.Future[Ready]
    calls: dict[int, asyncio.Queue[Event]] = field(default_factory=dict)
    """Calls that hold a slot; against a silent carrier that lasts 32 s beyond their end."""
    pings: dict[int, asyncio.Future[int | None]] = field(default_factory=dict)
    process: Process[ToWorker, FromWorker] = field(init=False)
    dead: bool = False


class Workers:
    """A `Dialer` with real SIP, and four slots in each worker.

    A worker that dies costs its calls, and another takes its place, unless it died before it was ready.
    """

    def __init__(self, count: int = 1, host: str = "127.0.0.1") -> None:
        if count < 1:
            raise ValueError(f"count(={count}) must be at least 1")
        self._count = count
        self._host = host
        self._workers: list[_Worker] = []
        self._numbers = itertools.count(1)
        self._closing = False

    async def __aenter__(self) -> Workers:
        self._workers = [self._start() for _ in range(self._count)]
        try:
            async with asyncio.timeout(START):
                await asyncio.gather(*(worker.ready for worker in self._workers))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        await asyncio.gather(*(worker.process.close() for worker in self._workers))

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers that live."""
        return [w.process.pid for w in self._workers if not w.dead and w.process.pid is not None]

    @property
    def free_slots(self) -> int:
        """How many calls could be placed now."""
        return sum(SLOTS - len(worker.calls) for worker in self._able())

    def place(self, permit: Permit, talk: float) -> LiveCall:
        """Send the permitted INVITE, and a BYE `talk` seconds after the answer; raises LostByToolError."""
        worker = min(self._able(), key=lambda worker: len(worker.calls), default=None)
        if worker is None or len(worker.calls) >= SLOTS:
            raise LostByToolError(f"{self._count} workers have no free slot")
        number = next(self._numbers)
        queue: asyncio.Queue[Event] = asyncio.Queue()
        worker.calls[number] = queue
        worker.process.tell(Place(number, permit.spend(Method.INVITE), talk))
        return _Call(worker, number, queue)

    async def ping(self, permit: Permit, timeout: float) -> int | None:
        """Send the permitted OPTIONS; None where `timeout` seconds bring no final status.

        Raises LostByToolError where the tool cannot tell.
        """
        worker = next(iter(self._able()), None)
        if worker is None:
            raise LostByToolError("no worker lives")
        number = next(self._numbers)
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        worker.pings[number] = answer
        worker.process.tell(Ping(number, permit.spend(Method.OPTIONS)))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return None
        finally:
            worker.pings.pop(number, None)

    def _able(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.ready.done() and not worker.dead]

    def _start(self) -> _Worker:
        worker = _Worker(asyncio.get_running_loop().create_future())
        # Whether somebody waits for it or not, a failure to start is no surprise to asyncio.
        worker.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        worker.process = Process(
            "callgen.worker",
            Endpoint(self._host),
            lambda message: self._heard(worker, message),
            lambda code: self._died(worker, code),
        )
        return worker

    def _heard(self, worker: _Worker, message: FromWorker) -> None:
        match message:
            case Ready():
                if not worker.ready.done():
                    worker.ready.set_result(message)
            case Freed(call):
                worker.calls.pop(call, None)
            case Pinged(ping, status):
                answer = worker.pings.get(ping)
                if answer is not None and not answer.done():
                    answer.set_result(status)
            case Sent() | Response() | Ended() | Lost():
                worker.calls[message.call].put_nowait(message)

    def _died(self, worker: _Worker, code: int) -> None:
        worker.dead = True
        now = asyncio.get_running_loop().time()
        for call, queue in worker.calls.items():
            queue.put_nowait(Lost(call, f"its worker ended with {code}", now))
        for answer in worker.pings.values():
            if not answer.done():
                answer.set_exception(LostByToolError(f"a worker ended with {code}"))
        if not worker.ready.done():
            worker.ready.set_exception(LostByToolError(f"a worker ended with {code} before it was ready"))
        elif not self._closing:
            self._workers[self._workers.index(worker)] = self._start()


@dataclass(frozen=True)
class _Call:
    """A call of a worker."""

    worker: _Worker
    number: int
    queue: asyncio.Queue[Event]

    async def event(self) -> Event:
        """Wait for what happens next."""
        return await self.queue.get()

    def hang_up(self) -> None:
        """Give it up; `Ended` follows."""
        self.worker.process.tell(HangUp(self.number))
