"""Entries as rows of their tables."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from results.store.entries import KINDS, Entry, Trace
from results.store.tables import json_fields, text_fields

Row = dict[str, Any]
AnyEntry = TypeVar("AnyEntry", bound=Entry)
NAMED: dict[str, type[Entry]] = {kind.TABLE: kind for kind in KINDS}
"""Kinds of entries by the name of their table."""
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL's or UTF-8 text cannot have; a far end may send it."""


def row_of(entry: Entry) -> Row:
    """Make an entry's row; JSON as text, traces compressed, characters that no text can have replaced."""
    return {name: put(getattr(entry, name)) for name, put in _PLANS[type(entry)]}


def entry_of(kind: type[AnyEntry], row: Mapping[Any, Any]) -> AnyEntry:
    """Read an entry back from its row."""
    values = dict(row)
    for name in _AS_JSON[kind]:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    if kind is Trace:
        values["sip"] = unpacked(values["sip"])
    return kind(**values)


def packed(sip: str) -> bytes:
    """Compress a trace."""
    return zlib.compress(_storable(sip).encode(), 6)


def unpacked(data: bytes) -> str:
    """Read a compressed trace."""
    return zlib.decompress(data).decode()


def json_text(value: object) -> str | None:
    """Write JSON in one line, what has no JSON as text; None stays None."""
    if value is None:
        return None
    # Escaped, so that nothing in it is unstorable; \u0000 is text of ours, not a character.
    return json.dumps(value, separators=(",", ":"), default=str)


def line_of(entry: Entry) -> str:
    """Write an entry as one line of JSON that `entry_from` reads."""
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    return json.dumps({"table": entry.TABLE, **values}, separators=(",", ":"), default=str)


def entry_from(line: str) -> Entry:
    """Read an entry from its line; raises ValueError where it is none."""
    try:
        values = json.loads(line)
        return NAMED[values.pop("table")](**values)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an entry: {error}") from None


def _storable(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text) if UNSTORABLE.search(text) else text


def _text(value: str | None) -> str | None:
    return None if value is None else _storable(str(value))


def _plan(kind: type[Entry]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Say how each field of a kind is put into its row."""
    as_json, texts = json_fields(kind), text_fields(kind)

    def put(name: str) -> Callable[[Any], Any]:
        if name in as_json:
            return json_text
        if (kind, name) == (Trace, "sip"):
            return packed
        return _text if name in texts else _finite

    return tuple((field.name, put(field.name)) for field in fields(kind))


def _finite(value: float | None) -> float | None:
    """Take what is no number for not known; a sum over it would be lost."""
    return None if value is None or not math.isfinite(value) else value


_PLANS = {kind: _plan(kind) for kind in KINDS}
_AS_JSON = {kind: json_fields(kind) for kind in KINDS}
