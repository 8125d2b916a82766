"""Plan files, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from callsim.errors import Problem, ScenarioError
from callsim.plan.checks import check_parts_of_plan
from callsim.plan.model import Plan
from callsim.scenario.paths import apply_overrides
from callsim.scenario.reading import BEGINS, read_tree, validated
from callsim.scenario.tree import Unreadable, parse, read_file

BEGINS["plan"] = "name: production-trunks"
SECRETS = (("username",), ("password",))


def load_plan(path: Path | str, overrides: Sequence[str] = ()) -> Plan:
    """Read a plan, with the values of `overrides` (`PATH=VALUE` each) in place of its own.

    Raises ScenarioError with everything that is wrong.
    """
    tree = read_tree(str(path), "plan")
    overridden = apply_overrides(tree.data, overrides)
    troubles = list(check_parts_of_plan(tree.data, Path(path).parent))
    # What is wrong with the YAML of a secret is told without the value.
    tree.troubles = [
        (at, place, "cannot be read; write env:NAME or file:PATH" if at[-1:] in SECRETS else text)
        for at, place, text in tree.troubles
    ]
    return validated(tree, Plan, troubles, overridden)


def check_plan(path: Path | str) -> list[Problem]:
    """Everything that is wrong in a plan."""
    try:
        load_plan(path)
    except ScenarioError as error:
        return error.problems
    return []


def is_plan(path: Path | str) -> bool:
    """Whether a file is meant as a plan rather than a scenario, by its keys."""
    try:
        data: Any = parse(read_file(Path(path))).data
    except Unreadable:
        return False
    return isinstance(data, dict) and ("tests" in data or {"trunks", "guard"} <= data.keys())
