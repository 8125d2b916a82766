"""Carriers on loopback, with faults on command."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from callgen.lab.far_end import Conduct, Failed, Reply, Settings
from callgen.lab.far_sound import frames
from callgen.lab.impairment import LabFault, LabKind
from callgen.messages import Answers, Playing, Ready
from callgen.process import Process
from carriers import faults
from carriers.faults import EFFECTS, Fault, Kind
from carriers.path import CLEAR

HOST = "127.0.0.1"
CARRIERS = ("atlantic", "boreal", "cirrus")
"""Who is in a lab unless it is said otherwise."""
START = 20.0
"""Seconds that a carrier has to start, or a fault to take effect."""
DELAYS = 1000
"""Draws of a law that stand for it in the carrier's process."""

ROWS: dict[LabKind, Kind | None] = {
    "silent": Kind.SILENT,
    "trying_only": Kind.TRYING_ONLY,
    "refuses": Kind.REFUSES,
    "slow": Kind.SLOW,
    "one_way": Kind.ONE_WAY_AUDIO,
    "no_audio": None,
    "impaired": Kind.POOR_AUDIO,
    "capacity": Kind.CAPACITY,
    "hang_up": None,
    "crash": Kind.SILENT,
    "maintenance": Kind.MAINTENANCE,
}
"""The row of `carriers.faults.EFFECTS` that each fault of a lab follows; None: calls are set up as usual."""
REPLIES: dict[faults.Reply, Reply] = {
    faults.Reply.NORMAL: "normal",
    faults.Reply.NOTHING: "nothing",
    faults.Reply.ONLY_100: "trying",
    faults.Reply.REFUSAL: "refusal",
}


class LabError(Exception):
    """A carrier of the lab cannot start, or its process ended unasked."""


