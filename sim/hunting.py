"""How often a call finds no free channel at a carrier when carriers are hunted in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carriers.erlang import (
    equivalent_random,
    erlang_b,
    erlang_b_continuous,
    overflow_variance,
    poisson_excess,
)
from carriers.faults import Fault, Kind
from carriers.policy import RoutingPolicy

Floats = NDArray[np.float64]
Choices = list[tuple[float, tuple[int, ...]]]

WHOLE = 0.99
"""A carrier that connects more than this share of what it is offered is summed with those before it."""
ROUNDS = 40
"""Of the fixed point for weighted routes; it settles to 1e-6 well before."""


class Hunt:
    """Blocking of ordered carriers at each hour of the week.

    A full carrier is skipped by the router, which counts its own channels: no INVITE, no delay.
    For ordered hunting the channels are summed: of A erlangs, B(A, c1 + c2) / B(A, c1) of those that found
    c1 full find c2 full too. A carrier that refuses part of its calls passes these on as Poisson traffic;
    the mixture with the overflow is fitted by Wilkinson's equivalent random theory (Rapp's approximation).
    Weighted routes share channels between candidate lists: Erlang's fixed point, all offers Poisson.
    A channel is taken from the INVITE on: to the hold time comes the first carrier's post-dial delay.
    Calls to us are Poisson traffic besides what is hunted; both meet the blocking of their mixture.
    """

    def __init__(
        self,
        policy: RoutingPolicy,
        rate: Floats,
        hold: float,
        faults: list[Fault | None],
        connects: list[float],
        outbound: float,
        inbound: dict[int, float],
    ) -> None:
        self._policy = policy
        # Hours with as many calls have the same blocking, and a week has few kinds of hours.
        calls, self._kind = np.unique(rate, return_inverse=True)
        self._rate = outbound * calls
        self._inbound = {carrier: share * calls * hold for carrier, share in inbound.items()}
        """Erlangs of calls to us, which take channels of their carriers and are not hunted on."""
        first = policy.carriers[policy.routes[0].carrier].post_dial_delay
        self._hold = hold + (first.mean if first is not None else 0.0)
        self._faults = faults
        self._connect_chances = connects
        """Of an attempt, by trunk."""

    def chances_of_no_channel(self, choices: Choices) -> tuple[list[dict[int, Floats]], dict[int, Floats]]:
        """By candidate list and carrier: (168,) chance that a call that gets so far finds no channel.

        With it the same of calls to us, by carrier.
        """
        to_us: dict[int, Floats] = {}
        found = (
            [self._in_order(choices[0][1], to_us)] if len(choices) == 1 else self._fixed_point(choices, to_us)
        )
        for carrier, load in self._inbound.items():
            channels = self._channels(carrier)
            if carrier not in to_us and channels is not None:
                to_us[carrier] = erlang_b_continuous(load, channels)
        return [self._of_hours(blocked) for blocked in found], self._of_hours(to_us)

    def _of_hours(self, blocked: dict[int, Floats]) -> dict[int, Floats]:
        """Give the hours of the week what holds for their kind."""
        return {carrier: kinds[self._kind] for carrier, kinds in blocked.items()}

    def _channels(self, carrier: int) -> int | None:
        channels = self._policy.carriers[carrier].channels
        if channels is None:
            return None
        left = [
            fault.channels_left if fault is not None and fault.kind is Kind.CAPACITY else 1.0
            for fault in (self._faults[trunk] for trunk in self._policy.carriers[carrier].trunks)
        ]
        # Channels belong to the carrier over all its trunks: a trunk's loss is its equal share.
        return round(channels * sum(left) / len(left))

    def _connects(self, trunks: list[int]) -> float:
        """Chance that a carrier with a free channel connects a call, over its trunks in turn."""
        fails = 1.0
        for trunk in trunks:
            fails *= 1.0 - self._connect_chances[trunk]
        return 1.0 - fails

    def _hunted(self, trunks: tuple[int, ...]) -> dict[int, list[int]]:
        carriers: dict[int, list[int]] = {}
        for trunk in trunks:
            carriers.setdefault(self._policy.trunks[trunk].carrier, []).append(trunk)
        return carriers

    def _too_fast(self, carrier: int, rate: Floats) -> Floats:
        """Share of attempts above the carrier's calls per second."""
        limit = self._policy.carriers[carrier].calls_per_second
        return np.zeros_like(rate) if limit is None else np.asarray(poisson_excess(rate, limit))

    def _in_order(self, trunks: tuple[int, ...], to_us: dict[int, Floats]) -> dict[int, Floats]:
        load = self._rate * self._hold
        poisson = np.zeros_like(load)
        equivalent, before = load.copy(), np.zeros_like(load)
        found: dict[int, Floats] = {}
        for carrier, own in self._hunted(trunks).items():
            peaky = equivalent * erlang_b_continuous(equivalent, before)
            offered = peaky + poisson
            connects = self._connects(own)
            too_fast = self._too_fast(carrier, offered / self._hold)
            channels = self._channels(carrier)
            blocked = np.zeros_like(load)
            if connects == 0.0:
                found[carrier] = too_fast
                continue
            inbound = self._inbound.get(carrier)
            if channels is not None:
                if channels == 0:
                    blocked = np.ones_like(load)
                elif connects > WHOLE and not poisson.any() and inbound is None:
                    beyond = equivalent * erlang_b_continuous(equivalent, before + channels)
                    blocked = np.divide(beyond, peaky, out=np.zeros_like(load), where=peaky > 1e-12)
                    before = before + channels
                else:
                    variance = overflow_variance(equivalent, before) + poisson
                    blocked, equivalent, before, of_inbound = _thinned(
                        offered, variance, connects, channels, inbound
                    )
                if inbound is not None:
                    to_us[carrier] = np.ones_like(load) if channels == 0 else np.clip(of_inbound, 0.0, 1.0)
            else:
                equivalent, before = np.zeros_like(load), np.zeros_like(load)
            refused = 0.0 if connects > WHOLE else offered * (1.0 - connects)
            poisson = refused + offered * too_fast * (1.0 - blocked)
            found[carrier] = 1.0 - (1.0 - np.clip(blocked, 0.0, 1.0)) * (1.0 - too_fast)
        return found

    def _fixed_point(self, choices: Choices, to_us: dict[int, Floats]) -> list[dict[int, Floats]]:
        hunted = [(weight, self._hunted(trunks)) for weight, trunks in choices]
        carriers = sorted({carrier for _, own in hunted for carrier in own})
        full = {carrier: np.zeros_like(self._rate) for carrier in carriers}
        for _ in range(ROUNDS):
            offered = {carrier: np.zeros_like(self._rate) for carrier in carriers}
            for weight, own in hunted:
                left = weight * self._rate
                for carrier, trunks in own.items():
                    offered[carrier] = offered[carrier] + left
                    left = left * (1.0 - (1.0 - full[carrier]) * self._connects(trunks))
            for carrier in carriers:
                connects = self._connects(next(own[carrier] for _, own in hunted if carrier in own))
                channels = self._channels(carrier)
                too_fast = self._too_fast(carrier, offered[carrier])
                blocked: Floats = np.zeros_like(self._rate)
                if channels is not None:
                    load = offered[carrier] * connects * self._hold + self._inbound.get(carrier, 0.0)
                    blocked = to_us[carrier] = np.asarray(erlang_b(load, channels))
                full[carrier] = 1.0 - (1.0 - blocked) * (1.0 - too_fast)
        return [{carrier: full[carrier] for carrier in own} for _, own in hunted]


