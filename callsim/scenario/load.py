"""Scenario files, read and checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from callsim.errors import Problem, ScenarioError
from callsim.scenario.checks import check_parts
from callsim.scenario.model import Scenario
from callsim.scenario.paths import apply_overrides, get, write_path
from callsim.scenario.tree import Tree, Unreadable, parse, read_file
from callsim.scenario.wording import troubles_of
from documents.values import Model
from documents.words import show


def load_scenario(path: Path | str, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario, with the values of `overrides` (`PATH=VALUE` each) in place of its own.

    Raises ScenarioError with everything that is wrong.
    """
    file = Path(path)
    try:
        tree = parse(read_file(file))
    except Unreadable as error:
        raise ScenarioError([Problem(str(path), error.line, "", str(error))]) from None
    if not isinstance(tree.data, dict) or not tree.data:
        what = "empty" if tree.data is None or tree.data == {} else f"{show(tree.data)}, not a mapping"
        raise ScenarioError(
            [Problem(str(path), None, "", f"{what}; a scenario begins like `name: five-nines`")]
        )
    overridden = apply_overrides(tree.data, overrides)
    scenario = None
    troubles = list(check_parts(tree.data))
    try:
        scenario = Scenario.model_validate(tree.data, context={"folder": file.parent})
    except ValidationError as error:
        troubles += troubles_of(error, tree.data)
    problems = _problems(str(path), tree, troubles, overridden)
    if problems or scenario is None:
        raise ScenarioError(problems)
    return scenario


def _problems(file: str, tree: Tree, troubles: Iterable[Any], overridden: Sequence[Any]) -> list[Problem]:
    problems = [Problem(file, line, write_path(tree.data, path), text) for path, line, text in tree.troubles]
    for path, message in troubles:
        if any(path[: len(blank)] == blank and get(tree.data, blank) is None for blank in tree.blanks):
            continue
        place = write_path(tree.data, path)
        made = path not in tree.lines
        if any(path[: len(given)] == given or (made and given[: len(path)] == path) for given in overridden):
            problems.append(Problem("--set", None, place, message))
        else:
            problems.append(Problem(file, tree.line(path), place, message))
    return problems


def check_files(paths: Iterable[Path | str]) -> list[Problem]:
    """Everything that is wrong in these files, file by file."""
    problems: list[Problem] = []
    for path in paths:
        try:
            load_scenario(path)
        except ScenarioError as error:
            problems += error.problems
    return problems


def scenario_hash(scenario: Scenario) -> str:
    """16 hexadecimal digits that change with the meaning: not with comments, order of keys, units or `title`.

    Defaults are left out, so that a scenario keeps its hash when the language grows.
    """
    meaning = {key: value for key, value in _meaning(scenario).items() if key != "title"}
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _meaning(value: Any) -> Any:  # noqa: ANN401 - any part of a scenario
    if isinstance(value, Model):
        given = ((name, getattr(value, name), field) for name, field in type(value).model_fields.items())
        return {
            name: _meaning(part)
            for name, part, field in given
            if field.is_required() or part != field.default
        }
    if is_dataclass(value):
        return [type(value).__name__, *(_meaning(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, tuple):
        return [_meaning(part) for part in value]
    if isinstance(value, dict):
        return {key: _meaning(part) for key, part in value.items()}
    return value if isinstance(value, str | int | float | None) else str(value)
