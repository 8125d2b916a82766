"""Scenarios side by side under common random numbers, with the intervals of their differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from callsim.api import load, simulate
from callsim.result import Result, resampling
from callsim.scenario.model import Scenario
from callsim.study import NothingSimulatedError, Progress
from results.estimates import Estimate
from results.hearing import SCALES
from results.summary import Summary
from results.timeline import Floats

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""Version of the JSON of a comparison."""
YEAR = 365.25 * 86400.0

Ratio = Callable[[Summary], tuple[Floats, Floats]]


def _years(summary: Summary) -> Floats:
    return summary.year_seconds / YEAR


QUANTITIES: dict[str, Ratio] = {
    "downtime_min_per_year": lambda s: (s.downtime / 60.0, _years(s)),
    "outages_per_year": lambda s: (s.outages, _years(s)),
    "availability": lambda s: (s.year_seconds - s.downtime, s.year_seconds),
    "dpm": lambda s: (1e6 * s.failed, s.attempts),
    "blocked_per_million": lambda s: (1e6 * s.calls.blocked, s.attempts),
}
"""What is compared: for each year a numerator and a denominator; all but the first three need calls."""
OF_TIME = ("downtime_min_per_year", "outages_per_year", "availability")
OF_OUTAGES = (*OF_TIME, "dpm")
"""Those behind which outages are the events that are counted."""


def _of_voice(scale: str) -> dict[str, Ratio]:
    column = SCALES.index(scale)
    return {
        "mos": lambda s: (s.calls.mos[:, column], s.calls.rated[:, column]),
        "poor_share": lambda s: (s.calls.poor[:, column], s.calls.rated[:, column]),
    }


@dataclass(frozen=True)
class Comparison:
    """Results of the same seed and years, and how each differs from the first."""

    names: Sequence[str]
    results: Sequence[Result]
    differences: Sequence[dict[str, Estimate]]
    """For each result after the first: what it has more than the first, by quantity."""
    partial: str | None = None
    """Why there are fewer results than were asked for."""

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON; the same for the same scenarios, seed and years."""
        return {
            "format": FORMAT,
            "partial": self.partial,
            "names": list(self.names),
            "results": [result.to_json() for result in self.results],
            "differences": [
                {
                    quantity: {**estimate.to_json(), "clear_of_zero": clear_of_zero(estimate)}
                    for quantity, estimate in difference.items()
                }
                for difference in self.differences
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates as a table, one row per name and quantity (needs pandas)."""
        import pandas as pd  # noqa: PLC0415 - an extra

        return pd.concat(
            {name: result.to_frame() for name, result in zip(self.names, self.results, strict=True)},
            names=["name"],
        )

    def _repr_html_(self) -> str:
        from callsim.side_by_side import html  # noqa: PLC0415 - only notebooks need it

        return html(self)


def clear_of_zero(estimate: Estimate) -> bool:
    """Say whether the interval of a difference leaves zero out."""
    low, high = estimate.low, estimate.high
    return low is not None and high is not None and (low > 0.0 or high < 0.0)


def compare(
    scenarios: Sequence[Scenario | Path | str],
    years: int | None = None,
    seed: int | None = None,
    *,
    jobs: int = 1,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Simulate scenarios with the same random numbers, for the same years (those of the first, if not given).

    Each failure keeps its own random numbers whatever else there is, so what two scenarios share happens in
    both, and their difference is far less noisy than either. Names must be as many as scenarios. Raises
    ValueError for less than one scenario; an interrupt leaves out what is not complete.
    """
    read = [s if isinstance(s, Scenario) else load(s) for s in scenarios]
    if not read:
        raise ValueError("scenarios(=[]) must be at least one")
    if names is not None and len(names) != len(read):
        raise ValueError(f"names(={len(names)}) must be as many as scenarios(={len(read)})")
    years = read[0].simulation.years if years is None else years
    seed = read[0].simulation.seed if seed is None else seed
    results: list[Result] = []
    partial = None
    for scenario in read:
        try:
            result = simulate(scenario, years, seed, jobs=jobs, progress=progress)
            stopped = result.study.partial
        except NothingSimulatedError as error:
            if not results:
                raise
            stopped = str(error)
        if stopped is not None:
            partial = f"{stopped}, in scenario {len(results) + 1} of {len(read)}"
        if stopped is None or not results:
            results.append(result)
        if stopped is not None:
            break
    return Comparison(
        names=(names or _told_apart(read))[: len(results)],
        results=results,
        differences=[_difference(result, results[0]) for result in results[1:]],
        partial=partial,
    )


def _told_apart(scenarios: Sequence[Scenario]) -> list[str]:
    names = [scenario.name for scenario in scenarios]
    return [name if names.count(name) == 1 else f"{name} ({n})" for n, name in enumerate(names, 1)]


def _difference(result: Result, first: Result) -> dict[str, Estimate]:
    ours, theirs = result.study.summary, first.study.summary
    again = resampling(len(first.study.summary.year_seconds), first.study.seed, first.availability.confidence)
    outages = ours.outage_count + theirs.outage_count
    ratios = {name: QUANTITIES[name] for name in OF_TIME}
    if ours.attempts.any() and theirs.attempts.any():
        ratios = dict(QUANTITIES)
    if result.mos is not None and first.mos is not None and result.mos.scale == first.mos.scale:
        ratios |= _of_voice(first.mos.scale)
    found = {}
    for quantity, ratio in ratios.items():
        pair = ratio(ours), ratio(theirs)
        found[quantity] = again.difference(*pair, outages if quantity in OF_OUTAGES else _years_with(pair))
    return found


def _years_with(pair: tuple[tuple[Floats, Floats], tuple[Floats, Floats]]) -> int:
    """Count the years that have some of it, in both: it comes many at a time."""
    return sum(int(np.count_nonzero(numerator)) for numerator, _ in pair)
