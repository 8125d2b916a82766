"""What is not known of a scenario's failure data: draws of its mean times."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from callsim.scenario.reading import read_tree, validated
from carriers.laws import Lognormal
from carriers.units import LONGEST, format_duration
from documents.values import Model, Seconds, Some, located
from documents.words import Trouble

JEFFREYS = 0.5
"""Failures that Jeffreys' prior of a rate adds to those that were counted."""


class Parameter(Model):
    """A mean time of the scenario, with what it was estimated from."""

    path: str = Field(examples=["carriers.atlantic.failures.silent.mtbf"])
    """Where it stands, as `--set` names it."""
    failures: int | None = Field(default=None, ge=0, le=1_000_000)
    """So many failures were counted ..."""
    over: Seconds | None = None
    """... in this much operating time."""
    median: Seconds | None = None
    """Or: the median of what one believes of it ..."""
    p95: Seconds | None = None
    """... and the value that it exceeds with 5 %."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        troubles: list[Trouble] = []
        counted = self.failures is not None or self.over is not None
        believed = self.median is not None or self.p95 is not None
        if counted == believed:
            troubles.append((("failures",), "write either `failures` and `over`, or `median` and `p95`"))
        elif counted and (self.failures is None or self.over is None):
            troubles.append((("over",), "goes with `failures`; write both"))
        elif believed and (self.median is None or self.p95 is None):
            troubles.append((("p95",), "goes with `median`; write both"))
        elif self.median is not None and self.p95 is not None and self.p95 <= self.median:
            troubles.append((("p95",), "has to be more than `median`"))
        if troubles:
            raise located(*troubles)
        return self

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a mean time in seconds: of counts by Jeffreys' posterior of the rate, else lognormal."""
        if self.failures is not None and self.over is not None:
            return self.over / rng.gamma(self.failures + JEFFREYS)
        assert self.median is not None
        assert self.p95 is not None
        return float(Lognormal(self.median, self.p95).sample(rng, 1)[0])


class Uncertain(Model):
    """Parameters that are known within limits only."""

    format: Literal[1] = 1
    """Version of the language."""
    parameters: Some[Parameter]
    """Which, and how well they are known."""

    def overrides(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Draw each parameter once, as `--set` takes them."""
        return tuple(
            f"{p.path}={format_duration(min(max(p.draw(rng), 1.0), LONGEST))}" for p in self.parameters
        )


def load_uncertain(path: Path | str) -> Uncertain:
    """Read a file of uncertain parameters; raises ScenarioError with everything that is wrong."""
    return validated(read_tree(str(path), "file of parameters"), Uncertain)
