"""How often the intervals of fitted laws hold the truth, where the truth is known."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import optimize

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rows import Row, machine, table

from carriers.laws import Exponential, Gamma, Law, Lognormal, Weibull
from results.estimates import Estimate
from results.fitting.fit import Fitted, fit_spells, of_all
from results.fitting.spells import Record, Spells, exact, joined, lives_of, repairs_of

TRIALS = 1000
SEED = 2026
SPELLS = 40
CENSORED = 0.3
HELD = (90.0, 98.0)
HOUR, DAY = 3600.0, 86400.0
FAMILY = {Exponential: "exponential", Weibull: "weibull", Lognormal: "lognormal", Gamma: "gamma"}
REPAIRS: dict[str, Law] = {
    "exponential, mean 1 h": Exponential(HOUR),
    "Weibull, shape 0.7": Weibull(HOUR, 0.7),
    "Weibull, shape 2": Weibull(HOUR, 2.0),
    "gamma, cv 0.6": Gamma(HOUR, 0.6),
    "lognormal, median 40 min, p95 4 h": Lognormal(2400.0, 4 * HOUR),
    "lognormal, median 40 min, p95 8 h": Lognormal(2400.0, 8 * HOUR),
}
LIVES: dict[str, Law] = {
    "exponential, MTBF 60 d": Exponential(60 * DAY),
    "Weibull, shape 0.7, MTBF 60 d": Weibull(60 * DAY / 1.2658, 0.7),
    "Weibull, shape 2, MTBF 60 d": Weibull(60 * DAY / 0.8862, 2.0),
}
REPAIR = Lognormal(2400.0, 4 * HOUR)
UNITS, WINDOW = 12, 140 * DAY
"""So long that about 30 % of the times to failure are not seen to their end."""
CADENCE = 300.0


def follow_up(law: Law) -> float:
    """Give the mean of exponential times to follow that leaves `CENSORED` of the spells without an end."""
    many = law.sample(np.random.default_rng(1), 100_000)

    def censored(mean: float) -> float:
        return 1 - float(np.exp(-many / mean).mean()) - CENSORED

    return float(optimize.brentq(censored, 1e-3 * law.mean, 1e5 * law.mean))


def cut(law: Law, mean: float, rng: np.random.Generator) -> Spells:
    """Draw spells that are followed for a time only."""
    length, limit = law.sample(rng, SPELLS), rng.exponential(mean, SPELLS)
    high = np.where(length > limit, np.inf, length)
    return Spells(np.zeros(SPELLS), np.minimum(length, limit), high, limit)


def unit(life: Law, repair: Law, window: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw beginnings and ends of outages of one unit from equilibrium (up, which it nearly always is)."""
    begins, ends = [], []
    now = float(life.residual(rng, 1)[0])
    while now < window:
        begins.append(now)
        now += float(repair.sample(rng, 1)[0])
        ends.append(now)
        now += float(life.sample(rng, 1)[0])
    return np.array(begins), np.array(ends)


def probed(window: float, begins: np.ndarray, ends: np.ndarray, phase: float) -> Record:
    """Look at outages every `CADENCE`; those between two probes are not there."""

    def before(t: np.ndarray) -> np.ndarray:
        return np.floor((t - phase) / CADENCE) * CADENCE + phase

    hit = before(ends) > before(begins)
    first, last = before(begins[hit]) + CADENCE, before(ends[hit])
    over = last + CADENCE < window
    seen = first < window
    return Record(
        0.0,
        window,
        (first - CADENCE)[seen],
        first[seen],
        np.minimum(last, window)[seen],
        np.where(over, last + CADENCE, np.inf)[seen],
    )


def inside(known: Estimate, truth: float) -> bool:
    """Whether an interval, or a bound where there is none, holds the truth."""
    low, high = (known.low, known.high) if known.low is not None else (known.lower, known.upper)
    return (low is None or low <= truth) and (high is None or truth <= high)


def tally(found: Counter[str], fitted: Fitted, law: Law, mean: float) -> None:
    """Count the mean whatever the law, and the parameters of the law that it is."""
    found["trials"] += 1
    found["mean"] += inside(fitted.mean, mean)
    for fit in fitted.fits:
        if fit.name == FAMILY[type(law)]:
            for name, known in fit.parameters.items():
                found[f"its {name}"] += inside(known, getattr(law, name))


def row(what: str, found: Counter[str]) -> Row:
    """Set the shares in a row; each has to be within the limits."""
    trials = found["trials"]
    shares = {name: 100.0 * many / trials for name, many in found.items() if name != "trials"}
    text = ", ".join(f"{name} {share:.1f} %" for name, share in shares.items())
    held = all(HELD[0] <= share <= HELD[1] for share in shares.values())
    return Row(what, f"{text} of {trials}", "90 to 98 %", held)


def fits(times: float = 1.0, jobs: int = 1) -> Iterator[Row]:
    """Measure the coverage of all; `jobs` is not used."""
    del jobs
    trials = max(int(TRIALS * times), 1)
    for what, law in REPAIRS.items():
        rng, found, mean = np.random.default_rng(SEED), Counter[str](), follow_up(law)
        for _ in range(trials):
            tally(found, fit_spells(cut(law, mean, rng)), law, law.mean)
        yield row(f"{SPELLS} repairs, 30 % not seen to end: {what}", found)
    for what, law in LIVES.items():
        rng, found = np.random.default_rng(SEED), Counter[str]()
        for _ in range(trials):
            records = [exact(0.0, WINDOW, *unit(law, REPAIR, WINDOW, rng)) for _ in range(UNITS)]
            tally(found, fit_spells(joined(map(lives_of, records))), law, law.mean)
        yield row(f"{UNITS} units, 140 d: {what}", found)
    for what, repair in (("median 40 min", REPAIR), ("median 8 min", Lognormal(480.0, 48 * 60.0))):
        rng, up, down = np.random.default_rng(SEED), Counter[str](), Counter[str]()
        life = Exponential(20 * DAY)
        for _ in range(trials):
            begins, ends = unit(life, repair, 730 * DAY, rng)
            record = probed(730 * DAY, begins, ends, CADENCE * rng.random())
            repaired = fit_spells(repairs_of(record))
            tally(down, repaired, repair, repair.mean)
            lives = fit_spells(lives_of(record))
            up["trials"] += 1
            up["mean"] += inside(
                of_all(lives.mean, repaired.seen) if repaired.seen else lives.mean, life.mean
            )
        yield row(f"probed every 5 min for 2 years: lognormal repair, {what}", down)
        yield row("the same: times to failure, MTBF 20 d", up)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=float, default=1.0, help="multiply the trials, to try it out")
    options = parser.parse_args()
    table(fits(options.times), machine(options.times))
