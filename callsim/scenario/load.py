"""Scenario files, read and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from callsim.errors import Problem, ScenarioError
from callsim.scenario.checks import check_parts
from callsim.scenario.including import drop_uncertain, is_carrier_file, put_included, read_carrier_file
from callsim.scenario.laws_in import misfit
from callsim.scenario.model import Scenario
from callsim.scenario.paths import apply_overrides, write_path
from callsim.scenario.reading import read_tree, validated
from callsim.scenario.tree import Tree, Unreadable, parse, read_file
from callsim.scenario.wording import troubles_of
from documents.values import Model

PARTIAL = ("missing; ", "spoils nothing; ")
"""How messages begin about what a scenario may say beside a carrier file."""


def load_scenario(path: Path | str, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario, with the values of `overrides` (`PATH=VALUE` each) in place of its own.

    Raises ScenarioError with everything that is wrong.
    """
    tree = read_tree(str(path), "scenario")
    including = [text for text in overrides if re.match(r"\s*include\b", text)]
    overridden = apply_overrides(tree.data, including)
    put_included(tree)
    overridden += apply_overrides(tree.data, [text for text in overrides if text not in including])
    drop_uncertain(tree, overridden)
    scenario = validated(tree, Scenario, check_parts(tree.data), overridden)
    problems = _undrawable(tree, scenario)
    if problems:
        raise ScenarioError(problems)
    return scenario


def _undrawable(tree: Tree, scenario: Scenario) -> list[Problem]:
    """Tell what of the uncertain parameters leads nowhere."""
    problems = []
    for number, parameter in enumerate(scenario.uncertain):
        trouble = misfit(scenario, parameter)
        if trouble is not None:
            path = ("uncertain", number, *trouble[0])
            problems.append(Problem(*tree.place(path), write_path(tree.data, path), trouble[1]))
    return problems


def load_carrier_file(path: Path | str) -> Scenario:
    """Read a carrier file by itself, as a scenario that has nothing else; raises ScenarioError.

    What a scenario may say beside it is not missing.
    """
    tree = read_carrier_file(str(path))
    whole = {"name": "any", "starts": "2026-01-01"} | deepcopy(tree.data)
    for carrier in whole["carriers"] if isinstance(whole.get("carriers"), list) else ():
        if isinstance(carrier, dict):
            carrier.setdefault("trunks", ["sip:trunk.example"])
    context = {"folder": Path(tree.file).parent}
    try:
        scenario = Scenario.model_validate(whole, context=context)
    except ValidationError as error:
        troubles = [
            (at, text)
            for at, text in troubles_of(error, whole, Scenario)
            if at[:1] == ("uncertain",) or not text.startswith(PARTIAL)
        ]
        problems = [Problem(*tree.place(at), write_path(whole, at), text) for at, text in troubles]
        if problems:
            raise ScenarioError(problems) from None
        # It is partial: all that can be said is that nothing else is wrong.
        return Scenario.model_construct(name="any", uncertain=())
    problems = _undrawable(tree, scenario)
    if problems:
        raise ScenarioError(problems)
    return scenario


def check_files(paths: Iterable[Path | str]) -> list[Problem]:
    """Everything that is wrong in these files, file by file."""
    problems: list[Problem] = []
    for path in paths:
        try:
            if is_carrier_file(_data(path)):
                load_carrier_file(path)
            else:
                load_scenario(path)
        except ScenarioError as error:
            problems += error.problems
    return problems


def _data(path: Path | str) -> Any:  # noqa: ANN401 - plain values
    try:
        return parse(read_file(Path(path))).data
    except Unreadable:
        return None


def scenario_hash(scenario: Scenario) -> str:
    """16 hexadecimal digits that change with the meaning: not with comments, order of keys, units or `title`.

    What is included counts as if it stood there. Defaults are left out, so that a scenario keeps its hash
    when the language grows.
    """
    meaning = {key: value for key, value in _meaning(scenario).items() if key not in ("title", "include")}
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
