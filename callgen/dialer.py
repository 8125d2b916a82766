"""Sends what a guard has permitted, over a pool of disposable workers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from callgen.guarding.guard import Method, Permit
from callgen.member import WARN_AFTER, Call, LostByToolError, Member, Slot, pause_after
from callgen.messages import (
    Alive,
    Audio,
    Beat,
    Dialog,
    Ended,
    Endpoint,
    Event,
    Freed,
    FromWorker,
    Lost,
    Ping,
    Pinged,
    Place,
    Ready,
    Response,
    Sent,
)
from callgen.orphans import Orphan, end_calls
from callgen.process import Process

__all__ = ["SLOTS", "Dialer", "LiveCall", "LostByToolError", "SlotsExhaustedError", "Workers"]

LOG = logging.getLogger(__name__)
SLOTS = 4
"""Calls at once in a worker: a limit that is built into the wheel."""
START, START_EACH = 20.0, 1.0
"""Seconds that a worker has to start, and how much more a pool has for each of its workers."""
PORTS = 2 * SLOTS
"""RTP ports that a worker needs: one for RTP, one for RTCP of each call."""
BEAT_EVERY = 1.25
BEATS = 4
"""Beats in a row that a worker may miss: with the one after them it hangs."""
LEAVE = 4.0
"""Seconds that far ends have, when the pool is closed, to answer what ends the calls of dead workers."""


class SlotsExhaustedError(LostByToolError):
    """Every slot is taken, and the pool may not grow."""


class LiveCall(Protocol):
    """One INVITE that is under way."""

    async def event(self) -> Event:
        """Wait for what happens next."""

    def hang_up(self) -> None:
        """Give it up; `Ended` follows."""

    async def freed(self) -> bool:
        """Wait until nothing can come of it any more; False: that cannot be known, its worker is gone."""


class Dialer(Protocol):
    """What sends; pools of workers do, and scripts in tests."""

    async def place(
        self,
        permit: Permit,
        talk: float,
        *,
        identity: str | None = None,
        audio: Audio = ...,
        codecs: tuple[str, ...] | None = None,
    ) -> LiveCall:
        """Send the permitted INVITE, and a BYE `talk` seconds after the answer; raises LostByToolError.

        `identity` is the trunk whose account it has; `codecs` are offered in order, None: the endpoint's.
        """

    async def ping(self, permit: Permit, timeout: float, *, identity: str | None = None) -> int | None:
        """Send the permitted OPTIONS; None where `timeout` seconds bring no final status.

        Raises LostByToolError where the tool cannot tell.
        """


class Workers:
    """A `Dialer` with real SIP, four slots in each worker, from `count` up to `grow_to` workers.

    It grows while slots are few because calls that are over hold theirs, or because none is free. A worker
    that dies or hangs costs its calls, and another takes its place. The first worker alone registers. RTP
    ports are shared out evenly; where they are too few the pool grows less. Raises ValueError for a count
    that cannot be.
    """

    def __init__(
        self,
        count: int = 1,
        endpoint: Endpoint = Endpoint(),  # noqa: B008 - frozen
        grow_to: int | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"count(={count}) must be at least 1")
        self._most = count if grow_to is None else grow_to
        if self._most < count:
            raise ValueError(f"grow_to(={grow_to}) must be at least count(={count})")
        if endpoint.rtp_ports is not None:
            self._most = min(self._most, endpoint.rtp_ports[1] // PORTS)
            if self._most < count:
                ports = endpoint.rtp_ports[1]
                raise ValueError(f"rtp_ports: {ports} are too few for {count} workers with {PORTS} each")
        self._count = count
        self._endpoint = endpoint
        self._workers: dict[int, Member] = {}
        self._numbers = itertools.count(1)
        self._closing = False
        self._changed = asyncio.Event()
        self._waiting = 0
        self._endings: set[asyncio.Task[None]] = set()
        """What ends calls of dead workers."""
        self._warned = False
        self._beats: asyncio.Task[None] | None = None
        self.waits = 0
        """Calls that had to wait for a slot so far."""

    async def __aenter__(self) -> Workers:
        for index in range(self._count):
            self._start(index)
        try:
            async with asyncio.timeout(START + START_EACH * self._count):
                await asyncio.gather(*(worker.ready for worker in self._workers.values()))
        except BaseException:
            await self.__aexit__()
            raise
        self._beats = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        if self._beats is not None:
            self._beats.cancel()
            with suppress(asyncio.CancelledError):
                await self._beats
        await asyncio.gather(*(worker.process.close() for worker in self._workers.values()))
        if self._endings:
            await asyncio.wait(self._endings, timeout=LEAVE)
        for ending in tuple(self._endings):
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers that live."""
        alive = (worker for worker in self._workers.values() if not worker.dead)
        return [worker.process.pid for worker in alive if worker.process.pid is not None]

    @property
    def free_slots(self) -> int:
        """How many calls could be placed now."""
        return sum(SLOTS - len(worker.slots) for worker in self._able())

    @property
    def held_slots(self) -> int:
        """How many slots are taken by calls that are over."""
        return sum(slot.over for worker in self._able() for slot in worker.slots.values())

    async def place(
        self,
        permit: Permit,
        talk: float,
        *,
        identity: str | None = None,
        audio: Audio = Audio(),  # noqa: B008 - frozen
        codecs: tuple[str, ...] | None = None,
    ) -> LiveCall:
        """Send the permitted INVITE, and a BYE `talk` seconds after the answer.

        Waits for a worker that is starting; raises SlotsExhaustedError where there can be none,
        LostByToolError where it does not start. See `Dialer.place`.
        """
        worker = await self._with_room()
        number, slot = next(self._numbers), Slot(permit)
        worker.slots[number] = slot
        uri = permit.spend(Method.INVITE)
        worker.process.tell(Place(number, uri, talk, identity, audio, codecs, target=permit.target))
        if self.held_slots and self._room < SLOTS:
            self._grow()
        return Call(worker, number, slot)

    async def ping(self, permit: Permit, timeout: float, *, identity: str | None = None) -> int | None:
        """Send the permitted OPTIONS; None where `timeout` seconds bring no final status.

        Raises LostByToolError where the tool cannot tell.
        """
        worker = next(self._able(), None)
        if worker is None:
            raise LostByToolError("no worker lives")
        number = next(self._numbers)
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        worker.pings[number] = answer
        worker.process.tell(Ping(number, permit.spend(Method.OPTIONS), identity, permit.target))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return None
        finally:
            worker.pings.pop(number, None)

    # ---- slots

    def _able(self) -> Iterator[Member]:
        return (worker for worker in self._workers.values() if worker.able)

    @property
    def _starting(self) -> int:
        """Workers that are on their way; one that died is, too."""
        return sum(not worker.able for worker in self._workers.values())

    @property
    def _room(self) -> int:
        """Slots that are free, or soon will be."""
        return self.free_slots + SLOTS * self._starting

    async def _with_room(self) -> Member:
        worker = self._freest()
        if worker is not None:
            return worker
        self._waiting += 1
        try:
            if self._room < self._waiting:
                self._grow()
            if self._starting:
                self.waits += 1
            async with asyncio.timeout(START):
                while worker is None:
                    if not self._starting:
                        raise SlotsExhaustedError(
                            f"all {SLOTS * len(self._workers)} slots of {len(self._workers)} workers are "
                            f"taken, {self.held_slots} of them by calls that are over"
                        )
                    await self._changed.wait()
                    worker = self._freest()
        except TimeoutError:
            raise LostByToolError(f"no worker was ready in {START:.0f} s") from None
        finally:
            self._waiting -= 1
        return worker

    def _freest(self) -> Member | None:
        worker = min(self._able(), key=lambda worker: len(worker.slots), default=None)
        return worker if worker is not None and len(worker.slots) < SLOTS else None

    def _grow(self) -> None:
        if len(self._workers) < self._most:
            self._start(len(self._workers))

    def _wake(self) -> None:
        """Let those who wait for a slot look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    # ---- processes

    def _start(self, index: int, failures: int = 0) -> None:
        if self._closing:
            return
        worker = Member(index, asyncio.get_running_loop().create_future(), failures)
        # Whether somebody waits for it or not, a failure to start is no surprise to asyncio.
        worker.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        worker.process = Process(
            "callgen.endpoint.worker",
            self._share(index),
            lambda message: self._heard(worker, message),
            lambda code: self._died(worker, code),
        )
        self._workers[index] = worker

    def _share(self, index: int) -> Endpoint:
        """What is a worker's own of the endpoint."""
        endpoint = self._endpoint
        if endpoint.rtp_ports is not None:
            first, count = endpoint.rtp_ports
            share = count // self._most // 2 * 2
            endpoint = replace(endpoint, rtp_ports=(first + index * share, share))
        if index:
            quiet = tuple(replace(identity, register=False) for identity in endpoint.identities)
            endpoint = replace(endpoint, identities=quiet)
        return endpoint

    def _heard(self, worker: Member, message: FromWorker) -> None:
        worker.handling = None
        match message:
            case Ready():
                if not worker.ready.done():
                    worker.ready.set_result(message)
                    self._wake()
            case Alive():
                worker.missed = 0
            case Dialog():
                worker.learn(message)
            case Freed(call) if call in worker.slots:
                worker.slots.pop(call).freed.set_result(True)
                self._wake()
            case Pinged(ping, status):
                answer = worker.pings.get(ping)
                if answer is not None and not answer.done():
                    answer.set_result(status)
            case Sent() | Response() | Ended() | Lost() if message.call in worker.slots:
                slot = worker.slots[message.call]
                slot.over = isinstance(message, Ended | Lost)
                worker.useful = worker.useful or isinstance(message, Ended)
                slot.events.put_nowait(message)

    def _died(self, worker: Member, code: int) -> None:
        why = worker.why(code, BEATS * BEAT_EVERY if worker.missed > BEATS else None)
        left = worker.end(why, as_told=self._closing and code == 0)
        if left:
            ending = asyncio.create_task(self._end_at_far_ends(left, worker.ready.result()))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
        self._replace(worker, why)
        self._wake()

    async def _end_at_far_ends(self, left: Sequence[Slot], was: Ready) -> None:
        known = [False] * len(left)
        try:
            orphans = [Orphan(slot.dialog, slot.permit) for slot in left if slot.dialog is not None]
            known = await end_calls(orphans, was, self._endpoint.tls)
        finally:
            for slot, over in zip(left, known, strict=True):
                slot.freed.set_result(over)

    def _replace(self, worker: Member, why: str) -> None:
        """Start another in a dead worker's place, the later the more of them have died early in a row."""
        loop = asyncio.get_running_loop()
        failures = worker.in_a_row
        if not worker.ready.done():
            worker.ready.set_exception(LostByToolError(f"a {why} before it was ready"))
            if self._beats is None:
                return  # the pool does not start
        if failures == WARN_AFTER and not self._warned:
            self._warned = True
            LOG.warning(
                "workers end soon after they start, %d in a row, the last: %s; they are started again after"
                " longer and longer pauses",
                failures,
                why,
            )
        pause = pause_after(failures)
        if pause:
            loop.call_later(pause, self._start, worker.index, failures)
        else:
            self._start(worker.index, failures)

    async def _beat(self) -> None:
        """Ask each worker for a sign of life, and kill those that give none; counted, for we may be late."""
        while True:
            await asyncio.sleep(BEAT_EVERY)
            for worker in self._able():
                worker.missed += 1
                if worker.missed > BEATS:
                    worker.process.kill()
                else:
                    worker.process.tell(Beat())
