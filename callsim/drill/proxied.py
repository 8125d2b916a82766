"""Episodes of which a proxy does the failover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from callgen.dialer import Workers
from callgen.guarding.guard import Guard
from callgen.lab.lab import HOST
from callgen.measures.records import CallRecord
from callgen.placing import Line
from callsim.drill.kamailio import Proxy, policy_of_callers, proxy_of
from callsim.drill.live import BEGINS_IN, NUMBER, Scene, Stage
from callsim.drill.stretch import Episode
from carriers.policy import RoutingPolicy
from carriers.routing import Router
from sim import Belief, Tables


class ProxyScene(Scene):
    """Calls leave the router to Kamailio; what it does it says itself."""

    def __init__(self, tables: Tables, proxy: Proxy, workers: Workers) -> None:
        assert tables.routing is not None  # the tables of a lab have one
        self.tables = tables
        self.start = asyncio.get_running_loop().time() + BEGINS_IN
        self._proxy = proxy
        self._policy = tables.routing
        callers = Router(policy_of_callers(tables.routing))
        self.line = Line(callers, [proxy.uri], Guard([NUMBER], [HOST]), workers)

    async def ping(self) -> None:
        """Do nothing: the proxy pings."""

    def announce(self, trunk: int, *, out: bool) -> None:
        """Do nothing: nobody tells the proxy of planned work."""

    def beliefs(self) -> tuple[Belief, ...]:
        """Say what the proxy has come to believe."""
        return tuple(replace(belief, at=belief.at - self.start) for belief in self._proxy.beliefs)

    def tried(self, record: CallRecord) -> list[int]:
        """Say which trunks the proxy sent a call to."""
        call_id = record.attempts[-1].call_id if record.attempts else None
        return self._proxy.tries.get(call_id or "", [])

    def as_played(self, episode: Episode) -> Episode:
        """Give the episode with the instants at which the proxy has pinged, by the ping before the faults."""
        assert self._policy.health is not None  # `translated` has seen to it
        before = self.start + min((fault.start for fault in episode.faults), default=episode.length)
        phase = self._proxy.phase(self.start, before, self._policy.health.ping_every)
        return replace(episode, ping_phase=(phase,) * len(episode.ping_phase))


class ProxyStage(Stage):
    """Carriers with a Kamailio of their own before them, in each episode a new one."""

    @asynccontextmanager
    async def scene(self, episode: Episode) -> AsyncIterator[Scene]:
        """Run Kamailio for an episode."""
        assert self.tables.routing is not None  # the tables of a lab have one
        order = in_order(self.tables.routing, episode.drained)
        async with proxy_of(self.tables.routing, [(trunk, self.uris[trunk]) for trunk in order]) as proxy:
            yield ProxyScene(self.tables, proxy, self.workers)


def in_order(policy: RoutingPolicy, drained: Sequence[int]) -> list[int]:
    """Give the trunks in the order in which a call tries them, but for those that get none."""
    ((_, trunks),) = Router(policy).candidates(0.0)
    return [trunk for trunk in trunks if trunk not in drained]


def unannounced(episode: Episode) -> Episode:
    """Give the episode without announcements."""
    return replace(episode, faults=tuple(replace(fault, announced=False) for fault in episode.faults))
