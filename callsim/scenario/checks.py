"""Checks of one part of a scenario against another.

They read the plain values and pass over what is not as it should be, so that a mistake elsewhere hides
nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from callsim.scenario.paths import find, get, item_name, write_path
from callsim.scenario.support import KEYS
from callsim.scenario.voice_checks import check_voice, segment_names
from documents.words import Path, Trouble, unknown

_REPAIRS = (
    "platform.sites.*.failures.*.repair",
    "platform.groups.*.failures.*.repair",
    "carriers.*.failures.*.repair",
    "shared_risks.*.repair",
    "path.*.failures.*.repair",
    "customers.*.path.*.failures.*.repair",
)
_REFERENCES: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (tuple(f"{repair}.crew" for repair in _REPAIRS), "crew", ("platform.crews",)),
    (tuple(f"{repair}.spare" for repair in _REPAIRS), "spare", ("platform.spares",)),
    (("platform.changes.*.takes",), "group", ("platform.groups",)),
    (
        ("shared_risks.*.takes.*",),
        "carrier, site or group",
        ("carriers", "platform.sites", "platform.groups"),
    ),
    (("routing.routes.*", "routing.routes.*.carrier"), "carrier", ("carriers",)),
    (("numbers.*.home", "numbers.*.forwards.to"), "carrier", ("carriers",)),
    (("platform.devices.registered_at",), "group", ("platform.groups",)),
)
"""Where names are used, what they name, and the lists that have them."""

_CAUSES = ("platform.sites", "platform.groups", "platform.changes", "carriers", "shared_risks")
"""Lists whose names stand side by side in results."""


def check_parts(data: Any) -> Iterator[Trouble]:  # noqa: ANN401 - plain values
    """Everything in `data` that does not fit with the rest of it."""
    checks: tuple[Callable[[Any], Iterator[Trouble]], ...] = (
        _sections,
        _references,
        _site_names,
        _priorities,
        _customers,
        _unique,
        _unused,
        _works_when,
        _shared_risks,
        _trunks,
        _routing,
        check_voice,
    )
    return chain.from_iterable(check(data) for check in checks)


def _names(data: Any, *lists: str) -> list[str]:  # noqa: ANN401
    """Names of the items of these lists."""
    return [name for pattern in lists for _, name in find(data, f"{pattern}.*.name") if isinstance(name, str)]


def _sections(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    if "platform" not in data and not data.get("carriers"):
        yield (), "nothing that can fail; write `platform` with groups, or `carriers`, or both"
    if data.get("carriers"):
        for key, why in (("traffic", "how many calls there are"), ("routing", "which carrier gets a call")):
            if key not in data:
                yield (key,), f"missing; with `carriers` it says {why}"
    elif "routing" in data:
        yield ("routing",), "does nothing without `carriers`; write them, or leave it out"


def _references(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    for patterns, what, lists in _REFERENCES:
        known = _names(data, *lists)
        for path, name in chain.from_iterable(find(data, pattern) for pattern in patterns):
            if isinstance(name, str) and name not in known:
                yield path, unknown(what, name, known)


def _site_names(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    known = _names(data, "platform.sites")
    for path, _ in find(data, "platform.groups.*.units.*"):
        if path[-1] not in known:
            yield path, unknown("site", str(path[-1]), known)


def _priorities(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    known = [str(path[-1]) for path, _ in find(data, "support.*") if path[-1] not in KEYS]
    for path, name in find(data, "support.priority.*"):
        if isinstance(name, str) and name not in known:
            yield path, unknown("priority", name, known)
    staged = ("time", "crew", "spare")
    promised = any(key in data for key in ("sla", "customers")) or get(data, ("support", "requests"))
    if (
        "support" in data
        and not promised
        and not any(
            isinstance(repair, dict)
            and any(key in repair for key in staged)
            and repair.get("automatic") is not True
            for pattern in _REPAIRS
            for _, repair in find(data, pattern)
        )
    ):
        yield (
            ("support",),
            "does nothing; nothing is promised, and no repair is in stages, like `repair: {time: 2h}`",
        )


def _customers(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    customers = [(path, item) for path, item in find(data, "customers.*") if isinstance(item, dict)]
    without = [path for path, item in customers if "sla" not in item]
    if "sla" not in data:
        for path in without:
            yield (*path, "sla"), "missing; write their `sla: FILE`, or one for all beside `customers`"
    elif customers and not without:
        yield ("sla",), "does nothing; every customer has terms of their own"


def _unique(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    for lists in (_CAUSES, ("platform.crews",), ("platform.spares",), ("customers",)):
        named = chain.from_iterable(find(data, f"{pattern}.*.name") for pattern in lists)
        segments = [(path, name) for name, path in segment_names(data).items()] if lists is _CAUSES else []
        yield from _repeated(data, chain(segments, named), "give each its own name")
    yield from _repeated(data, find(data, "numbers.*.block"), "give each its own name")
    for pattern in (
        "carriers.*.trunks",
        "shared_risks.*.takes",
        "routing.routes",
        "routing.advance_on",
        "service.failing",
    ):
        for path, items in find(data, pattern):
            listed = [item.get("carrier") if isinstance(item, dict) else item for item in _list(items)]
            yield from _repeated(data, _numbered(path, listed), "list it once")
    for pattern, key in (
        ("platform.sites.*.failures", "mode"),
        ("platform.groups.*.failures", "mode"),
        ("carriers.*.failures", "name"),
        ("path.*.failures", "mode"),
        ("customers.*.path.*.failures", "mode"),
    ):
        for path, items in find(data, pattern):
            called = _numbered(path, map(item_name, _list(items)))
            yield from _repeated(data, called, f"give each its own `{key}`")


def _list(items: object) -> list[Any]:
    return items if isinstance(items, list) else []


def _numbered(path: Path, items: Iterable[object]) -> Iterator[tuple[Path, object]]:
    return (((*path, index), item) for index, item in enumerate(items))


def _repeated(data: Any, found: Iterable[tuple[Path, object]], right: str) -> Iterator[Trouble]:  # noqa: ANN401
    seen: dict[object, Path] = {}
    for path, value in found:
        if isinstance(value, str | int) and seen.setdefault(value, path) != path:
            yield path, f"'{value}' stands at {write_path(data, seen[value])} too; {right}"


def _unused(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    for key in ("crew", "spare"):
        used = [name for repair in _REPAIRS for _, name in find(data, f"{repair}.{key}")]
        known = _names(data, f"platform.{key}s")
        misspelt = any(name not in known for name in used)
        for path, name in find(data, f"platform.{key}s.*.name"):
            if isinstance(name, str) and name not in used and not misspelt:
                yield path, f"does nothing; no repair has `{key}: {name}`"


def _works_when(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    groups = {
        item["name"]: item
        for item in _list(get(data, ("platform", "groups")))
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    }
    top = get(data, ("platform", "works_when"))
    if top is None:
        return
    named: set[str] = set()
    left: list[tuple[Path, Any]] = [(("platform", "works_when"), top)]
    while left:
        path, node = left.pop()
        if isinstance(node, str):
            named.add(node)
            if node not in groups:
                yield path, unknown("group", node, groups)
        elif isinstance(node, list):
            left += [((*path, index), item) for index, item in enumerate(node)]
        elif isinstance(node, dict):
            left += [
                ((*path, key), item) for key, item in node.items() if key in ("all", "any", "of", "units_of")
            ]
            yield from _enough_units(path, node, groups)
    for name in groups if named else ():
        if name not in named:
            yield ("platform", "works_when"), f"the group '{name}' is not in it; add it, or delete the group"


def _enough_units(path: Path, node: dict[str, Any], groups: dict[str, Any]) -> Iterator[Trouble]:
    total = 0
    for name in _list(node.get("units_of")) or [None]:
        units = groups.get(name, {}).get("units") if isinstance(name, str) else None
        for count in units.values() if isinstance(units, dict) else [units]:
            if not isinstance(count, int):
                return
            total += count
    needed = node.get("at_least")
    if isinstance(needed, int) and needed > total:
        yield (*path, "at_least"), f"{needed} of {total} units; it has to be at most {total}"


def _shared_risks(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    carriers = _names(data, "carriers")
    for path, risk in find(data, "shared_risks.*"):
        takes = get(risk, ("takes",))
        if not isinstance(takes, list):
            continue
        mode = risk.get("mode", "outage")
        taken = [name for name in takes if name in carriers]
        if taken and mode == "outage":
            yield (
                (*path, "mode"),
                f"missing; say how {taken[0]} fails: silent, trying_only, refuses or one_way_audio",
            )
        if not taken and takes and mode != "outage" and isinstance(mode, str):
            yield (*path, "mode"), "does nothing; `takes` has no carrier, so leave it out"


def _trunks(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    for path, trunk in find(data, "carriers.*.failures.*.trunk"):
        trunks = get(data, (*path[:2], "trunks"))
        if isinstance(trunks, list) and isinstance(trunk, int) and trunk > len(trunks):
            yield path, f"there is no trunk {trunk}; the carrier has {len(trunks)}"


def _routing(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    order = get(data, ("routing", "order"))
    if isinstance(order, str) and order != "weighted":
        for path, _ in find(data, "routing.routes.*.weight"):
            yield path, "does nothing; `order` is not weighted"
    weights = [weight for _, weight in find(data, "routing.routes.*.weight")]
    if weights and not any(weights) and len(weights) == len(data["routing"]["routes"]):
        yield ("routing", "routes"), "all weights are 0; give one of them more"
    if order == "least_cost":
        for path, carrier in find(data, "carriers.*"):
            if isinstance(carrier, dict) and "cost_per_minute" not in carrier:
                yield (
                    (*path, "cost_per_minute"),
                    "missing; `order` is least_cost, so write `cost_per_minute: 0.01`",
                )
