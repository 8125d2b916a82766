"""Files that a scenario names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from callsim.scenario.tree import Unreadable, parse, read_file

NAMING = ("sla", "extends", "empirical", "file")
"""Keys whose text is the name of a file, relative to the file that it stands in."""
YAML_FILES = (".yaml", ".yml")


def companions(file: Path) -> Iterator[Path]:
    """Give the files that `file` names, and those that these name, each once.

    Their paths are those of the files that name them, joined with what is written there.
    """
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        for name in _named(current):
            found = current.parent / name
            if found not in seen and found.is_file():
                seen.add(found)
                waiting.append(found)
                yield found


def _named(file: Path) -> Iterator[str]:
    if file.suffix not in YAML_FILES:
        return
    try:
        data = parse(read_file(file)).data
    except Unreadable:
        return
    yield from _names_in(data)


def _names_in(data: Any) -> Iterator[str]:  # noqa: ANN401 - plain values
    if isinstance(data, dict):
        for key, value in data.items():
            if key in NAMING and isinstance(value, str):
                yield value
            elif key == "include" and isinstance(value, list):
                yield from (item for item in value if isinstance(item, str))
                yield from _names_in([item for item in value if not isinstance(item, str)])
            else:
                yield from _names_in(value)
    elif isinstance(data, list):
        for item in data:
            yield from _names_in(item)
