"""Terms as files inherit them: each level laid over the one above it."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

from callsim.errors import Problem, ScenarioError
from callsim.scenario.paths import get
from callsim.scenario.reading import read_tree
from callsim.scenario.tree import Tree
from documents.words import Path, show

LEVELS = ("corporate", "customer", "service")
"""From the highest to the lowest."""

_OWN = ("level", "extends")
"""Keys of one file, which the level below does not inherit."""
_ONE = ("name", "window", "scope", "priority", "requires")
_RULE = ("objective", *_ONE[1:])
_ITEMS: dict[Path, tuple[str, ...]] = {
    ("objectives",): _ONE,
    ("credits",): _RULE,
    ("bonus",): _RULE,
    ("excludes",): ("cause",),
}
"""Lists that merge, and the keys by which a lower item takes the place of a higher one."""
_TEXTS = (("duties",), ("unknown",), ("assumed",))
"""Lists that add up."""
_WHOLE = (("measured", "window"),)
"""Mappings of which only one key may be given: the lower one counts whole."""
_GOES_WITH = {
    ("measured", "by"): ("over", "down_above", "at_least", "partial"),
    ("claims", "automatic"): ("within", "ticket", "customers_who_claim"),
    ("chronic", "then"): ("credit",),
}
"""Keys beside a key that lose their meaning where the lower level gives it another value."""


def read_terms(file: str) -> Tree:
    """Read terms laid over those that they extend; raises ScenarioError where there is nothing to lay."""
    return _over_its_upper(read_tree(file, "terms file"), (File(file).resolve(),))


def _over_its_upper(tree: Tree, below: tuple[File, ...]) -> Tree:
    """Lay terms over what they extend; `below` are the files that lead here."""
    name = tree.data.get("extends")
    if not isinstance(name, str):
        return tree
    file = File(tree.file).parent / name
    try:
        upper = read_tree(str(file), "terms file")
    except ScenarioError as error:
        if error.problems[0].line is not None:
            raise
        raise _cannot(tree, f"{name}: {error.problems[0].message}") from None
    if file.resolve() in below:
        raise _cannot(tree, f"{name} is below these terms itself; a level extends a higher one")
    own, other = (part.data.get("level", LEVELS[-1]) for part in (tree, upper))
    if own in LEVELS and other not in LEVELS[: LEVELS.index(own)]:
        higher = " or ".join(LEVELS[: LEVELS.index(own)])
        right = f"write `level: {higher}` there" if higher else "leave it out"
        level = other if isinstance(other, str) else show(other)
        raise _cannot(tree, f"{name} is of level {level}, and this of level {own}; {right}")
    upper = _over_its_upper(upper, (*below, file.resolve()))
    merged = Tree(tree.file)
    copier = _Copier(merged)
    merged.data = copier.merge(upper, tree, ())
    copier.tell(upper)
    copier.tell(tree)
    return merged


def _cannot(tree: Tree, message: str) -> ScenarioError:
    return ScenarioError([Problem(*tree.place(("extends",)), "extends", message)])


class _Copier:
    """Copies parts of trees into one, with the places that they come from."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.moved: dict[tuple[int, Path], Path] = {}

    def copy(self, source: Tree, at: Path, to: Path) -> Any:  # noqa: ANN401 - plain values
        """Value of `source` at `at`, its places told below `to`."""
        value = get(source.data, at)
        self.moved[id(source), at] = to
        if at in source.places:
            self.tree.places[to] = source.places[at]
        if at in source.blanks:
            self.tree.blanks.add(to)
        if isinstance(value, dict):
            return {key: self.copy(source, (*at, key), (*to, key)) for key in value}
        if isinstance(value, list):
            return [self.copy(source, (*at, index), (*to, index)) for index in range(len(value))]
        return value

    def tell(self, source: Tree) -> None:
        """Take over what is wrong with the YAML of `source`, after its parts were copied."""
        for path, place, message in source.troubles:
            kept = path
            while (id(source), kept) not in self.moved:
                kept = kept[:-1]
            self.tree.troubles.append(((*self.moved[id(source), kept], *path[len(kept) :]), place, message))

    def merge(self, upper: Tree, lower: Tree, path: Path) -> Any:  # noqa: ANN401 - plain values
        """Value at `path`, which both have."""
        above, below = get(upper.data, path), get(lower.data, path)
        if isinstance(above, dict) and isinstance(below, dict) and path not in _WHOLE:
            return self._mapping(upper, lower, path)
        if isinstance(above, list) and isinstance(below, list) and (path in _ITEMS or path in _TEXTS):
            return self._list(upper, lower, path)
        return self.copy(lower, path, path)

    def _mapping(self, upper: Tree, lower: Tree, path: Path) -> dict[str, Any]:
        above, below = get(upper.data, path), get(lower.data, path)
        self.moved[id(lower), path] = self.moved[id(upper), path] = path
        self.tree.places[path] = lower.place(path)
        lost = set(_OWN) if path == () else set()
        for (*parent, key), others in _GOES_WITH.items():
            if path == tuple(parent) and key in below and below[key] != above.get(key):
                lost.update(others)
        merged: dict[str, Any] = {}
        for key in above | below:
            at = (*path, key)
            if key in below and key in above:
                merged[key] = self.merge(upper, lower, at)
            elif key in below:
                merged[key] = self.copy(lower, at, at)
            elif key not in lost:
                merged[key] = self.copy(upper, at, at)
        return merged

    def _list(self, upper: Tree, lower: Tree, path: Path) -> list[Any]:
        self.moved[id(lower), path] = self.moved[id(upper), path] = path
        self.tree.places[path] = lower.place(path)
        taken = [_identity(path, item) for item in get(lower.data, path)]
        parts = [
            (upper, n)
            for n, item in enumerate(get(upper.data, path))
            if _identity(path, item) not in taken or item is None
        ]
        parts += [(lower, n) for n in range(len(taken))]
        return [self.copy(source, (*path, n), (*path, to)) for to, (source, n) in enumerate(parts)]


def _identity(path: Path, item: object) -> object:
    """Say what makes an item the same as one of another level."""
    if path in _TEXTS or not isinstance(item, dict):
        return item
    return [item.get(key) for key in _ITEMS[path]]
