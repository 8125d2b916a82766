"""What a plan says, as the live side takes it: trunks, router, guard, endpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from callgen.caps import Caps
from callgen.counters import Counters
from callgen.guard import Guard, Method, host_of
from callgen.messages import Endpoint, Identity, Secret, Tls
from callsim.errors import CallsimError
from callsim.live.errors import NotLiveError
from callsim.plan.model import Plan, Trunk
from callsim.plan.references import Reference, read_secret
from callsim.scenario.calls import Routing
from carriers import routing
from carriers.health import CallRule, HealthRule, QualityRule

NEEDED = "real calls need pjsua2, which is not installed here; `callsim doctor` says what to do"
LOOPBACK = {"127": "127.0.0.1", "[::1]": "::1", "localhost": "127.0.0.1"}
DEFAULT_SHORT_CALL = 6.0


def require_live() -> None:
    """Raise NotLiveError where real calls cannot be placed."""
    if find_spec("pjsua2") is None:
        raise NotLiveError(NEEDED)


def routing_of(plan: Plan) -> Routing:
    """Give the plan's routing; without one its carriers in the order in which they are listed."""
    if plan.routing is not None:
        return plan.routing
    carriers = list(dict.fromkeys(trunk.carrier for trunk in plan.trunks))
    return Routing.model_validate({"order": "priority", "routes": carriers})


def policy_of(plan: Plan) -> routing.RoutingPolicy:
    """Make the router's policy over the plan's trunks, in the plan's order."""
    spec = routing_of(plan)
    names = list(dict.fromkeys(trunk.carrier for trunk in plan.trunks))
    health, failing, poor = spec.health, spec.failing_calls, spec.poor_calls
    return routing.RoutingPolicy(
        order=routing.Order(spec.order),
        routes=tuple(routing.Route(names.index(route.carrier), route.weight) for route in spec.routes),
        advance_on=frozenset(spec.advance_on),
        no_reply_timeout=spec.no_reply_timeout,
        progress_timeout=spec.progress_timeout,
        ring_timeout=spec.ring_timeout,
        max_attempts=spec.max_attempts,
        trunks=tuple(
            routing.Trunk(name, names.index(trunk.carrier))
            for name, trunk in zip(plan.trunk_names(), plan.trunks, strict=True)
        ),
        carriers=tuple(
            routing.Carrier(
                name=name,
                trunks=plan.trunks_of(name),
                channels=None,
                calls_per_second=None,
                cost_per_minute=max(t.cost_per_minute or 0.0 for t in plan.trunks if t.carrier == name),
                post_dial_delay=None,
            )
            for name in names
        ),
        health=HealthRule(**health.model_dump()) if health else None,
        failing_calls=CallRule(failing.of_last, failing.share, failing.hold) if failing else None,
        poor_calls=QualityRule(poor.mos_below, CallRule(poor.of_last, poor.share, poor.hold))
        if poor
        else None,
    )


def caps_of(plan: Plan) -> Caps:
    """Make the guard's caps."""
    rules = plan.guard
    priced = zip(plan.trunk_names(), plan.trunks, strict=True)
    return Caps(
        at_once=rules.at_once,
        calls_per_second=rules.calls_per_second,
        calls_per_hour=rules.calls_per_hour,
        calls_per_day=rules.calls_per_day,
        minutes_per_day=rules.minutes_per_day,
        spend_per_day=rules.spend_per_day,
        short_calls_at_most=rules.short_calls_at_most,
        short_call=DEFAULT_SHORT_CALL if rules.short_call is None else rules.short_call,
        cost_per_minute={name: t.cost_per_minute for name, t in priced if t.cost_per_minute is not None},
    )


def guard_of(plan: Plan, counters: Counters | None) -> Guard:
    """Make the guard; it counts in this process alone without `counters`."""
    return Guard(
        plan.guard.allow,
        {host_of(trunk.uri) for trunk in plan.trunks},
        caps_of(plan),
        counters,
        {trunk.caller_id for trunk in plan.trunks if trunk.caller_id is not None},
        plan.guard.country,
    )


def counters_file(name: str) -> Path:
    """Where the guard counts a plan's calls, for all processes of this user; its folder is made."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(state) / "callsim"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotLiveError(f"{folder}: cannot be made: {(error.strerror or str(error)).lower()}") from None
    return folder / f"{name}.counters"


def counters_of(plan: Plan) -> Counters:
    """Open the memory of the plan's calls; raises NotLiveError where it cannot be read."""
    try:
        return Counters(counters_file(plan.name))
    except ValueError as error:
        raise NotLiveError(str(error)) from None


def identity_of(name: str, trunk: Trunk, folder: Path) -> Identity:
    """Make the account at a trunk, with its secrets read; raises SecretError."""

    def secret(reference: Reference | None, what: str) -> Secret | None:
        return read_secret(reference, f"{name}: {what}", folder) if reference is not None else None

    return Identity(
        trunk=name,
        uri=trunk.uri,
        username=secret(trunk.username, "username"),
        password=secret(trunk.password, "password"),
        realm=trunk.realm,
        register=trunk.register_,
        caller_id=trunk.caller_id,
        caller_id_by=trunk.caller_id_by,
        srtp=trunk.srtp,
        headers=tuple(trunk.headers.items()),
    )


def endpoint_of(plan: Plan, guard: Guard, folder: Path) -> Endpoint:
    """Make what workers are started as, with every trunk's account; raises SecretError, RefusedError."""
    identities = []
    for name, trunk in zip(plan.trunk_names(), plan.trunks, strict=True):
        if trunk.register_:
            guard.register(trunk.uri).spend(Method.REGISTER)
        identities.append(identity_of(name, trunk, folder))
    return Endpoint(
        host=_bind(plan),
        transports=_transports(plan.trunks),
        codecs=plan.codecs,
        rtp_ports=(plan.rtp_ports.first, plan.rtp_ports.count) if plan.rtp_ports else None,
        identities=tuple(identities),
        tls=Tls(str(folder / plan.ca_file)) if plan.ca_file else Tls(),
    )


def _transports(trunks: Sequence[Trunk]) -> tuple[str, ...]:
    found = [re.search(r";transport=(\w+)", trunk.uri) for trunk in trunks]
    return tuple(dict.fromkeys(match[1] if match else "udp" for match in found))


def _bind(plan: Plan) -> str:
    """Address to bind to: that of the plan, loopback for trunks there, else any of the family."""
    if plan.bind is not None:
        return plan.bind
    hosts = {host_of(trunk.uri) for trunk in plan.trunks}
    local = {LOOPBACK.get(host, LOOPBACK.get(host.partition(".")[0])) for host in hosts}
    if len(local) == 1 and (only := local.pop()) is not None:
        return only
    literal = {host.startswith("[") for host in hosts if host.startswith("[") or host[-1].isdigit()}
    if literal == {True, False}:
        raise CallsimError("trunks at IPv4 and at IPv6 addresses cannot be in one plan; make two")
    return "::" if literal == {True} else ""
