"""YAML files read into models, with everything that is wrong told by file, line and path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path as File
from typing import Any, TypeVar

from pydantic import ValidationError

from callsim.errors import Problem, ScenarioError
from callsim.scenario.paths import get, write_path
from callsim.scenario.tree import Tree, Unreadable, parse, read_file
from callsim.scenario.wording import troubles_of
from documents.values import Model
from documents.words import Path, Trouble, show

M = TypeVar("M", bound=Model)

BEGINS = {"scenario": "name: five-nines", "terms file": "name: gold"}
"""Kinds of files, and how one begins."""
MARKS = {
    "scenario": {"traffic", "service", "platform", "simulation"},
    "plan": {"trunks", "tests", "guard"},
    "terms file": {"objectives", "credits"},
}
"""Keys that no other kind has."""


def read_tree(file: str, kind: str) -> Tree:
    """Read the mapping in a file; raises ScenarioError where it has none."""
    try:
        tree = parse(read_file(File(file), kind), file, kind)
    except Unreadable as error:
        raise ScenarioError([Problem(file, error.line, "", str(error))]) from None
    if not isinstance(tree.data, dict) or not tree.data:
        what = "empty" if tree.data is None or tree.data == {} else f"{show(tree.data)}, not a mapping"
        raise ScenarioError([Problem(file, None, "", f"{what}; a {kind} begins like `{BEGINS[kind]}`")])
    keys = tree.data.keys()
    if not MARKS.get(kind, keys) & keys:
        for other, marks in MARKS.items():
            if marks & keys:
                message = f"is a {other}, not a {kind}; a {kind} begins like `{BEGINS[kind]}`"
                raise ScenarioError([Problem(file, None, "", message)])
    return tree


def validated(
    tree: Tree,
    root: type[M],
    troubles: Iterable[Trouble] = (),
    overridden: Sequence[Path] = (),
) -> M:
    """Make the model of a tree; raises ScenarioError with its own troubles, `troubles` and the model's.

    `overridden` are paths whose values come from the command line.
    """
    found = list(troubles)
    model = None
    try:
        model = root.model_validate(tree.data, context={"folder": File(tree.file).parent})
    except ValidationError as error:
        found += troubles_of(error, tree.data, root)
    problems = _problems(tree, found, overridden)
    if problems or model is None:
        raise ScenarioError(problems)
    return model


def _problems(tree: Tree, troubles: Iterable[Trouble], overridden: Sequence[Path]) -> list[Problem]:
    data: Any = tree.data
    problems = [Problem(*place, write_path(data, path), text) for path, place, text in tree.troubles]
    for path, message in troubles:
        if any(path[: len(blank)] == blank and get(data, blank) is None for blank in tree.blanks):
            continue
        made = path not in tree.places
        if any(path[: len(given)] == given or (made and given[: len(path)] == path) for given in overridden):
            problems.append(Problem("--set", None, write_path(data, path), message))
        else:
            problems.append(Problem(*tree.place(path), write_path(data, path), message))
    return problems
