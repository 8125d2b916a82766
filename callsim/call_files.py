"""Files of calls that were placed, one row a call."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from callsim.errors import CallsimError
from callsim.records import timestamps
from carriers.calendars import Zone
from results.calls import CallColumns
from results.timeline import Floats

COLUMNS = (
    "call",
    "offered_at",
    "direction",
    "set_up_at",
    "post_dial_delay_s",
    "carrier",
    "trunk",
    "attempts",
    "status",
    "blocked",
    "talk_s",
    "dropped",
    "mos",
    "scale",
    "one_way",
    "spoilt_by",
    "redial",
    "redial_of",
)
"""Instants are local time with its offset from UTC. A call without a value in a column has an empty cell.

`call` counts from 0 in each file, in order of `set_up_at`, which is when it rang or was given up;
`post_dial_delay_s` is the time from `offered_at` to that (empty for calls to us: their callers wait for it);
`carrier` and `trunk` carried it (empty: it did not connect); `status` is the last SIP status, 0 without one;
`blocked` calls failed for want of a channel; `talk_s` is empty for calls still up at the end of the record;
`spoilt_by` names the fault, segment or codec behind a poor call; `redial` counts the caller's attempts
before, the last of which is the call `redial_of`.
"""
BLOCK = 100_000
"""Calls that are turned into text at once."""


def check_parquet() -> None:
    """Raise CallsimError where Parquet cannot be written."""
    if find_spec("pyarrow") is None:
        raise CallsimError("--parquet needs pyarrow: pip install 'callsim[parquet]'")


def write_calls(folder: Path, zone: Zone, number: int, calls: CallColumns, *, parquet: bool) -> Path:
    """Write the calls of one repetition as `stream-NUMBER.csv`, or `.parquet`; OSError where that fails."""
    folder.mkdir(exist_ok=True)
    if parquet:
        return _write_parquet(folder / f"stream-{number}.parquet", zone, calls)
    path = folder / f"stream-{number}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for first in range(0, len(calls), BLOCK):
            writer.writerows(_rows(zone, calls, slice(first, first + BLOCK)))
    return path


def _rows(zone: Zone, calls: CallColumns, block: slice) -> Iterator[tuple[object, ...]]:
    many = len(calls.offered[block])
    first = block.start or 0
    heard = calls.heard[block]
    sounds = [*calls.sounds]
    mos = [*("" if h.mos is None else f"{h.mos:.3f}" for h in sounds), ""]
    return zip(
        range(first, first + many),
        timestamps(zone, calls.offered[block]),
        _named(("outbound", "inbound"), calls.inbound[block]),
        timestamps(zone, calls.set_up[block]),
        _seconds(np.where(calls.inbound[block], np.nan, calls.delay[block])),
        _named((*calls.carriers, ""), calls.carrier[block]),
        _named((*calls.trunks, ""), calls.trunk[block]),
        calls.attempts[block].tolist(),
        calls.status[block].tolist(),
        _named(("no", "yes"), calls.blocked[block]),
        _seconds(calls.talk[block]),
        _named(("no", "yes"), calls.dropped[block]),
        _named(mos, heard),
        _named((*(h.scale for h in sounds), ""), heard),
        _named((*("yes" if h.one_way else "no" for h in sounds), ""), heard),
        _named((*(h.spoilt_by for h in sounds), ""), heard),
        calls.redial[block].tolist(),
        ["" if row < 0 else row for row in calls.previous[block].tolist()],
        strict=True,
    )


def _named(names: Sequence[str], which: np.ndarray[Any, Any]) -> list[str]:
    """Look names up by number; -1 is the last."""
    return [names[number] for number in which.tolist()]


def _seconds(values: Floats) -> list[object]:
    return ["" if value != value else value for value in np.round(values, 3).tolist()]  # noqa: PLR0124 - nan


def _write_parquet(path: Path, zone: Zone, calls: CallColumns) -> Path:
    # An extra, which has no types.
    pa: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")

    def instants(t: Floats) -> Any:  # noqa: ANN401 - pyarrow's
        milliseconds = np.rint((zone.origin + t) * 1000.0).astype(np.int64)
        return pa.array(milliseconds, pa.timestamp("ms", tz=zone.timezone))

    def named(names: Sequence[str | None], which: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401 - pyarrow's
        known = [name or None for name in names]
        distinct = sorted({name for name in known if name is not None})
        places = np.asarray([-1 if name is None else distinct.index(name) for name in known])[which]
        indices = pa.array(places.astype(np.int32), mask=places < 0)
        return pa.DictionaryArray.from_arrays(indices, pa.array(distinct, pa.string()))

    def where(values: np.ndarray[Any, Any], missing: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401 - pyarrow's
        return pa.array(values, mask=missing)

    sounds, unheard = calls.sounds, calls.heard < 0
    columns = (
        pa.array(np.arange(len(calls))),
        instants(calls.offered),
        named(("outbound", "inbound"), calls.inbound.astype(np.intp)),
        instants(calls.set_up),
        where(calls.delay, calls.inbound),
        named((*calls.carriers, None), calls.carrier),
        named((*calls.trunks, None), calls.trunk),
        pa.array(calls.attempts),
        pa.array(calls.status),
        pa.array(calls.blocked),
        where(calls.talk, np.isnan(calls.talk)),
        pa.array(calls.dropped),
        where(calls.mos, np.isnan(calls.mos)),
        named((*(heard.scale for heard in sounds), None), calls.heard),
        where(calls.one_way, unheard),
        named((*(heard.spoilt_by for heard in sounds), None), calls.heard),
        pa.array(calls.redial),
        where(calls.previous, calls.previous < 0),
    )
    parquet.write_table(pa.table(columns, names=COLUMNS), path)
    return path
