"""Scenario files, read and checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from callsim.errors import Problem, ScenarioError
from callsim.scenario.checks import check_parts
from callsim.scenario.model import Scenario
from callsim.scenario.paths import apply_overrides
from callsim.scenario.reading import read_tree, validated
from documents.values import Model


def load_scenario(path: Path | str, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario, with the values of `overrides` (`PATH=VALUE` each) in place of its own.

    Raises ScenarioError with everything that is wrong.
    """
    tree = read_tree(str(path), "scenario")
    overridden = apply_overrides(tree.data, overrides)
    return validated(tree, Scenario, check_parts(tree.data), overridden)


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
