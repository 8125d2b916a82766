"""What a plan says, as the live side takes it: trunks, router, guard, endpoint."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from callgen.endpoint.listening import can_listen
from callgen.guarding.caps import Caps
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard, Method, host_of
from callgen.guarding.targets import Hop
from callgen.lines import Addresses
from callgen.messages import Endpoint, Identity, Secret, Tls
from callgen.resolving import Resolver
from callsim.errors import CallsimError
from callsim.live.errors import NotLiveError
from callsim.plan.model import Plan, Trunk
from callsim.plan.references import Reference, read_secret
from callsim.routing_policy import routing_policy
from callsim.scenario.calls import Routing
from carriers import policy

NEEDED = "real calls need pjsua2, which is not installed here; `callsim doctor` says what to do"
NO_VISQOL = "MOS-LQO needs ViSQOL, which is not installed here: pip install 'callsim[audio]'"
LOOPBACK = {"127": "127.0.0.1", "[::1]": "::1", "localhost": "127.0.0.1"}
DEFAULT_SHORT_CALL = 6.0
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE and others keep the certificates that they trust."""
MOST_REGISTRATIONS = 6
"""The library has room for eight accounts: calls, and what is called directly, have one each."""


def require_live() -> None:
    """Raise NotLiveError where real calls cannot be placed."""
    if find_spec("pjsua2") is None:
        raise NotLiveError(NEEDED)


def require_listening() -> None:
    """Raise NotLiveError where recordings cannot be scored."""
    if not can_listen():
        raise NotLiveError(NO_VISQOL)


def routing_of(plan: Plan) -> Routing:
    """Give the plan's routing; without one its carriers in the order in which they are listed."""
    if plan.routing is not None:
        return plan.routing
    carriers = list(dict.fromkeys(trunk.carrier for trunk in plan.trunks))
    return Routing.model_validate({"order": "priority", "routes": carriers})


def policy_of(plan: Plan, hops: Sequence[Hop] = ()) -> policy.RoutingPolicy:
    """Make the router's policy over the plan's trunks, in the plan's order: one of its trunks for each hop.

    Without hops each trunk has one.
    """
    hops = hops or [Hop(n, name, name) for n, name in enumerate(plan.trunk_names())]
    carrier_of = [plan.trunks[hop.trunk].carrier for hop in hops]
    names = list(dict.fromkeys(trunk.carrier for trunk in plan.trunks))
    return routing_policy(
        routing_of(plan),
        [
            policy.Trunk(hop.label, names.index(carrier))
            for hop, carrier in zip(hops, carrier_of, strict=True)
        ],
        [
            policy.Carrier(
                name=name,
                trunks=tuple(n for n, carrier in enumerate(carrier_of) if carrier == name),
                channels=None,
                calls_per_second=None,
                cost_per_minute=max(t.cost_per_minute or 0.0 for t in plan.trunks if t.carrier == name),
                post_dial_delay=None,
            )
            for name in names
        ],
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


def identity_of(name: str, trunk: Trunk, folder: Path, hop: Hop | None = None) -> Identity:
    """Make the account at a trunk, with its secrets read; raises SecretError.

    It registers at the address of `hop`; where that has none, not at all.
    """

    def secret(reference: Reference | None, what: str) -> Secret | None:
        return read_secret(reference, f"{name}: {what}", folder) if reference is not None else None

    return Identity(
        trunk=name,
        uri=trunk.uri,
        username=secret(trunk.username, "username"),
        password=secret(trunk.password, "password"),
        realm=trunk.realm,
        register=trunk.register_ and (hop is None or hop.trouble is None),
        target=hop.uri if hop is not None else None,
        caller_id=trunk.caller_id,
        caller_id_by=trunk.caller_id_by,
        srtp=trunk.srtp,
        headers=tuple(trunk.headers.items()),
    )


def endpoint_of(plan: Plan, guard: Guard, folder: Path, hops: Sequence[Hop] = ()) -> Endpoint:
    """Make what workers are started as, with every trunk's account; raises SecretError, RefusedError.

    `hops` say where trunks lead by DNS; a trunk registers at its first.
    """
    registers = sum(trunk.register_ for trunk in plan.trunks)
    if registers > MOST_REGISTRATIONS:
        raise CallsimError(f"{registers} trunks register, and pjsua2 can at most {MOST_REGISTRATIONS}")
    first = {hop.trunk: hop for hop in reversed(hops)}
    identities = []
    for n, (name, trunk) in enumerate(zip(plan.trunk_names(), plan.trunks, strict=True)):
        identity = identity_of(name, trunk, folder, first.get(n))
        if identity.register:
            guard.register(trunk.uri, identity.target).spend(Method.REGISTER)
        identities.append(identity)
    return Endpoint(
        host=_bind(plan, hops),
        transports=_transports(plan.trunks, hops),
        codecs=plan.codecs,
        rtp_ports=(plan.rtp_ports.first, plan.rtp_ports.count) if plan.rtp_ports else None,
        identities=tuple(identities),
        tls=Tls(str(folder / plan.ca_file) if plan.ca_file else system_certificates()),
    )


def addresses_of(plan: Plan, guard: Guard) -> Addresses:
    """Make what says where the plan's trunks lead."""
    trunks = [(name, trunk.uri) for name, trunk in zip(plan.trunk_names(), plan.trunks, strict=True)]
    return Addresses(trunks, guard, Resolver(plan.nameservers))


def system_certificates() -> str | None:
    """Find the file of certificates that this machine trusts; None: there is none, and none is trusted.

    The library takes a file, not a folder, and by itself knows of neither.
    """
    files = (ssl.get_default_verify_paths().cafile, *CERTIFICATES)
    return next((file for file in files if file and Path(file).is_file()), None)


def address_counts(plan: Plan) -> dict[str, int]:
    """How many addresses each trunk has, by DNS where it is written as a name."""
    hops, _ = asyncio.run(addresses_of(plan, guard_of(plan, None)).hops())
    return dict(Counter(hop.name for hop in hops))


def _transports(trunks: Sequence[Trunk], hops: Sequence[Hop]) -> tuple[str, ...]:
    """Give the transports of the plan, and those that DNS asks for."""
    found = [re.search(r";transport=(\w+)", trunk.uri) for trunk in trunks]
    written = [match[1] if match else "udp" for match in found]
    return tuple(dict.fromkeys([*written, *(hop.target.transport for hop in hops if hop.target)]))


def _bind(plan: Plan, hops: Sequence[Hop]) -> str:
    """Address to bind to: that of the plan, loopback for trunks there, else any of the family."""
    if plan.bind is not None:
        return plan.bind
    found = {hop.trunk: hop.target.address for hop in hops if hop.target}
    hosts = {found.get(n, host_of(trunk.uri)) for n, trunk in enumerate(plan.trunks)}
    local = {LOOPBACK.get(host, LOOPBACK.get(host.partition(".")[0])) for host in hosts}
    if len(local) == 1 and (only := local.pop()) is not None:
        return only
    literal = {host.startswith("[") for host in hosts if host.startswith("[") or host[-1].isdigit()}
    if literal == {True, False}:
        raise CallsimError("trunks at IPv4 and at IPv6 addresses cannot be in one plan; make two")
    return "::" if literal == {True} else ""
