"""Channels of each carrier, and its calls per second, as calls that are placed take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carriers.faults import Kind
from carriers.policy import RoutingPolicy
from sim.trunks import Trunks

if TYPE_CHECKING:
    from sim.clock import Clock


class Channels:
    """How many are busy now."""

    def __init__(self, env: Clock, policy: RoutingPolicy, trunks: Trunks) -> None:
        self._env = env
        self._carriers = policy.carriers
        self._trunks = trunks
        self._busy = [0] * len(policy.carriers)
        self._second = [(-1, 0)] * len(policy.carriers)

    def take(self, carrier: int) -> bool:
        """Take a channel, if one is free."""
        channels = self._carriers[carrier].channels
        if channels is not None and self._busy[carrier] >= self._left(carrier, channels):
            return False
        self._busy[carrier] += 1
        return True

    def seize(self, carrier: int) -> bool:
        """Take a channel for a call from us, if one is free and the second has room."""
        if not self.take(carrier):
            return False
        limit = self._carriers[carrier].calls_per_second
        if limit is None:
            return True
        second = int(self._env.now)
        last, calls = self._second[carrier]
        calls = calls + 1 if last == second else 1
        if calls > limit:
            self._busy[carrier] -= 1
            return False
        self._second[carrier] = (second, calls)
        return True

    def release(self, carrier: int) -> None:
        """Give a channel back."""
        self._busy[carrier] -= 1

    def _left(self, carrier: int, channels: int) -> int:
        left, trunks = 0.0, self._carriers[carrier].trunks
        for trunk in trunks:
            fault = self._trunks.fault(trunk)
            capacity = fault is not None and fault.kind is Kind.CAPACITY
            left += fault.channels_left if fault is not None and capacity else 1.0
        return round(channels * left / len(trunks))
