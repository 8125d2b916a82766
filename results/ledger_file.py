"""Ledgers as JSON, from which they come back exactly as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carriers.laws import Empirical, Exponential, Fixed, Gamma, Law, Lognormal, Weibull
from results.ledger import Blame, CallVolumes, Cause, Kind, Ledger, OutageTable, Requests
from results.timeline import HOURS_PER_WEEK, Branch, Condition, Floats, Heard

FORMAT = 2
"""Version of the format."""
READS = (1, FORMAT)
"""Versions that can be read; the first knows nothing of how calls sound."""
INFINITE = "inf"
"""JSON has no infinity; what is not a number is null."""
LAWS: dict[str, type[Law]] = {
    law.__name__.lower(): law for law in (Exponential, Fixed, Lognormal, Gamma, Weibull, Empirical)
}

Json = dict[str, Any]


def ledger_text(ledger: Ledger) -> str:
    """Write a ledger as JSON."""
    data: Json = {
        "format": FORMAT,
        "holds": "ledger",
        "start": ledger.start,
        "end": ledger.end,
        "scopes": sorted(ledger.scopes),
        "known": sorted(ledger.known),
        "notifies": ledger.notifies,
        "users": ledger.users,
        "outages": _columns(ledger.outages)
        | {"cause_sets": [[str(cause) for cause in causes] for causes in ledger.outages.cause_sets]},
        "requests": None if ledger.requests is None else _columns(ledger.requests),
        "calls": None if ledger.calls is None else _calls(ledger.calls),
    }
    return json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n"


def parse_ledger(text: str) -> Ledger:
    """Read what `ledger_text` wrote; raises ValueError with one clause on anything else."""
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("holds") != "ledger":
        raise ValueError("not a ledger")
    if data.get("format") not in READS:
        known = " and ".join(map(str, READS))
        raise ValueError(f"format {data.get('format')} is not known; this version reads formats {known}")
    try:
        requests, calls = data["requests"], data["calls"]
        return Ledger(
            start=data["start"],
            end=data["end"],
            outages=_outages(data["outages"]),
            scopes=frozenset(data["scopes"]),
            known=frozenset(data["known"]),
            users=data["users"],
            requests=None if requests is None else _requests(requests),
            calls=None if calls is None else _call_volumes(calls),
            notifies=data["notifies"],
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a whole ledger: {type(error).__name__}: {error}") from None


def read_ledger(path: Path | str) -> Ledger:
    """Read a file of one; raises ValueError with the file's name, or OSError."""
    try:
        return parse_ledger(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


# ---- written


def _columns(table: OutageTable | Requests) -> Json:
    """Write the columns of a table; what is not a column is written as it is."""
    values = ((field.name, getattr(table, field.name)) for field in fields(table))
    return {
        name: _column(value) if isinstance(value, np.ndarray) else list(value)
        for name, value in values
        if name != "cause_sets"
    }


def _column(values: NDArray[Any]) -> list[float | int | str | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | int | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else INFINITE


def _weekly(values: Floats) -> Any:  # noqa: ANN401 - JSON
    """Write 168 values, or the one that all of them are; few different ones with what each hour's is."""
    different, at = np.unique(values, return_inverse=True)
    if len(different) == 1:
        return float(different[0])
    if 2 * len(different) > HOURS_PER_WEEK:
        return values.tolist()
    return {"values": different.tolist(), "at": at.tolist()}


def _calls(calls: CallVolumes) -> Json:
    return {
        "timezone": calls.timezone,
        "calls_per_hour": _weekly(calls.calls_per_hour),
        "start": _column(calls.start),
        "end": _column(calls.end),
        "condition": _column(calls.condition),
        "conditions": [_condition(condition) for condition in calls.conditions],
        "seed": list(calls.seed),
        "blames": {name: blame.value for name, blame in calls.blames.items()},
    }


def _condition(condition: Condition) -> Json:
    both = condition.directions
    return {
        "label": condition.label,
        "failing": _weekly(condition.failing),
        "branches": [_branch(branch) for branch in condition.branches],
        "unconnected": None if condition.unconnected is None else _weekly(condition.unconnected),
        "blocked": None if condition.blocked is None else _weekly(condition.blocked),
        "directions": None if both is None else [_weekly(direction) for direction in both],
    }


def _branch(branch: Branch) -> Json:
    delay = branch.delay
    return {
        "carrier": branch.carrier,
        "attempts": branch.attempts,
        "offset": branch.offset,
        "delay": None if delay is None else {type(delay).__name__.lower(): asdict(delay)},
        "limit": _number(branch.limit),
        "share": _weekly(branch.share),
        "inbound": branch.inbound,
        "heard": None if branch.heard is None else branch.heard._asdict(),
        "carrier_fault": branch.carrier_fault,
    }


# ---- read


def _floats(values: list[Any]) -> Floats:
    read = [math.nan if value is None else math.inf if value == INFINITE else value for value in values]
    return np.array(read, dtype=np.float64)


def _cause(text: str) -> Cause:
    blame, _, detail = text.partition(":")
    return Cause(Blame(blame), detail)


def _outages(data: Mapping[str, Any]) -> OutageTable:
    whole = ("outage", "causes", "scope")
    other = ("cause_sets", "scopes")
    names = [field.name for field in fields(OutageTable) if field.name not in other]
    columns: dict[str, Any] = {
        name: np.array(data[name], dtype=np.int32) if name in whole else _floats(data[name]) for name in names
    }
    return OutageTable(
        **columns,
        cause_sets=tuple(tuple(map(_cause, causes)) for causes in data["cause_sets"]),
        scopes=tuple(data["scopes"]),
    )


def _requests(data: Mapping[str, Any]) -> Requests:
    return Requests(
        kind=np.array(data["kind"], dtype=np.int32),
        priority=np.array(data["priority"], dtype=np.int32),
        opened=_floats(data["opened"]),
        responded=_floats(data["responded"]),
        resolved=_floats(data["resolved"]),
        waiting=_floats(data["waiting"]),
        priorities=tuple(data["priorities"]),
        kinds=tuple(map(Kind, data["kinds"])),
    )


def _hours(value: Any) -> Floats:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return np.array(value["values"], dtype=np.float64)[value["at"]]
    return np.array(value if isinstance(value, list) else [value] * HOURS_PER_WEEK, dtype=np.float64)


def _call_volumes(data: Mapping[str, Any]) -> CallVolumes:
    return CallVolumes(
        timezone=data["timezone"],
        calls_per_hour=_hours(data["calls_per_hour"]),
        start=_floats(data["start"]),
        end=_floats(data["end"]),
        condition=np.array(data["condition"], dtype=np.int32),
        conditions=tuple(map(_read_condition, data["conditions"])),
        seed=tuple(data["seed"]),
        blames={name: Blame(blame) for name, blame in data.get("blames", {}).items()},
    )


def _read_condition(data: Mapping[str, Any]) -> Condition:
    unconnected, blocked, both = (data.get(key) for key in ("unconnected", "blocked", "directions"))
    return Condition(
        label=data["label"],
        failing=_hours(data["failing"]),
        branches=tuple(map(_read_branch, data["branches"])),
        unconnected=None if unconnected is None else _hours(unconnected),
        blocked=None if blocked is None else _hours(blocked),
        directions=None if both is None else (_hours(both[0]), _hours(both[1])),
    )


def _read_branch(data: Mapping[str, Any]) -> Branch:
    delay, heard = data["delay"], data.get("heard")
    return Branch(
        carrier=data["carrier"],
        attempts=data["attempts"],
        offset=data["offset"],
        delay=None if delay is None else _law(delay),
        limit=float(_floats([data["limit"]])[0]),
        share=_hours(data["share"]),
        inbound=data.get("inbound", False),
        heard=None if heard is None else Heard(**heard),
        carrier_fault=data.get("carrier_fault", ""),
    )


def _law(data: Mapping[str, Any]) -> Law:
    ((name, written),) = data.items()
    figures: Json = {key: tuple(x) if isinstance(x, list) else x for key, x in written.items()}
    return LAWS[name](**figures)
