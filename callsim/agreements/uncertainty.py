"""What is not known of a scenario's laws of time, drawn anew for each stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from callsim.agreements.reckoner import LedgerReckoner, reckoner_of
from callsim.build import build
from callsim.errors import CallsimError, Problem, ScenarioError
from callsim.scenario.including import is_carrier_file, read_carrier_file
from callsim.scenario.laws_in import Found, find_law, law_at, misfit, with_law
from callsim.scenario.load import load_carrier_file
from callsim.scenario.model import Scenario
from callsim.scenario.paths import write_path
from callsim.scenario.reading import BEGINS, read_tree, validated
from callsim.scenario.tree import Tree
from callsim.scenario.uncertain import Parameter
from documents.values import Model, Some
from documents.words import Path as Steps
from results.timeline import Floats
from sim import Tables
from sla.reckoning import Agreement

INCLUDED = "included"
"""In place of a file: what the scenario says, and the files that it includes."""
DRAW_KEY = 0xD4A3
"""Keeps the draws of parameters apart from the streams' random numbers."""
LIFETIMES = ("mtbf", "standby_mtbf")
KIND = "file of parameters"
BEGINS[KIND] = "parameters:"


class Listed(Model):
    """A file of uncertain parameters."""

    format: Literal[1] = 1
    """Version of the language."""
    parameters: Some[Parameter]
    """Which, and how well they are known."""


@dataclass(frozen=True)
class Uncertain:
    """Laws of a scenario that are known within limits only."""

    scenario: Scenario
    source: str
    """Where that is from: a file, or `INCLUDED`."""
    parameters: tuple[Parameter, ...]
    found: tuple[Found, ...]
    """Where each of them is in the scenario."""

    def draw(self, rng: np.random.Generator) -> Scenario:
        """Return the scenario with each parameter drawn once."""
        drawn = self.scenario
        for parameter, found in zip(self.parameters, self.found, strict=True):
            law = parameter.draw(law_at(drawn, found.steps), found.own, rng)
            drawn = with_law(drawn, found.steps, law)
        return drawn

    def drawn_for(self, seed: int, stream: int) -> Scenario:
        """Return the scenario that a stream plays; the same one for the same seed and number."""
        return self.draw(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DRAW_KEY, stream))))

    def sizes(self, seed: int, streams: Sequence[int]) -> Floats:
        """Return how much each parameter makes of failures in each stream, (streams, parameters).

        To first order downtime grows with the rate of failures and with the mean of all other times.
        """
        rows = []
        for stream in streams:
            drawn = self.drawn_for(seed, stream)
            laws = [(found, law_at(drawn, found.steps)) for found in self.found]
            rows.append(
                [
                    found.law.mean / law.mean if found.steps[-1] in LIFETIMES else law.mean / found.law.mean
                    for found, law in laws
                ]
            )
        return np.asarray(rows, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Return what a result says of it."""
        said = [parameter.model_dump(exclude_defaults=True) for parameter in self.parameters]
        return {"source": self.source, "parameters": said}


@dataclass(frozen=True)
class Drawing:
    """What each stream plays: a draw of its own; it is sent to other processes."""

    uncertain: Uncertain
    agreements: tuple[Agreement, ...]
    seed: int

    def of(self, number: int) -> tuple[Tables, LedgerReckoner | None]:
        """Build what a stream plays."""
        scenario = self.uncertain.drawn_for(self.seed, number)
        tables = build(scenario)
        return tables, reckoner_of(scenario, tables, self.agreements)


def uncertain_in(scenario: Scenario, wanted: Path | str) -> Uncertain:
    """Find what is uncertain of a scenario: by a file, or what it includes (`INCLUDED`).

    The file lists `parameters`, or is a carrier file. Raises ScenarioError with everything that is wrong.
    """
    if str(wanted) == INCLUDED:
        if not scenario.uncertain:
            raise CallsimError(
                f"{scenario.name}: nothing is uncertain in it; include a carrier file with `uncertain`, "
                "or name a file of parameters"
            )
        return _uncertain(scenario, INCLUDED, scenario.uncertain)
    tree = read_tree(str(wanted), KIND)
    if is_carrier_file(tree.data):
        return _of_carrier_file(scenario, str(wanted))
    listed = validated(tree, Listed).parameters
    _raise_misfits(tree, scenario, "parameters", listed)
    return _uncertain(scenario, str(wanted), listed)


def _uncertain(scenario: Scenario, source: str, parameters: Sequence[Parameter]) -> Uncertain:
    found = [find_law(scenario, parameter.path) for parameter in parameters]
    laws = tuple(law for law in found if isinstance(law, Found))
    assert len(laws) == len(found)  # asked before
    return Uncertain(scenario, source, tuple(parameters), laws)


def _of_carrier_file(scenario: Scenario, file: str) -> Uncertain:
    """Take what a carrier file says; the scenario has to have the laws that it says it of."""
    own = load_carrier_file(file)
    tree = read_carrier_file(file)
    if not tree.data.get("uncertain"):
        raise ScenarioError([Problem(file, None, "uncertain", "missing; nothing is uncertain in this file")])
    listed = Listed.model_validate({"parameters": tree.data["uncertain"]}).parameters
    _raise_misfits(tree, scenario, "uncertain", listed)
    problems = []
    for number, parameter in enumerate(listed):
        here, there = find_law(scenario, parameter.path), find_law(own, parameter.path)
        if isinstance(here, Found) and isinstance(there, Found) and here.law != there.law:
            text = f"the law of {scenario.name} is another than this file's; write `include: [{file}]` in it"
            problems.append(_problem(tree, ("uncertain", number, "path"), text))
    if problems:
        raise ScenarioError(problems)
    return _uncertain(scenario, file, listed)


def _raise_misfits(tree: Tree, scenario: Scenario, key: str, parameters: Sequence[Parameter]) -> None:
    troubles = [(number, misfit(scenario, parameter)) for number, parameter in enumerate(parameters)]
    problems = [_problem(tree, (key, n, *trouble[0]), trouble[1]) for n, trouble in troubles if trouble]
    if problems:
        raise ScenarioError(problems)


def _problem(tree: Tree, path: Steps, text: str) -> Problem:
    return Problem(*tree.place(path), write_path(tree.data, path), text)
