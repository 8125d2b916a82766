"""The called side of an inbound test: a worker that takes calls to one of our numbers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from callgen.messages import Ended, Endpoint, FromWorker, Incoming, Ready, Registered, ToWorker
from callgen.process import Process
from callsim.live.errors import NotLiveError

START = 20.0
"""Seconds that the worker has to start, and then to register."""


@dataclass(frozen=True)
class Arrived:
    """A call as it reached us."""

    incoming: Incoming
    ended: Ended


class CalledSide:
    """Answers calls as its endpoint says, and tells what came; NotLiveError where it does not start."""

    def __init__(self, endpoint: Endpoint) -> None:
        if endpoint.answers is None:
            raise ValueError("a called side needs an endpoint with `answers`")
        self._endpoint = endpoint
        self._calls: dict[int, Incoming] = {}
        self._arrived: asyncio.Queue[Arrived] = asyncio.Queue()
        self.uri = ""
        """Where it can be called directly, once it has started."""

    async def __aenter__(self) -> CalledSide:
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Ready] = loop.create_future()
        self._registered: asyncio.Future[Registered] = loop.create_future()
        self._process: Process[ToWorker, FromWorker] = Process(
            "callgen.endpoint.worker", self._endpoint, self._heard, self._died
        )
        try:
            async with asyncio.timeout(START):
                ready = await self._ready
        except TimeoutError:
            await self._process.close()
            raise NotLiveError(f"the worker that takes calls was not ready after {START:.0f} s") from None
        except BaseException:
            await self._process.close()
            raise
        host = f"[{ready.host}]" if ":" in ready.host else ready.host
        self.uri = f"sip:{host}:{ready.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.close()

    async def registered(self) -> str | None:
        """Wait until the registration is answered; None where it holds, else why not."""
        try:
            async with asyncio.timeout(START):
                answer = await asyncio.shield(self._registered)
        except TimeoutError:
            return f"no answer to the registration after {START:.0f} s"
        except NotLiveError as error:
            return str(error)
        good = 200 <= answer.status < 300
        return None if good else f"the registration was answered {answer.status} {answer.reason}"

    async def call_to(self, number: str, seconds: float) -> Arrived | None:
        """Wait for a call to a number of ours and for its end; None where none is over in `seconds`."""
        digits = number.removeprefix("+")
        try:
            async with asyncio.timeout(seconds):
                while True:
                    arrived = await self._arrived.get()
                    if digits in arrived.incoming.to:
                        return arrived
        except TimeoutError:
            return None

    def _heard(self, message: FromWorker) -> None:
        match message:
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(message)
            case Registered():
                if not self._registered.done():
                    self._registered.set_result(message)
            case Incoming():
                self._calls[message.call] = message
            case Ended() if message.call in self._calls:
                self._arrived.put_nowait(Arrived(self._calls.pop(message.call), message))

    def _died(self, code: int) -> None:
        for waits in (self._ready, self._registered):
            if not waits.done():
                waits.set_exception(NotLiveError(f"the worker that takes calls ended with {code}"))
                waits.exception()  # whether somebody waits for it or not


def called_endpoint(endpoint: Endpoint, trunk: str) -> Endpoint:
    """Reduce an endpoint to the account at one trunk."""
    mine = tuple(identity for identity in endpoint.identities if identity.trunk == trunk)
    return replace(endpoint, identities=mine)