class LabCarrier:
    """A carrier with one trunk, in a process of its own.

    `answers` says how it takes calls, `channels` how many at once (None: any number), `port` where it listens
    (0: anywhere), `seed` what it draws, `post_dial_delay` the seconds until it rings. Raises ValueError for a
    sound that cannot be read.
    """

    def __init__(
        self,
        name: str = "lab",
        answers: Answers = Answers(),  # noqa: B008 - frozen
        channels: int | None = None,
        port: int = 0,
        seed: int = 0,
        post_dial_delay: float = 0.0,
    ) -> None:
        self.name = name
        if answers.plays != "echo":
            frames(answers.plays, "PCMU")  # what cannot be played is said here, not by a process that ends
        self._answers = answers
        self._channels = channels
        self._port = port
        self._post_dial_delay = post_dial_delay
        self._rng = np.random.default_rng(seed)
        self._process: Process[Conduct, Ready | Failed | Playing] | None = None
        self._playing: asyncio.Future[Playing] | None = None
        self._gone: asyncio.Event | None = None

    @property
    def uri(self) -> str:
        """SIP URI of its trunk, `sip:HOST:PORT`, once it has started; a crash does not change it."""
        return f"sip:{HOST}:{self._port}" if self._port else ""

    @property
    def pids(self) -> list[int]:
        """Number of its process; empty while it is not there."""
        alive = self._process is not None and self._gone is not None and not self._gone.is_set()
        return [self._process.pid] if alive and self._process and self._process.pid is not None else []

    async def __aenter__(self) -> LabCarrier:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await self._process.close()

    async def play(self, fault: LabFault | Fault | None) -> float:
        """Behave as under a fault, or None as a good carrier; return the instant from which it does.

        Seconds of the event loop's clock. Raises ValueError for a fault that a lab cannot play, LabError
        where its process has ended unasked.
        """
        played = fault if fault is None or isinstance(fault, LabFault) else self.translated(fault)
        if played is not None and played.kind == "crash":
            return await self._crash()
        if not self.pids:
            await self._start()
        assert self._process is not None  # it has started
        self._playing = asyncio.get_running_loop().create_future()
        self._process.tell(conduct_of(played))
        async with asyncio.timeout(START):
            return (await self._playing).at

    async def _crash(self) -> float:
        if self.pids:
            assert self._gone is not None  # it has started
            os.kill(self.pids[0], getattr(signal, "SIGKILL", signal.SIGTERM))
            await self._gone.wait()
        return asyncio.get_running_loop().time()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        gone = self._gone = asyncio.Event()
        ready: asyncio.Future[Ready] = loop.create_future()

        def heard(message: Ready | Failed | Playing) -> None:
            if ready.cancelled():
                return  # it came too late
            if isinstance(message, Ready):
                ready.set_result(message)
            elif isinstance(message, Failed):
                ready.set_exception(LabError(f"{self.name} cannot listen at {message.reason}"))
            elif self._playing is not None and not self._playing.done():
                self._playing.set_result(message)

        def died(code: int) -> None:
            gone.set()
            for waits in (ready, self._playing):
                if waits is not None and not waits.done():
                    waits.set_exception(LabError(f"the process of {self.name} ended with {code}"))

        seed = int(self._rng.integers(2**32))
        settings = Settings(HOST, self._port, self._answers, self._channels, seed, self._post_dial_delay)
        self._process = Process("callgen.lab.far_end", settings, heard, died)
        async with asyncio.timeout(START):
            self._port = (await ready).port

    def translated(self, fault: Fault) -> LabFault:
        """Write a fault of a scenario as one of the lab; ValueError for one that it cannot play."""
        match fault.kind:
            case Kind.SILENT | Kind.TRYING_ONLY | Kind.MAINTENANCE:
                return LabFault(fault.kind.value, status=fault.status)
            case Kind.REFUSES:
                return LabFault("refuses", status=fault.status, share=fault.share)
            case Kind.SLOW if fault.post_dial_delay is not None:
                delays = fault.post_dial_delay.sample(self._rng, DELAYS)
                return LabFault("slow", post_dial_delay=tuple(map(float, delays)))
            case Kind.ONE_WAY_AUDIO:
                return LabFault("one_way")
            case Kind.POOR_AUDIO:
                path = fault.transit or CLEAR
                return LabFault(
                    "impaired",
                    loss=path.loss,
                    burst_ratio=path.burst_ratio,
                    jitter=path.jitter,
                    delay=path.delay,
                )
            case Kind.CAPACITY if self._channels is not None:
                return LabFault("capacity", channels=round(fault.channels_left * self._channels))
        raise ValueError(f"{self.name} of the lab does not play {fault}")


def conduct_of(fault: LabFault | None) -> Conduct:
    """Say how a carrier behaves under a fault, as the table has it; None: a good one."""
    effect = EFFECTS[ROWS[fault.kind] if fault else None]
    return Conduct(fault, REPLIES[effect.invite], REPLIES[effect.options], effect.drops_calls)


@asynccontextmanager
async def lab_of(
    names: Sequence[str] = CARRIERS,
    answers: Answers = Answers(),  # noqa: B008 - frozen
    channels: int | None = None,
    first_port: int = 0,
    seed: int = 0,
) -> AsyncIterator[dict[str, LabCarrier]]:
    """Run carriers of these names, all alike; with `first_port` each has the port after the one before.

    Raises LabError where one cannot start, ValueError for a port or a sound that cannot be.
    """
    if first_port and not 0 < first_port <= 65536 - len(names):
        raise ValueError(f"first_port(={first_port}) leaves no ports for {len(names)} carriers up to 65535")
    carriers = {
        name: LabCarrier(name, answers, channels, first_port and first_port + number, seed + number)
        for number, name in enumerate(names)
    }
    async with AsyncExitStack() as stack:
        started = await asyncio.gather(
            *(stack.enter_async_context(carrier) for carrier in carriers.values()), return_exceptions=True
        )
        for trouble in started:
            if isinstance(trouble, BaseException):
                raise trouble
        yield carriers
