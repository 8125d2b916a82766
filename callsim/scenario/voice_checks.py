"""Checks of voice, inbound calls, devices against the rest of a scenario.

They read the plain values, as `checks` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from callsim.scenario.paths import find, get
from carriers import codecs
from documents.words import Path, Trouble, nearest, show

_VOICE = (
    "traffic.packet",
    "service.poor_below",
    "path",
    "carriers.*.quality",
    "routing.poor_calls",
    "customers.*.path",
)
"""What does nothing where nothing is known of how calls sound."""
_RATED = ("service.poor_below", "routing.poor_calls")
"""What does nothing where calls have no MOS."""

NOT_SEGMENTS = ("jitter_buffer",)
"""Keys of `path` that packets do not cross."""


def check_voice(data: Any) -> Iterator[Trouble]:  # noqa: ANN401 - plain values
    """Everything about voice, inbound calls, devices in `data` that does not fit with the rest of it."""
    checks = (_codec, _rated, _inbound, _forwards, _devices, _customers)
    return chain.from_iterable(check(data) for check in checks)


def segment_names(data: Any) -> dict[str, Path]:  # noqa: ANN401
    """Names of the path's segments, customers' own too, each with where it first stands."""
    names: dict[str, Path] = {}
    for path, _ in chain(find(data, "path.*"), find(data, "customers.*.path.*")):
        name = path[-1]
        if isinstance(name, str) and name not in NOT_SEGMENTS:
            names.setdefault(name, path)
    return names


def _poor_audio(data: Any) -> Iterator[tuple[Path, str]]:  # noqa: ANN401
    """Where `poor_audio` is written, and what it is there."""
    for pattern in ("service.failing.*", "carriers.*.failures.*.mode"):
        for path, mode in find(data, pattern):
            if mode == "poor_audio":
                yield path, pattern


def _codec(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    traffic = get(data, ("traffic",))
    if isinstance(traffic, dict) and any(nearest(key, ("codec",)) for key in traffic):
        # Misspelt or not, there is one.
        return
    right = "does nothing without `traffic.codec`; write `codec: G.711_with_PLC` there, or leave this out"
    for pattern in _VOICE:
        for path, _ in find(data, pattern):
            yield path, right
    for path, _ in _poor_audio(data):
        yield path, f"poor_audio {right}"


def _rated(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    name = get(data, ("traffic", "codec"))
    try:
        if not isinstance(name, str) or codecs.codec(name).ie is not None:
            return
    except KeyError:
        return
    why = f"does nothing; {name} has no published Ie, so its calls have no MOS"
    for pattern in _RATED:
        for path, _ in find(data, pattern):
            yield path, why
    for path, pattern in _poor_audio(data):
        if pattern.startswith("service"):
            yield path, f"poor_audio {why}"


def _inbound(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    inbound = get(data, ("traffic", "inbound"))
    blocks = get(data, ("numbers",))
    if inbound is not None and not blocks:
        right = "write for example `numbers: [{block: main, home: atlantic, share: 100%}]`"
        yield ("traffic", "inbound"), f"calls to us need `numbers`; {right}"
    if inbound is None:
        share = "without `traffic.inbound`; write for example `inbound: 40%` there, or leave this out"
        if blocks:
            yield ("numbers",), f"does nothing {share}"
        if get(data, ("platform", "devices")) is not None:
            yield ("platform", "devices"), f"does nothing {share}"


def _forwards(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    for path, to in find(data, "numbers.*.forwards.to"):
        if isinstance(to, str) and to == get(data, (*path[:2], "home")):
            yield path, f"'{to}' is their home; forward them to another carrier"


def _devices(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    devices = get(data, ("platform", "devices"))
    name = get(devices, ("registered_at",))
    at: Path = ("platform", "devices", "registered_at")
    for _, group in find(data, "platform.groups.*"):
        if not isinstance(group, dict) or group.get("name") != name or not isinstance(name, str):
            continue
        if group.get("standby", "active") == "active":
            yield at, f"'{name}' is active, so it has no failover; name a group with standby units"
        units = group.get("units")
        alone = isinstance(units, dict) and all(count == 1 for count in units.values())
        if alone and get(devices, ("kept",)) == "within_site":
            yield ("platform", "devices", "kept"), f"does nothing; no site has several units of '{name}'"


def _customers(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    everybody = get(data, ("traffic", "busy_hour_calls"))
    for path, customer in find(data, "customers.*"):
        if not isinstance(customer, dict):
            continue
        calls = customer.get("busy_hour_calls")
        shared = get(customer, ("path", "access", "bandwidth")) is not None
        if shared and calls is None:
            right = "it says how many calls are on their `access`, so write for example `busy_hour_calls: 60`"
            yield (*path, "busy_hour_calls"), f"missing; {right}"
        if calls is not None and not shared:
            right = "no `path.access` of their own has a `bandwidth`, so leave it out"
            yield (*path, "busy_hour_calls"), f"does nothing; {right}"
        if isinstance(calls, int | float) and isinstance(everybody, int | float) and calls > everybody:
            why = f"{show(calls)} of {show(everybody)} in all; it has to be at most `traffic.busy_hour_calls`"
            yield (*path, "busy_hour_calls"), why
