"""Keeps the line over a plan's trunks in step with what DNS says of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from callgen.dialer import Dialer
from callgen.guarding.guard import Guard, RefusedError, host_of
from callgen.guarding.targets import Hop, Target, hops_of
from callgen.measures.records import CallRecord
from callgen.messages import Identity
from callgen.placing import Line
from callgen.resolving import NOWHERE, TRANSPORTS, Resolved, ResolveError, Resolver, written
from carriers.policy import RoutingPolicy
from carriers.routing import Router


class Addresses:
    """Where each trunk leads, as DNS says now and the guard admits.

    `trunks` are (name, SIP URI). A trunk that is written as an address leads there. `transports` are those
    that a trunk without one may be reached over.
    """

    def __init__(self, trunks: Sequence[tuple[str, str]], guard: Guard, resolver: Resolver) -> None:
        self._trunks = trunks
        self._guard = guard
        self._resolver = resolver
        targets = [target for _, uri in trunks if (target := written(uri)) is not None]
        self._proven = {target.uri: target.host for target in targets if target.transport == "tls"}
        """Whom the far end at an address has to be over TLS: one, since connections are used again."""
        self.transports: Sequence[str] = TRANSPORTS

    async def hops(self) -> tuple[tuple[Hop, ...], float]:
        """Give the hops of all trunks, in their order, and for how many seconds they hold.

        A trunk that cannot be resolved has one with its trouble, for as long as the resolver does not ask
        again.
        """
        found = await asyncio.gather(*(self._of(number) for number in range(len(self._trunks))))
        return tuple(hop for hops, _ in found for hop in hops), min(seconds for _, seconds in found)

    async def _of(self, number: int) -> tuple[list[Hop], float]:
        name, uri = self._trunks[number]
        if written(uri) is not None:
            return [Hop(number, name, name)], math.inf
        try:
            resolved = await self._resolver.resolve(uri, self.transports)
        except ResolveError as error:
            return [Hop(number, name, name, trouble=str(error))], self._resolver.left(uri, self.transports)
        targets = self._admitted(uri, resolved)
        seconds = self._resolver.left(uri, self.transports)
        if isinstance(targets, str):
            return [Hop(number, name, name, trouble=targets)], seconds
        return hops_of(number, name, targets), seconds

    def _admitted(self, uri: str, resolved: Resolved) -> list[Target] | str:
        """Leave out what the guard refuses, unless that is all: then it refuses the call as well."""
        admitted, refused, taken = [], [], ""
        for target in resolved.targets:
            host = host_of(uri)
            if target.transport == "tls" and self._proven.setdefault(target.uri, host) != host:
                taken = f"{NOWHERE}{target} over TLS is {self._proven[target.uri]}'s already"
                continue
            try:
                self._guard.admit(uri, target, resolved.source, resolved.ttl)
                admitted.append(target)
            except RefusedError:
                refused.append(target)
        return admitted or refused[:1] or taken


class Lines:
    """The line over a plan's trunks, made anew where DNS has changed; what is known of an address stays.

    `policy` makes the router's policy over hops; `uris` and `identities` are those of the trunks. `keep` is
    told of every call that was begun.
    """

    def __init__(
        self,
        addresses: Addresses,
        policy: Callable[[Sequence[Hop]], RoutingPolicy],
        uris: Sequence[str],
        guard: Guard,
        dialer: Dialer,
        identities: Sequence[Identity] = (),
        clock: Callable[[], float] = time.monotonic,
        keep: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self._addresses = addresses
        self._policy = policy
        self._uris = uris
        self._guard = guard
        self._dialer = dialer
        self._identities = identities
        self._clock = clock
        self._keep = keep
        self._lock = asyncio.Lock()
        self._line: Line | None = None
        self._until = -math.inf

    async def line(self) -> Line:
        """Give the line as DNS has it now; calls that are under way keep the one that they began with."""
        async with self._lock:
            if self._line is None or self._clock() >= self._until:
                hops, seconds = await self._addresses.hops()
                self._until = self._clock() + seconds
                if self._line is None or tuple(self._line.hops) != hops:
                    self._line = self._over(hops, self._line)
            return self._line

    async def settled(self) -> None:
        """Wait until the guard knows how each call ended; see `Line.settled`."""
        if self._line is not None:
            await self._line.settled()

    def _over(self, hops: Sequence[Hop], before: Line | None) -> Line:
        known = {} if before is None else {(h.trunk, h.uri): n for n, h in enumerate(before.hops)}
        health = [
            None
            if before is None or (place := known.get((hop.trunk, hop.uri))) is None
            else before.router.health(place)
            for hop in hops
        ]
        return Line(
            Router(self._policy(hops), known=health),
            [self._uris[hop.trunk] for hop in hops],
            self._guard,
            self._dialer,
            [self._identities[hop.trunk] for hop in hops] if self._identities else (),
            hops,
            self._keep,
        )
