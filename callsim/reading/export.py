"""Writes records row by row as CSV, JSON or Parquet, however many there are."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO, Union, get_args, get_origin, get_type_hints

from callsim.errors import CallsimError, WriteError
from callsim.writing import writing

Format = Literal["csv", "parquet", "json"]
Row = Mapping[str, Any]
FORMATS = get_args(Format)
BLOCK = 10_000
"""Rows that are held at a time."""
STDOUT = "-"


def columns_of(kind: type[Any]) -> dict[str, str]:
    """Give the columns of a dataclass: `text`, `whole`, `number`, `yes`, `time` or `json` of each."""
    hints = get_type_hints(kind)
    return {field.name: _kind(field.name, hints[field.name]) for field in fields(kind)}


def rows_of(entries: Iterable[Any], columns: Iterable[str]) -> Iterator[Row]:
    """Give the rows of dataclasses."""
    names = list(columns)
    return ({name: getattr(entry, name) for name in names} for entry in entries)


def write(rows: Iterable[Row], columns: Mapping[str, str], to: Format, out: str) -> int:
    """Write rows whole or not at all (stdout, `-`, as far as it comes); how many there were.

    Raises WriteError, or CallsimError where Parquet cannot be written.
    """
    if to == "parquet":
        if out == STDOUT:
            raise CallsimError("Parquet is not written to a terminal or a pipe; give --out FILE")
        if find_spec("pyarrow") is None:
            raise CallsimError("--to parquet needs pyarrow: pip install 'callsim[parquet]'")
        with _draft(out) as path:
            return _write_parquet(rows, columns, path)
    writer = _write_csv if to == "csv" else _write_json
    if out == STDOUT:
        return writer(rows, columns, sys.stdout)
    with _draft(out) as path, path.open("w", newline="", encoding="utf-8") as file:
        return writer(rows, columns, file)


@contextmanager
def _draft(out: str) -> Iterator[Path]:
    """Give a file under a temporary name, which gets its own at the end."""
    target = Path(out)
    if target.is_dir():
        raise WriteError(f"{out}: cannot be written: is a directory")
    path = target.with_name(f".{target.name}.{os.getpid()}")
    with writing(target):
        try:
            yield path
            path.replace(target)
        finally:
            path.unlink(missing_ok=True)


def _kind(name: str, hint: Any) -> str:  # noqa: ANN401 - a type
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    (plain,) = (option for option in options if option is not type(None))
    if plain is float:
        return (
            "time"
            if name == "at" or name.endswith("_at") or name.startswith(("began", "ended"))
            else "number"
        )
    known = {bool: "yes", int: "whole", str: "text"}
    return "text" if get_origin(plain) is Literal else known.get(plain, "json")


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_csv(rows: Iterable[Row], columns: Mapping[str, str], file: TextIO) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_cell(row[name], kind) for name, kind in columns.items()])
        count += 1
    return count


def _cell(value: Any, kind: str) -> Any:  # noqa: ANN401 - any value
    if value is None:
        return ""
    if kind == "time":
        return _iso(value)
    if kind == "yes":
        return "yes" if value else "no"
    return _json(value) if kind == "json" else value


def _write_json(rows: Iterable[Row], columns: Mapping[str, str], file: TextIO) -> int:
    """Write an array with one object a line."""
    count = 0
    for row in rows:
        told = {
            name: _iso(row[name]) if kind == "time" and row[name] is not None else row[name]
            for name, kind in columns.items()
        }
        file.write(("[\n" if count == 0 else ",\n") + _json(told))
        count += 1
    file.write("\n]\n" if count else "[]\n")
    return count


def _json(value: Any) -> str:  # noqa: ANN401 - any value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _write_parquet(rows: Iterable[Row], columns: Mapping[str, str], path: Path) -> int:
    # An extra, which has no types.
    pa: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    types_ = {
        "text": pa.string(),
        "json": pa.string(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "yes": pa.bool_(),
        "time": pa.timestamp("ms", tz="UTC"),
    }
    schema = pa.schema([(name, types_[kind]) for name, kind in columns.items()])
    count, left = 0, iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while block := list(islice(left, BLOCK)):
            arrays = [pa.array(_values(block, name, kind), types_[kind]) for name, kind in columns.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(block)
    return count


def _values(block: Sequence[Row], name: str, kind: str) -> list[Any]:
    values = [row[name] for row in block]
    if kind == "time":
        return [None if value is None else round(value * 1000.0) for value in values]
    return [None if value is None else _json(value) for value in values] if kind == "json" else values
