"""The router's policy, out of the routing that scenarios and plans write alike."""

from __future__ import annotations

from collections.abc import Sequence

from callsim.scenario.calls import Routing
from carriers import policy
from carriers.health import CallRule, HealthRule, QualityRule


def routing_policy(
    spec: Routing, trunks: Sequence[policy.Trunk], carriers: Sequence[policy.Carrier]
) -> policy.RoutingPolicy:
    """Make the policy over these trunks; routes name carriers among those given."""
    numbers = {carrier.name: n for n, carrier in enumerate(carriers)}
    health, failing, poor = spec.health, spec.failing_calls, spec.poor_calls
    return policy.RoutingPolicy(
        order=policy.Order(spec.order),
        routes=tuple(policy.Route(numbers[route.carrier], route.weight) for route in spec.routes),
        advance_on=frozenset(spec.advance_on),
        no_reply_timeout=spec.no_reply_timeout,
        progress_timeout=spec.progress_timeout,
        ring_timeout=spec.ring_timeout,
        max_attempts=spec.max_attempts,
        trunks=tuple(trunks),
        carriers=tuple(carriers),
        health=HealthRule(**health.model_dump()) if health else None,
        failing_calls=CallRule(failing.of_last, failing.share, failing.hold) if failing else None,
        poor_calls=QualityRule(poor.mos_below, CallRule(poor.of_last, poor.share, poor.hold))
        if poor
        else None,
    )