def _thinned(
    mean: Floats, variance: Floats, share: float, channels: int, inbound: Floats | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Blocking that a random `share` of a stream meets on `channels`, and the equivalent of what overflows.

    Last comes the blocking of `inbound` erlangs of Poisson traffic, which take channels too and do not
    overflow. What the mixture loses is split by the variances of its parts, since peaked traffic finds the
    channels busy more often (V. B. Iversen, Teletraffic Engineering Handbook, on individual blocking).
    """
    thin = np.maximum(share * mean, 1e-12)
    peaked = thin * np.maximum(1.0, 1.0 + share * (variance / np.maximum(mean, 1e-12) - 1.0))
    other = np.zeros_like(thin) if inbound is None else inbound
    load, before = equivalent_random(thin + other, peaked + other)
    beyond = load * erlang_b_continuous(load, before + channels)
    # Rapp's fit gives the mean back but nearly: blocking is a share of what it gives.
    arriving = load * erlang_b_continuous(load, before)
    lost = np.divide(beyond, arriving, out=np.zeros_like(mean), where=arriving > 1e-12) * (thin + other)
    part = peaked / (peaked + other)
    blocked = np.minimum(part * lost / thin, 1.0)
    of_inbound = np.divide((1.0 - part) * lost, other, out=np.zeros_like(thin), where=other > 1e-12)
    if inbound is not None:
        passed = np.maximum(part * beyond, 1e-12)
        spread = overflow_variance(load, before + channels) / np.maximum(beyond, 1e-12)
        peakedness = np.maximum(1.0, 1.0 + part * (spread - 1.0))
        load, before = equivalent_random(passed, passed * peakedness)
        return blocked, load, before, of_inbound
    return blocked, load, before + channels, of_inbound
