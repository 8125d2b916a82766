"""Real calls through a pool whose slots are held, and whose workers are killed."""

from __future__ import annotations

import asyncio
import importlib.util
import time

import numpy as np
import pytest
from callgen_peers import Scripted as Peer

from callgen.dialer import Workers
from callgen.guarding.caps import Caps
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard
from callgen.lab.lab import HOST, LabCarrier
from callgen.measures.records import Outcome
from callgen.placing import Line
from carriers.faults import Fault, Kind
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed")

NUMBER = "+12025550100"
GUARD = Guard([NUMBER], [HOST])
SOON = 10.0
KILLS = 5


async def until(true):
    async with asyncio.timeout(SOON):
        while not true():
            await asyncio.sleep(0.01)


def line(workers, *carriers, guard=GUARD):
    count = range(len(carriers))
    policy = RoutingPolicy(
        order=Order.PRIORITY,
        routes=tuple(Route(n) for n in count),
        advance_on=frozenset({408, 503}),
        no_reply_timeout=1.0,
        progress_timeout=5.0,
        ring_timeout=0.5,
        max_attempts=len(carriers),
        trunks=tuple(Trunk(f"{n}/1", n) for n in count),
        carriers=tuple(Carrier(str(n), (n,), None, None, 0.0, None) for n in count),
    )
    return Line(Router(policy), [carrier.uri for carrier in carriers], guard, workers)


def call(over, talk=0.2):
    return over.call(NUMBER, talk, np.random.default_rng(0))


def test_a_silent_carrier_makes_the_pool_grow():
    async def scene():
        async with LabCarrier() as silent, LabCarrier() as good, Workers(1, grow_to=4) as workers:
            await silent.play(Fault("dark", Kind.SILENT))
            both = line(workers, silent, good)
            for _ in range(2):
                records = await asyncio.gather(*(call(both) for _ in range(3)))
                assert [[a.status for a in record.attempts] for record in records] == [[408, 200]] * 3
            assert workers.held_slots >= 6
            assert len(workers.pids) >= 2
            for record in records:
                assert "INVITE" in record.attempts[0].trace
                assert record.attempts[0].call_id != record.attempts[1].call_id

    asyncio.run(scene())


def test_an_answer_that_crosses_our_cancel_is_billed():
    counters = Counters()
    guard = Guard([NUMBER], [HOST], Caps(calls_per_day=1), counters)

    async def scene():
        async with Peer() as far, Workers() as workers:
            far.uri = f"sip:{HOST}:{far.port}"
            placed = asyncio.ensure_future(call(line(workers, far, guard=guard), 90.0))
            invite = await far.receive("INVITE")
            far.answer(invite, 180)
            await far.receive("CANCEL")
            far.accept(invite)
            await far.receive("ACK")
            far.answer(await far.receive("BYE"), 200)
            assert (await placed).outcome is Outcome.NO_ANSWER

    asyncio.run(scene())
    used = counters.used(time.time())
    counters.close()
    assert (used.minutes, used.at_once) == (1, 0)
