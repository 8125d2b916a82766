"""The tables of a scenario as a lab can play them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from callsim.build import build
from callsim.errors import CallsimError
from callsim.scenario.model import Scenario
from carriers import codecs
from carriers.faults import Fault
from carriers.laws import Fixed, Law
from carriers.path import CLEAR
from carriers.policy import Carrier, RoutingPolicy
from sim import Tables

CODEC = "PCMU"
"""Of the calls of a drill."""
DRAWS = 10_001
"""Of which the middle one stands for a law's median."""


class CannotDrillError(CallsimError):
    """A scenario has nothing that a drill could play."""


def lab_tables(scenario: Scenario, pace: float) -> tuple[Tables, Tables]:
    """Make the tables of a scenario, and those of what a lab has of it: carriers, faults, the router.

    Health timers run `pace` times as fast. A lab's carriers ring after the median of their post-dial
    delay, and spoil no packets unless a fault does: so a prediction differs from a call by nothing that was
    drawn. The platform, the path and calls to us are left out. Raises CannotDrillError without carriers.
    """
    tables = build(scenario)
    if tables.routing is None or tables.traffic is None:
        raise CannotDrillError(f"{scenario.name}: a drill needs `carriers`, `routing` and `traffic`")
    carriers = tuple(_plain(carrier) for carrier in tables.carriers)
    voice = tables.voice
    if voice is not None:
        codec = codecs.codec(CODEC)
        voice = replace(voice, codec=codec, packet=codec.packet, segments=(), mobile=None)
    traffic = replace(tables.traffic, inbound=0.0, redial_share=0.0, redial_after=None)
    lab = Tables(
        zone=tables.zone,
        units=(),
        faults=tuple(_fixed(fault) for fault in tables.faults),
        carriers=carriers,
        routing=paced(replace(tables.routing, carriers=carriers), pace),
        traffic=traffic,
        voice=voice,
        failing=tables.failing,
        down_above=tables.down_above,
    )
    return tables, lab


def paced(policy: RoutingPolicy, pace: float) -> RoutingPolicy:
    """Let health timers run `pace` times as fast: the interval of pings, the hold-down, times taken out.

    SIP's timers stay. So does the time that a ping is waited for, unless it is longer than the interval.
    """
    health, failing, poor = policy.health, policy.failing_calls, policy.poor_calls
    if health is not None:
        every = health.ping_every / pace
        health = replace(
            health,
            ping_every=every,
            ping_timeout=min(health.ping_timeout, every),
            hold_down=health.hold_down / pace,
        )
    if failing is not None:
        failing = replace(failing, hold=failing.hold / pace)
    if poor is not None:
        poor = replace(poor, calls=replace(poor.calls, hold=poor.calls.hold / pace))
    return replace(policy, health=health, failing_calls=failing, poor_calls=poor)


def _plain(carrier: Carrier) -> Carrier:
    delay = carrier.post_dial_delay
    return replace(carrier, quality=CLEAR, post_dial_delay=None if delay is None else _median(delay))


def _fixed(fault: Fault) -> Fault:
    delay = fault.post_dial_delay
    return fault if delay is None else replace(fault, post_dial_delay=_median(delay))


def _median(law: Law) -> Fixed:
    """Give a law's median, to the millisecond."""
    return Fixed(round(float(np.median(law.sample(np.random.default_rng(0), DRAWS))), 3))
