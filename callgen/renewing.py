"""Puts fresh workers in the place of old ones while calls go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from callgen.dialer import LiveCall, Workers
from callgen.guarding.guard import Permit
from callgen.messages import Audio

LONGEST = 3600.0
"""Seconds after which old workers end, whatever they still have."""


@dataclass(eq=False)
class _Pool:
    workers: Workers
    calls: set[asyncio.Future[bool]] = field(default_factory=set)
    """Each until it has been freed; those that wait for a slot, too."""

    def hold(self, call: asyncio.Future[bool]) -> None:
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)


class Renewable:
    """A `Dialer` over a pool of workers that `renew` replaces by what `make` gives.

    Calls stay with the workers that placed them, which end when nothing can come of their calls any more.
    """

    def __init__(self, make: Callable[[], Workers]) -> None:
        self._make = make
        self._ending: set[asyncio.Task[None]] = set()
        self.placed = 0
        """Calls since the last renewal."""
        self.renewals = 0

    async def __aenter__(self) -> Renewable:
        self._pool = _Pool(await self._make().__aenter__())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._close(self._pool)

    @property
    def workers(self) -> Workers:
        """Those that get new calls."""
        return self._pool.workers

    async def renew(self) -> None:
        """Start fresh workers, and have the old ones end; raises LostByToolError or TimeoutError.

        Then the old ones go on.
        """
        fresh = _Pool(await self._make().__aenter__())
        old, self._pool = self._pool, fresh
        self.placed = 0
        self.renewals += 1
        ending = asyncio.create_task(self._end(old))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def place(
        self,
        permit: Permit,
        talk: float,
        *,
        identity: str | None = None,
        audio: Audio = Audio(),  # noqa: B008 - frozen
        codecs: tuple[str, ...] | None = None,
    ) -> LiveCall:
        """Send the permitted INVITE from the workers of now; see `Dialer.place`."""
        pool = self._pool
        placing: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        pool.hold(placing)
        try:
            call = await pool.workers.place(permit, talk, identity=identity, audio=audio, codecs=codecs)
            self.placed += 1
            pool.hold(asyncio.create_task(_freed(call)))
        finally:
            placing.cancel()
        return call

    async def ping(self, permit: Permit, timeout: float, *, identity: str | None = None) -> int | None:
        """Send the permitted OPTIONS from the workers of now; see `Dialer.ping`."""
        return await self._pool.workers.ping(permit, timeout, identity=identity)

    async def _end(self, pool: _Pool) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST):
                    while pool.calls:
                        await asyncio.wait(pool.calls)
        finally:
            await self._close(pool)

    async def _close(self, pool: _Pool) -> None:
        for task in pool.calls:
            task.cancel()
        await pool.workers.__aexit__()


async def _freed(call: LiveCall) -> bool:
    return await call.freed()
