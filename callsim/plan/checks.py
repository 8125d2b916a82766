"""Checks of one part of a plan against another, on its plain values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path as File
from typing import Any

from callsim.plan.model import OUTSIDE, ROUTE
from callsim.scenario.checks import check_parts
from callsim.scenario.paths import find, get, write_path
from documents.words import Path, Trouble, unknown


def check_parts_of_plan(data: Any, folder: File) -> Iterator[Trouble]:  # noqa: ANN401 - plain values
    """Everything in `data` that does not fit with the rest of it, or with the files in `folder`."""
    return chain(
        _names(data),
        _unreachable(data),
        _routing(data),
        _unique(data),
        _costs(data),
        _files(data, folder),
    )


def _carriers(data: Any) -> list[str]:  # noqa: ANN401
    return [name for _, name in find(data, "trunks.*.carrier") if isinstance(name, str)]


def trunk_names(data: Any) -> list[str]:  # noqa: ANN401 - plain values
    """Names that may be used for trunks: carriers, and each trunk's own."""
    carriers = _carriers(data)
    return [
        *dict.fromkeys(carriers),
        *(f"{name}/{carriers[: n + 1].count(name)}" for n, name in enumerate(carriers)),
    ]


def _names(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    known = trunk_names(data)
    used = ("tests.*.over", "tests.*.over.*", "tests.*.at", "tests.*.from")
    for path, name in chain.from_iterable(find(data, pattern) for pattern in used):
        if not isinstance(name, str) or name in known:
            continue
        if name == OUTSIDE and path[-1] == "from":
            continue
        if name == ROUTE and "over" in path:
            if "routing" not in data:
                yield path, "there is no `routing`; write it, or name trunks"
            continue
        yield path, unknown("trunk", name, [*known, ROUTE] if "over" in path else known)


def _unreachable(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    """Find inbound tests on trunks over which no call finds us: our ports are not the same each time."""
    names = trunk_names(data)
    carriers = _carriers(data)
    trunks = data["trunks"] if isinstance(data.get("trunks"), list) else []
    if len(trunks) != len(carriers):
        return
    owns = names[len(names) - len(carriers) :]
    for path, at in find(data, "tests.*.at"):
        places = [n for n, own in enumerate(owns) if at in (own, carriers[n])]
        if places and trunks[places[0]].get("register") is not True:
            yield (
                path,
                f"{at} does not register, so no call finds us there; write `register: true` on the trunk",
            )


def _routing(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    """Check the routing as a scenario with these carriers would."""
    if "routing" not in data:
        return
    carriers = [{"name": name, "trunks": []} for name in dict.fromkeys(_carriers(data))]
    seen = {"carriers": carriers, "traffic": {}, "routing": data["routing"]}
    yield from (trouble for trouble in check_parts(seen) if trouble[0][:1] == ("routing",))
    if get(data, ("routing", "order")) == "least_cost":
        why = "missing; `order` is least_cost, so write `cost_per_minute: 0.01`"
        yield from ((path, why) for path in _free(data))


def _costs(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    if get(data, ("guard", "spend_per_day")) is not None:
        why = "missing; `guard.spend_per_day` cannot hold without it"
        yield from ((path, why) for path in _free(data))
    if "short_call" in _mapping(data, "guard") and "short_calls_at_most" not in data["guard"]:
        yield ("guard", "short_call"), "does nothing without `short_calls_at_most`"
    for path, trunk in find(data, "trunks.*"):
        if isinstance(trunk, dict) and ("username" in trunk) != ("password" in trunk):
            missing = "password" if "username" in trunk else "username"
            yield (*path, missing), f"missing; write `{missing}: env:NAME`"


def _mapping(data: Any, key: str) -> dict[str, Any]:  # noqa: ANN401
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _free(data: Any) -> Iterator[Path]:  # noqa: ANN401
    for path, trunk in find(data, "trunks.*"):
        if isinstance(trunk, dict) and "cost_per_minute" not in trunk:
            yield (*path, "cost_per_minute")


def _unique(data: Any) -> Iterator[Trouble]:  # noqa: ANN401
    for patterns, right in (
        ("tests.*.name", "give each its own name"),
        ("trunks.*.uri", "list it once"),
        ("codecs.*", "list it once"),
    ):
        seen: dict[str, Path] = {}
        for path, value in find(data, patterns):
            if isinstance(value, str) and seen.setdefault(value, path) != path:
                yield path, f"'{value}' stands at {write_path(data, seen[value])} too; {right}"


def _files(data: Any, folder: File) -> Iterator[Trouble]:  # noqa: ANN401
    for pattern in ("ca_file", "tests.*.audio.play", "tests.*.audio.hear"):
        for path, name in find(data, pattern):
            is_file = isinstance(name, str) and (pattern == "ca_file" or name.lower().endswith(".wav"))
            if is_file and not (folder / name).is_file():
                yield path, f"there is no file {folder / name}"
