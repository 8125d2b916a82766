"""Plays an oracle's scenario with a fixed set of seeds and compares the estimates with the exact value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from scipy import stats

from callsim.build import build
from callsim.result import unavailability
from callsim.scenario.load import load_scenario
from callsim.study import Goal, run_study

FOLDER = Path(__file__).parent / "oracles"
SEEDS = range(1, 21)
"""Published, and never chosen after the fact."""
CONFIDENCE = 0.95
MINUTES = 8760 * 60


@dataclass(frozen=True)
class Oracle:
    """A model with its exact long-run unavailability, and the years one run needs for an interval of 16 %."""

    file: str
    model: str
    exact: float
    years: int


@dataclass(frozen=True)
class Score:
    """Twenty estimates against the exact value."""

    values: tuple[float, ...]
    half_widths: tuple[float, ...]
    """Of the 95 % intervals, as shares of the exact value."""
    z: tuple[float, ...]

    @property
    def chi_square(self) -> float:
        """Sum of the squared z-scores."""
        return float(np.square(self.z).sum())

    @property
    def limit(self) -> float:
        """Value that the sum exceeds with a chance of 0.1 %."""
        return float(stats.chi2.isf(0.001, len(self.z)))

    @property
    def pooled_z(self) -> float:
        """All estimates together, in standard errors of their mean."""
        return float(np.sum(self.z) / np.sqrt(len(self.z)))

    @property
    def mean(self) -> float:
        """Mean of the estimates."""
        return float(np.mean(self.values))


def oracles() -> list[Oracle]:
    """Read the table of exact values."""
    rows = YAML(typ="safe").load(FOLDER / "exact.yaml")
    return [
        Oracle(
            file,
            row["model"],
            row["exact"] / (MINUTES if row["quantity"] == "downtime_min_per_year" else 1.0),
            row["years"],
        )
        for file, row in rows.items()
    ]


def score(oracle: Oracle, times: float = 1.0, jobs: int = 1) -> Score:
    """Run an oracle's scenario with every seed, `times` as long as one run needs for 16 %."""
    tables = build(load_scenario(FOLDER / oracle.file))
    values, widths, z = [], [], []
    for seed in SEEDS:
        study = run_study(tables, seed, Goal(round(oracle.years * times)), jobs=jobs)
        estimate = unavailability(study.summary, seed, CONFIDENCE)
        assert estimate.value is not None
        assert estimate.low is not None
        assert estimate.high is not None
        half = (estimate.high - estimate.low) / 2
        values.append(estimate.value)
        widths.append(half / oracle.exact)
        z.append((estimate.value - oracle.exact) / (half / stats.norm.isf((1 - CONFIDENCE) / 2)))
    return Score(tuple(values), tuple(widths), tuple(z))
