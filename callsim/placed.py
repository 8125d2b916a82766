"""The second mode of a run: every call placed, beside what the evaluated mode expects of the same faults."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from callsim.build import build
from callsim.errors import CallsimError
from callsim.pool import pool_of
from callsim.result import FORMAT, resampling, unavailability
from callsim.study import reduced
from carriers.calendars import DAY
from results.calls import CallColumns
from results.estimates import Estimate
from results.summary import Summary, merge
from sim import Tables, place_calls

if TYPE_CHECKING:
    from callsim.scenario.model import Scenario

YEAR = 365.25 * DAY
FEWEST_BEYOND = 30
"""With fewer calls beyond a quantile than this its margin cannot be told."""
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Beside:
    """One quantity: what the evaluated mode expects, and what was counted."""

    name: str
    expected: float
    counted: float
    margin: float | None
    """Two-sided, at the scenario's confidence, of the counting alone: the faults are the same in both."""

    @property
    def agrees(self) -> bool | None:
        """Whether the difference is within the margin; None where there is none."""
        return None if self.margin is None else abs(self.counted - self.expected) <= self.margin


@dataclass(frozen=True)
class Placed:
    """Calls of several repetitions of the same horizon, each with faults of its own."""

    scenario: Scenario
    seed: int
    horizon_s: float
    repetitions: int
    calls: Sequence[CallColumns]
    expected: Summary
    wall_s: float
    partial: str | None = None

    @property
    def offered(self) -> int:
        """Calls placed."""
        return sum(len(calls.offered) for calls in self.calls)

    @property
    def failed(self) -> int:
        """Calls that did not connect."""
        return sum(int((~calls.connected).sum()) for calls in self.calls)

    @property
    def dropped(self) -> int:
        """Calls in progress that were lost."""
        return sum(int((calls.dropped_at >= 0.0).sum()) for calls in self.calls)

    @property
    def delays(self) -> Mapping[str, float] | None:
        """Post-dial delay percentiles of the calls that connected, in seconds."""
        delays = np.concatenate([calls.delay[calls.connected] for calls in self.calls])
        if not len(delays) or self.expected.delay_percentiles() is None:
            return None
        return {name: float(np.quantile(delays, share)) for name, share in SHARES.items()}

    def per_day(self, which: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Count calls by day and repetition: `offered`, `failed` or `dropped`."""
        days = math.ceil(self.horizon_s / DAY)
        found = []
        for calls in self.calls:
            at = {
                "offered": calls.offered,
                "failed": calls.offered[~calls.connected],
                "dropped": calls.dropped_at[calls.dropped_at >= 0.0],
            }[which]
            found.append(np.bincount((at // DAY).astype(np.intp), minlength=days)[:days])
        return np.concatenate(found).astype(np.float64)

    def beside(self) -> list[Beside]:
        """Set the two modes side by side."""
        from scipy import stats  # noqa: PLC0415 - slow to import

        sigmas = float(stats.norm.isf((1 - self.scenario.simulation.confidence) / 2))
        offered, summary = self.offered, self.expected
        connected = offered - self.failed

        def proportion(name: str, expected: float, count: int, of: int) -> Beside:
            # The margin is that of counting at the expected share, and one call at least.
            spread = sigmas * math.sqrt(expected * (1 - expected) / of) + 1 / of
            return Beside(name, expected, count / of, spread)

        attempts = float(summary.attempts.sum())
        rows = [proportion("connect share", 1 - float(summary.failed.sum()) / attempts, connected, offered)]
        dropped = float(summary.dropped.sum()) / attempts
        # Calls are dropped many at a time, so counting them one by one gives no margin.
        rows.append(Beside("dropped share", dropped, self.dropped / offered, None))
        by_carrier = summary.connected_by_carrier
        total = sum(by_carrier.values())
        for name, calls in by_carrier.items():
            count = sum(int((c.carrier == c.carriers.index(name)).sum()) for c in self.calls)
            rows.append(proportion(f"carried by {name}", calls / total, count, connected))
        expected_delays = summary.delay_percentiles(tuple(SHARES.values()))
        if self.delays is not None and expected_delays is not None:
            sorted_delays = np.sort(np.concatenate([c.delay[c.connected] for c in self.calls]))
            for (name, share), expected in zip(SHARES.items(), expected_delays, strict=True):
                rows.append(_quantile(f"post-dial delay {name} (s)", share, expected, sorted_delays, sigmas))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract, counted from calls; what calls do not tell is null."""
        from callsim import __version__  # noqa: PLC0415 - the package imports this module
        from callsim.scenario import scenario_hash  # noqa: PLC0415

        confidence = self.scenario.simulation.confidence
        offered, failed, dropped = (self.per_day(which) for which in ("offered", "failed", "dropped"))
        again = resampling(len(offered), self.seed, confidence)
        fails: Estimate = again.ratio(failed, offered, self.failed)
        summary = self.expected
        down = unavailability(summary, self.seed, confidence)
        absent = ("call_success", "mos", "credits", "promise", "mtbf_h", "mttr_min", "mttr_stages_min")
        return {
            "format": FORMAT,
            "callsim": __version__,
            "scenario": self.scenario.name,
            "scenario_hash": scenario_hash(self.scenario),
            "seed": self.seed,
            "engine": "calls",
            "years": self.repetitions * self.horizon_s / YEAR,
            "partial": self.partial,
            "calls": self.offered,
            "availability": {"gross": down.scaled(-1.0, 1.0).to_json(), "eligible": None, "claimed": None},
            **dict.fromkeys(absent),
            "call_success": fails.scaled(-1.0, 1.0).to_json(),
            "dpm": fails.scaled(1e6).to_json(),
            "dropped_per_million": again.ratio(dropped, offered, self.dropped).scaled(1e6).to_json(),
            "outages_per_year": None,
            "downtime_min_per_year": None,
            "post_dial_delay_s": None if self.delays is None else dict(self.delays),
            "objectives": [],
            "causes": [],
            "units": [],
            "expected": {row.name: row.expected for row in self.beside()},
        }


def _quantile(name: str, share: float, expected: float, ordered: Any, sigmas: float) -> Beside:  # noqa: ANN401
    """Compare a quantile; its margin comes from the order statistics around it."""
    count = len(ordered)
    counted = float(np.quantile(ordered, share))
    if count * (1 - share) < FEWEST_BEYOND:
        return Beside(name, expected, counted, None)
    spread = sigmas * math.sqrt(share * (1 - share) / count)
    low, high = (ordered[int(np.clip(x * count, 0, count - 1))] for x in (share - spread, share + spread))
    return Beside(name, expected, counted, float(max(high - counted, counted - low)))


@dataclass(frozen=True)
class _CallWork:
    """What a process needs to place calls."""

    tables: Tables
    seed: int
    seconds: float

    def play(self, number: int, years: int) -> tuple[Summary, CallColumns]:
        del years
        placed = place_calls(self.tables, number, self.seconds, self.seed)
        return reduced(self.tables, placed.replication)[0], placed.calls


def place(
    scenario: Scenario, horizon_s: float, repetitions: int = 1, seed: int | None = None, jobs: int = 1
) -> Placed:
    """Place every call of `repetitions` stretches of `horizon_s` seconds, each a stream of its own.

    Raises CallsimError without traffic and carriers, or when it is interrupted before one stretch is done.
    """
    if scenario.traffic is None or not scenario.carriers:
        raise CallsimError("placing calls needs `traffic` and `carriers` in the scenario")
    seed = scenario.simulation.seed if seed is None else seed
    begun = time.monotonic()
    work = _CallWork(build(scenario), seed, horizon_s)
    parts: dict[int, tuple[Summary, CallColumns]] = {}
    partial = None
    try:
        with pool_of(work, min(jobs, repetitions)) as pool:
            for number, _, part in pool.play([(n, 0) for n in range(repetitions)], math.inf):
                parts[number] = part  # noqa: PERF403 - what is done survives an interrupt
    except KeyboardInterrupt:
        partial = f"interrupted after {len(parts)} of {repetitions} repetitions"
        if not parts:
            raise
    done = [parts[number] for number in sorted(parts)]
    return Placed(
        scenario,
        seed,
        horizon_s,
        len(done),
        [calls for _, calls in done],
        merge([summary for summary, _ in done]),
        time.monotonic() - begun,
        partial,
    )
