"""Carriers on loopback, with faults on command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from callgen.messages import Answers, Endpoint, FromRelay, FromWorker, Play, Playing, Ready, ToRelay, ToWorker
from callgen.process import Process
from callgen.relay import Settings
from carriers.faults import Fault, Kind

HOST = "127.0.0.1"
START = 20.0
"""Seconds that a carrier has to start, or a fault to take effect."""
PLAYED = {Kind.SILENT, Kind.TRYING_ONLY, Kind.REFUSES, Kind.MAINTENANCE}
"""Faults that a relay can play; what they do is said by `carriers.faults.EFFECTS`."""


class LabError(Exception):
    """A process of the lab ended before it was at work."""


class LabCarrier:
    """A carrier with one trunk: a far end that answers up to four calls, and a relay in front of it."""

    def __init__(self, answers: Answers = Answers()) -> None:  # noqa: B008 - frozen
        self._answers = answers
        self._uri = ""
        self._playing: asyncio.Future[Playing] | None = None
        self._far: Process[ToWorker, FromWorker] | None = None
        self._relay: Process[ToRelay, FromRelay] | None = None

    @property
    def uri(self) -> str:
        """SIP URI of its trunk, `sip:HOST:PORT`, once it has started."""
        return self._uri

    @property
    def pids(self) -> list[int]:
        """Process numbers of the far end and the relay."""
        return [p.pid for p in (self._far, self._relay) if p is not None and p.pid is not None]

    async def __aenter__(self) -> LabCarrier:
        try:
            async with asyncio.timeout(START):
                far = await self._start_far()
                relay = await self._start_relay((far.host, far.port))
        except BaseException:
            await self.__aexit__()
            raise
        self._uri = f"sip:{relay.host}:{relay.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(p.close() for p in (self._far, self._relay) if p is not None))

    async def play(self, fault: Fault | None) -> float:
        """Behave as under a fault, or None as a good carrier; return the instant from which it does.

        Seconds of the event loop's clock. Raises ValueError for a fault that a relay cannot play.
        """
        if fault is not None and (fault.kind not in PLAYED or fault.share < 1.0):
            raise ValueError(f"the lab does not play {fault}; it plays {sorted(k.value for k in PLAYED)}")
        assert self._relay is not None  # it has started
        self._playing = asyncio.get_running_loop().create_future()
        self._relay.tell(Play(fault))
        async with asyncio.timeout(START):
            return (await self._playing).at

    async def _start_far(self) -> Ready:
        ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

        def heard(message: FromWorker) -> None:
            if isinstance(message, Ready):
                ready.set_result(message)

        self._far = Process("callgen.worker", Endpoint(HOST, self._answers), heard, _failed(ready))
        return await ready

    async def _start_relay(self, carrier: tuple[str, int]) -> Ready:
        ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

        def heard(message: FromRelay) -> None:
            if isinstance(message, Ready):
                ready.set_result(message)
            elif self._playing is not None and not self._playing.done():
                self._playing.set_result(message)

        self._relay = Process("callgen.relay", Settings(carrier), heard, _failed(ready))
        return await ready


def _failed(ready: asyncio.Future[Ready]) -> Callable[[int], None]:
    def died(code: int) -> None:
        if not ready.done():
            ready.set_exception(LabError(f"a process of the lab ended with {code}"))

    return died
