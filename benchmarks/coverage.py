"""How often the printed intervals contain the truth, where the truth is known.

Years of a compound Poisson process are drawn directly: outages at random, each of a random length.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from carriers.laws import Exponential, Fixed, Law, Lognormal
from results.estimates import FEW, Estimate, Resampling

LENGTHS: dict[str, Law] = {
    "fixed": Fixed(1.0),
    "exponential": Exponential(1.0),
    "lognormal p95/median 3": Lognormal(1.0, 3.0),
    "lognormal p95/median 5": Lognormal(1.0, 5.0),
    "lognormal p95/median 7": Lognormal(1.0, 7.0),
}
CELLS = [(10, 100), (20, 100), (50, 500), (100, 100), (100, 2000), (1000, 100), (1000, 2000)]
"""Expected outages in a run, and its years."""
FEW_CELLS = [(2, 100), (5, 100)]
RUNS_TO_A_RESAMPLING = 25
"""Resamples do not depend on the data, so that some runs may share them."""


@dataclass
class Tally:
    """Runs in which the truth was below or above the interval."""

    below: int = 0
    above: int = 0
    runs: int = 0

    def add(self, low: float, high: float, truth: float) -> None:
        """Count a run."""
        self.below += truth < low
        self.above += truth > high
        self.runs += 1

    @property
    def held(self) -> float:
        """Share of the runs whose interval holds the truth."""
        return 1 - (self.below + self.above) / self.runs

    def __str__(self) -> str:
        low, high = (100 * missed / self.runs for missed in (self.below, self.above))
        return f"{100 * self.held:5.1f} % (below {low:3.1f}, above {high:3.1f}; {self.runs} runs)"


def runs_of(
    law: Law, outages: float, years: int, runs: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw downtime and outages of each year, for each run."""
    for _ in range(runs):
        count = rng.poisson(outages / years, years)
        year = np.repeat(np.arange(years), count)
        yield np.bincount(year, law.sample(rng, len(year)), minlength=years), count.astype(np.float64)


def coverage(law: Law, outages: float, years: int, runs: int, rng: np.random.Generator) -> dict[str, Tally]:
    """Count how often the two-sided intervals hold, over the runs in which one is printed."""
    tallies = {name: Tally() for name in ("unavailability", "percentile", "mttr", "rate")}
    for number, (down, count) in enumerate(runs_of(law, outages, years, runs, rng)):
        if number % RUNS_TO_A_RESAMPLING == 0:
            again = Resampling(years, rng, resamples=1000)
        total = int(count.sum())
        if total < FEW:
            continue
        span = np.ones(years)
        truth = law.mean * outages / years

        def add(name: str, estimate: Estimate, truth: float) -> None:
            if estimate.low is not None and estimate.high is not None:
                tallies[name].add(estimate.low, estimate.high, truth)

        add("unavailability", again.ratio(down, span, total), truth)
        add("mttr", again.ratio(down, count, total), law.mean)
        add("rate", again.rate(count, span), outages / years)
        if years <= 1000:  # years are resampled one by one
            plain = again._weights @ down / years
            tallies["percentile"].add(*np.quantile(plain, [0.025, 0.975]), truth)
    return tallies


def few(law: Law, outages: float, years: int, runs: int, rng: np.random.Generator) -> Tally:
    """Count how often the one-sided upper bound of the unavailability holds, where no interval is printed."""
    tally = Tally()
    again = Resampling(years, rng)
    for down, count in runs_of(law, outages, years, runs, rng):
        if not 0 < count.sum() < FEW:
            continue
        bound = again.ratio(down, np.ones(years), int(count.sum())).upper
        if bound is not None:
            tally.add(0.0, bound, law.mean * outages / years)
    return tally


def main(runs: int = 1000, seed: int = 2026) -> None:
    """Print the coverage of nominal 95 % intervals (bounds: 95 % one-sided)."""
    rng = np.random.default_rng(seed)
    for name, law in LENGTHS.items():
        for outages, years in CELLS:
            cells = coverage(law, outages, years, runs, rng)
            print(f"{name}, {outages} outages in {years} years")
            for quantity, tally in cells.items():
                if tally.runs:
                    print(f"  {quantity:15} {tally}", flush=True)
        for outages, years in FEW_CELLS:
            print(f"{name}, {outages} outages in {years} years")
            print(f"  upper bound     {few(law, outages, years, runs, rng)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
