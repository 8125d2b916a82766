"""A dialer that follows scripts, and lines over it."""

from __future__ import annotations

import asyncio
from collections import Counter

import numpy as np

from callgen.dialer import LostByToolError, SlotsExhaustedError
from callgen.guarding.guard import Guard, Method
from callgen.messages import Ended, Heard, Lost, Response, Rtp, Sent
from callgen.placing import Line
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

NUMBER = "+12025550100"
HOSTS = ["a.example", "b.example", "c.example"]
RTP = Rtp(50, 50, 0, None)
HEARD = Heard(True, 0.1, 0.06, None, -20.0, 0.1, False)
PATIENT, BRIEF = 30.0, 0.3
"""Timeouts in seconds: where scripts answer, and where they fall silent."""


ANSWERS = (100, 180, 200, "end")


class ScriptedCall:
    """Answers with the statuses of its script, then ends, falls silent until it is given up, or is lost."""

    def __init__(self, script, held):
        self.script = list(script)
        self.held = held
        self.hang = asyncio.Event()
        self.sent = self.final = False

    @property
    def hung_up(self):
        return self.hang.is_set()

    async def event(self):
        loop = asyncio.get_running_loop()
        if not self.sent:
            self.sent = True
            return Sent(1, loop.time())
        if self.hung_up or not self.script:
            if not self.final:
                await self.hang.wait()
            return self.ended("us" if self.hung_up else None)
        step = self.script.pop(0)
        if step == "end":
            return self.ended("us", RTP, HEARD, "PCMU")
        if step == "lost":
            return Lost(1, "lost in a test", loop.time())
        if step == "late":
            return Response(1, 200, "OK", loop.time() + 2 * BRIEF)
        self.final = step >= 300
        q850, contact = (17 if step == 486 else None), ("<sip:x@y>" if step == 302 else None)
        return Response(1, step, f"reason of {step}", loop.time(), q850=q850, contact=contact)

    def ended(self, by, rtp=None, heard=None, codec=None):
        now = asyncio.get_running_loop().time()
        return Ended(1, now, by, rtp, heard, codec, trace="INVITE", call_id="id")

    def hang_up(self):
        self.hang.set()

    async def freed(self):
        await asyncio.sleep(self.held)
        return True


class ScriptedDialer:
    """A dialer whose trunks, by host, follow one script each."""

    def __init__(self, held=0.0, **scripts):
        self.scripts = scripts
        self.held = held
        self.placed = []
        self.calls = []
        self.asked = []
        self.pings = Counter()
        self.ping_answers = {}

    async def place(self, permit, talk, **asked):
        uri = permit.spend(Method.INVITE)
        script = self.scripts[uri.partition("@")[2].partition(".")[0]]
        if script == "no slot":
            raise SlotsExhaustedError("no slot")
        if script == "slow slot":
            await asyncio.sleep(2 * BRIEF)
            script = ANSWERS
        self.placed.append(uri)
        self.asked.append(asked)
        self.calls.append(ScriptedCall(script, self.held))
        return self.calls[-1]

    async def ping(self, permit, timeout, *, identity=None):
        self.asked.append(identity)
        host = permit.spend(Method.OPTIONS).removeprefix("sip:").partition(".")[0]
        self.pings[host] += 1
        answer = self.ping_answers.get(host, 200)
        if answer == "lost":
            raise LostByToolError("lost")
        return answer


def router(trunks=2, order=Order.PRIORITY, weights=None, timeout=PATIENT, **rules):
    return Router(
        RoutingPolicy(
            order=order,
            routes=tuple(Route(n, (weights or [1.0] * trunks)[n]) for n in range(trunks)),
            advance_on=frozenset({408, 500, 502, 503, 504}),
            no_reply_timeout=timeout,
            progress_timeout=timeout,
            ring_timeout=timeout,
            max_attempts=trunks,
            trunks=tuple(Trunk(f"{'abc'[n]}/1", n) for n in range(trunks)),
            carriers=tuple(Carrier("abc"[n], (n,), None, None, 0.0, None) for n in range(trunks)),
            **rules,
        )
    )


def line(dialer, hosts=HOSTS, **more):
    return Line(router(**more), [f"sip:{host}" for host in HOSTS], Guard([NUMBER], hosts), dialer)


def call(over, seed=0):
    return asyncio.run(over.call(NUMBER, 1.0, np.random.default_rng(seed)))
