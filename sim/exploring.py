"""What becomes of calls in one state of the trunks, by following the router's own `CallSetup` to its ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carriers.faults import Fault
from carriers.laws import Law
from carriers.routing import CallSetup, Outcome
from results.timeline import HOURS_PER_WEEK
from sim.answers import answers

Floats = NDArray[np.float64]


def zeros() -> Floats:
    """Return a week of nothing: (168,)."""
    return np.zeros(HOURS_PER_WEEK)


def add(sums: dict[Any, Floats], key: object, share: Floats) -> None:
    """Add to the sum of a key."""
    sums[key] = sums[key] + share if key in sums else share


class Way(NamedTuple):
    """One way in which calls connect, whatever they sound like."""

    carrier: int
    attempts: int
    offset: float
    delay: Law | None
    fault: int
    """Visible fault of the trunk, counted from 1; 0: none."""
    inbound: bool = False


@dataclass
class Tally:
    """What an exploration adds up, as shares of all calls."""

    outbound: Floats
    """Calls from us that do not connect."""
    inbound: Floats
    blocked: Floats
    ways: dict[Way, Floats] = field(default_factory=dict)
    attempts: dict[int, Floats] = field(default_factory=dict)
    failures: dict[int, Floats] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    carried: dict[int, Floats] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)
    """Visible fault, as a `Way` has it, of each trunk that carries calls."""


@dataclass(frozen=True)
class Delivery:
    """How calls to a block of numbers come."""

    share: float
    """Of the calls to us."""
    carrier: int
    arrives: tuple[tuple[int, float], ...]
    """Trunks that they come over, with the chance of each; what is missing to 1 does not come."""
    registered: float
    """Share of the phones that can be reached."""


@dataclass(frozen=True)
class Exploration:
    """Follows calls from us over one list of candidates."""

    faults: list[Fault | None]
    codes: tuple[int, ...]
    """Of the trunks, as states are keyed."""
    no_channel: dict[int, Floats]
    tally: Tally

    def follow(self, setup: CallSetup, share: Floats, admitted: int | None, *, skipped: bool) -> None:
        """Follow one share of the calls to its ends; it has a channel of the carrier `admitted`.

        `skipped`: it found no channel at some carrier.
        """
        policy, tally = setup.policy, self.tally
        trunk = setup.attempt
        if trunk is None:
            tally.outbound = tally.outbound + share
            if skipped:
                tally.blocked = tally.blocked + share
            return
        now = setup.deadline - policy.no_reply_timeout
        carrier = policy.trunks[trunk].carrier
        if carrier != admitted:
            blocked = self.no_channel.get(carrier)
            if blocked is not None and blocked.any():
                self.follow(setup.skip(now), share * blocked, None, skipped=True)
                share = share * (1.0 - blocked)
        add(tally.attempts, trunk, share)
        delay = policy.carriers[carrier].post_dial_delay
        for answer in answers(self.faults[trunk], delay, policy.progress_timeout):
            part = share * answer.chance
            if answer.connects:
                way = Way(carrier, setup.attempts, now, answer.delay, self.codes[trunk] >> 1)
                add(tally.ways, way, part)
                add(tally.carried, trunk, part)
                tally.shown[trunk] = way.fault
                continue
            if answer.status is not None:
                following, ends = setup.receive(answer.status, now), now
            elif answer.trying:
                trying = setup.receive(100, now)
                ends = trying.deadline
                following = trying.expire(ends)
            else:
                ends = setup.deadline
                following = setup.expire(ends)
            if following.outcome is not Outcome.REFUSED:
                add(tally.failures, trunk, part)
                tally.delays[trunk] = max(tally.delays.get(trunk, 0.0), ends - now)
            self.follow(following, part, carrier, skipped=skipped)
