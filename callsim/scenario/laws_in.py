"""Laws of time in a scenario, found by their paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from callsim.scenario.model import Scenario
from callsim.scenario.paths import item_name
from callsim.scenario.uncertain import Parameter
from carriers.laws import Law
from documents.values import Model
from documents.words import Path, Trouble, unknown

LAWS = get_args(Law)
PLANNED = "lasts"
"""Planned work has to fit in its window: how long it takes is not drawn."""


@dataclass(frozen=True)
class Found:
    """A law of a scenario."""

    steps: Path
    """Attributes, keys and numbers of items that lead to it."""
    law: Law
    own: str | None
    """The parameter of the law that the path ends in."""


def find_law(scenario: Scenario, written: str) -> Found | str:
    """Find the law that a path (as `--set` writes it) leads to; a text says why there is none."""
    value: Any = scenario
    steps: list[str | int] = []
    words = written.split(".")
    for number, word in enumerate(words):
        if word == PLANNED:
            return "how long planned work takes is not drawn; leave it out"
        if isinstance(value, LAWS):
            return Found(tuple(steps), value, ".".join(words[number:]))
        known = _below(value)
        taken = next((step for name, step in known if name == word), None)
        named = [name for name, _ in known if not name.isdecimal()]
        if taken is None:
            return unknown("part of a scenario" if not number else f"part of {words[number - 1]}", word,
                           named)  # fmt: skip
        value = _step(value, taken)
        steps += taken
    if isinstance(value, LAWS):
        return Found(tuple(steps), value, None)
    return "is no law of a time; name one, like carriers.atlantic.failures.silent.mtbf"


def with_law(whole: Any, steps: Path, law: Law) -> Any:  # noqa: ANN401 - any part of a scenario
    """Return a part of a scenario with another law at `steps`."""
    if not steps:
        return law
    step, rest = steps[0], steps[1:]
    new = with_law(_step(whole, (step,)), rest, law)
    if isinstance(whole, Model):
        return whole.model_copy(update={str(step): new})
    if isinstance(whole, dict):
        return {**whole, step: new}
    return tuple(new if number == step else item for number, item in enumerate(whole))


def law_at(scenario: Scenario, steps: Path) -> Law:
    """Return the law at `steps`, as `find_law` gives them."""
    law: Law = _step(scenario, steps)
    return law


def misfit(scenario: Scenario, parameter: Parameter) -> Trouble | None:
    """Say why a parameter cannot be drawn; None where it can."""
    found = find_law(scenario, parameter.path)
    if isinstance(found, str):
        return ("path",), found
    return parameter.misfit(found.law, found.own)


def _step(value: Any, steps: Path) -> Any:  # noqa: ANN401 - any part of a scenario
    for step in steps:
        value = getattr(value, str(step)) if isinstance(value, Model) else value[step]
    return value


def _below(value: Any) -> list[tuple[str, Path]]:  # noqa: ANN401 - any part of a scenario
    """Return what stands below a value: names as files have them, and how to get there."""
    found: list[tuple[str, Path]] = []
    if isinstance(value, Model):
        for name, field in type(value).model_fields.items():
            if (field.alias or "").startswith("<"):  # a free key's mapping
                found += [(key, (name, key)) for key in getattr(value, name)]
            elif getattr(value, name) is not None:
                found.append((field.alias or name, (name,)))
        return found
    if isinstance(value, dict):
        return [(key, (key,)) for key in value]
    if isinstance(value, tuple):
        names = [_name(item) for item in value]
        found = [(name, (number,)) for number, name in enumerate(names) if name and names.count(name) == 1]
        return found + [(str(number), (number,)) for number in range(len(value))]
    return []


def _name(item: Any) -> str | None:  # noqa: ANN401 - any part of a scenario
    given = vars(item) if isinstance(item, Model) else {}
    return item_name({key: value for key, value in given.items() if value is not None})
