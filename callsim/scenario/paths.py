"""Paths into a scenario, as people write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from callsim.errors import Problem, ScenarioError
from callsim.scenario.tree import Unreadable, parse
from documents.words import Path, nearest, show


def item_name(item: object) -> str | None:
    """Return what a list item is called: its `name`, else its `block` of numbers, else its `mode`."""
    if not isinstance(item, dict):
        return None
    name = item.get("name", item.get("block", item.get("mode")))
    return name if isinstance(name, str) and name and "." not in name else None


def write_path(data: Any, path: Path) -> str:  # noqa: ANN401 - plain values
    """Write a path; list items go by name where only one has it, else by index from 0."""
    words = []
    for step in path:
        name = None
        if isinstance(step, int) and isinstance(data, list) and step < len(data):
            name = item_name(data[step])
            if [item_name(item) for item in data].count(name) > 1:
                name = None
        words.append(str(step) if name is None else name)
        data = get(data, (step,))
    return ".".join(words)


def get(data: Any, path: Path) -> Any:  # noqa: ANN401 - plain values
    """Value at `path`, None where there is none."""
    for step in path:
        index = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if index or (isinstance(data, dict) and step in data):
            data = data[step]
        else:
            return None
    return data


def find(data: Any, pattern: str) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - plain values
    """Every value whose path matches `pattern`, in which `*` is any list item or key."""
    head, _, rest = pattern.partition(".")
    steps: Sequence[str | int] = ()
    if head == "*" and isinstance(data, list):
        steps = range(len(data))
    elif isinstance(data, dict):
        steps = list(data) if head == "*" else [head] * (head in data)
    for step in steps:
        value = get(data, (step,))
        if not rest:
            yield (step,), value
        else:
            for path, found in find(value, rest):
                yield (step, *path), found


def locate(data: Any, written: str) -> Path | None:  # noqa: ANN401 - plain values
    """Read a path as `write_path` writes it; None where it leads to nothing."""
    path: Path = ()
    for word in written.split("."):
        here = get(data, path)
        try:
            path = (*path, _index(here, word) if isinstance(here, list) else word)
        except Unreadable:
            return None
        if get(data, path) is None:
            return None
    return path


def apply_overrides(data: Any, overrides: Sequence[str]) -> list[Path]:  # noqa: ANN401 - plain values
    """Put the values of `PATH=VALUE` texts into `data`, and return their paths.

    List items go by name (failures by mode) or by index from 0; values are YAML; keys on the way that
    are not there yet are made. Raises ScenarioError with everything that cannot be put in.
    """
    problems: list[Problem] = []
    paths: list[Path] = []
    for override in overrides:
        place, _, text = override.partition("=")
        try:
            paths.append(_put(data, place.strip().split("."), _value(text)))
        except Unreadable as error:
            problems.append(Problem("--set", None, place, str(error)))
    if problems:
        raise ScenarioError(problems)
    return paths


def _value(text: str) -> Any:  # noqa: ANN401 - plain values
    tree = parse(text)
    if tree.troubles:
        raise Unreadable(tree.troubles[0][2])
    if tree.data is None:
        raise Unreadable("no value; write PATH=VALUE, like carriers.boreal.channels=80")
    return tree.data


def _put(data: Any, words: list[str], value: Any) -> Path:  # noqa: ANN401 - plain values
    if not all(words):
        raise Unreadable("not a path; write PATH=VALUE, like carriers.boreal.channels=80")
    path: list[str | int] = []
    for position, word in enumerate(words):
        if not isinstance(data, dict | list):
            raise Unreadable(f"{'.'.join(words[:position])} is {show(data)}, which has no '{word}'")
        step: Any = _index(data, word) if isinstance(data, list) else word
        path.append(step)
        if position == len(words) - 1:
            data[step] = value
        else:
            data = data.setdefault(step, {}) if isinstance(data, dict) else data[step]
    return tuple(path)


def _index(items: list[Any], word: str) -> int:
    names = [item_name(item) for item in items]
    if names.count(word) == 1:
        return names.index(word)
    if names.count(word) > 1:
        places = " or ".join(str(index) for index, name in enumerate(names) if name == word)
        raise Unreadable(f"several are called '{word}'; write {places}")
    if word.isdecimal() and int(word) < len(items):
        return int(word)
    known = [name for name in names if name]
    guess = nearest(word, known)
    there = ", ".join(known) if known else f"0 to {len(items) - 1}" if items else "nothing"
    raise Unreadable(
        f"no item is called '{word}'; " + (f"did you mean '{guess}'?" if guess else f"there is {there}")
    )
