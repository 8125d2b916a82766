"""The second mode of a run: every call placed, beside what the evaluated mode expects of the same faults."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from callsim.agreements.accounts import accounts
from callsim.beside import Beside, Scatter, columns
from callsim.build import build
from callsim.call_days import Days, add_sounds, bounds_of, connected_paths, counted, expected, joined, sums_of
from callsim.errors import CallsimError
from callsim.hearing import CallFigures, call_figures
from callsim.pool import pool_of
from callsim.result import FORMAT, accounts_json, resampling, unavailability
from callsim.study import reduced
from carriers.calendars import DAY, HOUR
from results.calls import CallColumns, Flags
from results.estimates import Resampling
from results.hearing import Rated, Sound, busiest
from results.hearing import joined as joined_calls
from results.summary import Summary, merge
from results.timeline import HOURS_PER_WEEK, Floats, Timeline
from sim import Tables, place_calls

if TYPE_CHECKING:
    from callsim.scenario.model import Scenario

YEAR = 365.25 * DAY
FEWEST_BEYOND = 30
"""With fewer calls beyond a quantile than this its margin cannot be told."""
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Redials:
    """What callers who try again make of it."""

    calls: int
    """Attempts that were no first ones."""
    first_connected: float
    """Share of the first attempts that connected; what it lacks of the expected share the redials cost."""
    expected: float
    """The same without redials, by the evaluated mode."""
    callers_through: float
    """Share of the callers who got through in the end."""


@dataclass(frozen=True)
class Placed:
    """Calls of several repetitions of the same horizon, each with faults of its own."""

    scenario: Scenario
    tables: Tables
    seed: int
    horizon_s: float
    repetitions: int
    redials: bool
    """Whether callers who do not get through try again."""
    calls: Sequence[CallColumns]
    timelines: Sequence[Timeline]
    """What the evaluated mode makes of the same faults, a timeline for each repetition."""
    expected: Summary
    wall_s: float
    partial: str | None = None

    @property
    def offered(self) -> int:
        """Calls placed."""
        return sum(len(calls) for calls in self.calls)

    @property
    def failed(self) -> int:
        """Calls that did not connect."""
        return sum(int((~calls.connected).sum()) for calls in self.calls)

    @property
    def dropped(self) -> int:
        """Calls in progress that were lost."""
        return sum(int(calls.dropped.sum()) for calls in self.calls)

    @property
    def delays(self) -> Mapping[str, float] | None:
        """Post-dial delay percentiles of the calls from us that connected, in seconds; None without any."""
        delays = self._delays
        if not len(delays) or self.expected.delay_percentiles() is None:
            return None
        return {name: float(np.quantile(delays, share)) for name, share in SHARES.items()}

    @cached_property
    def _delays(self) -> Floats:
        """Sorted post-dial delays of first attempts."""
        ours = [calls.connected & ~calls.inbound & (calls.redial == 0) for calls in self.calls]
        return np.sort(np.concatenate([c.delay[own] for c, own in zip(self.calls, ours, strict=True)]))

    @property
    def _poor_below(self) -> float | None:
        return None if self.tables.voice is None else self.tables.voice.poor_below

    @property
    def again(self) -> Redials | None:
        """What redials make of it; None where there are none."""
        if not self.redials:
            return None
        first = sum(int((calls.redial == 0).sum()) for calls in self.calls)
        connected = sum(int((calls.connected & (calls.redial == 0)).sum()) for calls in self.calls)
        calls = self._expected_days.calls
        return Redials(
            calls=self.offered - first,
            first_connected=connected / first,
            expected=1.0 - float(calls.failed.sum()) / float(calls.offered.sum()),
            callers_through=(self.offered - self.failed) / first,
        )

    # ---- side by side

    @cached_property
    def _percentiles(self) -> list[float]:
        """Post-dial delays that the evaluated mode expects."""
        return self.expected.delay_percentiles(tuple(SHARES.values())) or []

    @cached_property
    def _expected_days(self) -> Days:
        return joined([expected(self.tables, line, self._percentiles) for line in self.timelines])

    def _counted_days(self, which: Sequence[Flags]) -> Days:
        return joined(
            [
                counted(calls, own, self.horizon_s, self._poor_below, self._percentiles)
                for calls, own in zip(self.calls, which, strict=True)
            ]
        )

    def beside(self) -> list[Beside]:
        """Set the two modes side by side; of callers who try again the first attempts count."""
        ours = self._counted_days([calls.redial == 0 for calls in self.calls])
        scatter = Scatter(self.scenario.simulation.confidence, told=not self.redials)
        have, want = columns(ours), columns(self._expected_days)
        inbound = want["inbound"].any()
        rows = [scatter.share("connect share", have, want, "connected", "offered", alone=True)]
        if inbound:
            rows += [
                scatter.share("connect share, outbound", have, want, "ours connected", "ours", alone=True),
                scatter.share(
                    "connect share, inbound", have, want, "inbound connected", "inbound", alone=True
                ),
            ]
        # Calls are blocked, dropped or spoilt many at a time: counting them one by one gives no margin.
        rows += [
            scatter.share("blocked share", have, want, "blocked", "offered"),
            scatter.share("dropped share", have, want, "dropped", "offered"),
        ]
        for n, carrier in enumerate(self.tables.carriers):
            parts = have | {"part": ours.carried[:, n]}, want | {"part": self._expected_days.carried[:, n]}
            rows.append(
                scatter.share(f"carried by {carrier.name}", *parts, "part", "ours connected", alone=True)
            )
        for n, (name, share) in enumerate(SHARES.items() if self._percentiles else ()):
            parts = have | {"part": ours.within[:, n]}, want | {"part": self._expected_days.within[:, n]}
            row = scatter.share("", *parts, "part", "ours connected", alone=True)
            rows.append(self._quantile(name, share, self._percentiles[n], row))
        if want["one-way"].any():
            rows.append(scatter.share("one-way share", have, want, "one-way", "connected"))
        if want["rated"].any():
            rows.append(scatter.mean("MOS, mean", have, want, self._spread_of_mos))
            rows.append(scatter.share("poor share", have, want, "poor", "rated"))
        return [row for row in rows if row is not None]

    def _quantile(self, name: str, share: float, wanted: float, within: Beside | None) -> Beside | None:
        """Compare a quantile; its margin is that of the share of calls below it, told in seconds."""
        ordered = self._delays
        if within is None or not len(ordered):
            return None
        title = f"post-dial delay {name} (s)"
        found = float(np.quantile(ordered, share))
        if within.margin is None or len(ordered) * (1 - share) < FEWEST_BEYOND:
            return Beside(title, wanted, found, None)
        low, high = np.quantile(ordered, np.clip([share - within.margin, share + within.margin], 0.0, 1.0))
        return Beside(title, wanted, found, float(max(high - found, found - low)))

    @cached_property
    def _spread_of_mos(self) -> float:
        mos = np.concatenate([calls.mos for calls in self.calls])
        return float(np.nanstd(mos))

    # ---- the contract

    def figures(self) -> CallFigures:
        """Estimate from the calls that were placed, redials too, by resampling their days."""
        everything = [np.ones(len(calls), dtype=np.bool_) for calls in self.calls]
        days = self._counted_days(everything)
        sounds: dict[Sound, Rated] = {}
        for calls in self.calls:
            add_sounds(calls, sounds)
        traffic = self.tables.traffic
        assert traffic is not None  # no calls are placed without
        hour = busiest(traffic.calls_per_hour)
        busy = [
            sums_of(calls, self._hours(calls) == hour, np.zeros(len(calls), np.intp), 1, self._poor_below)
            for calls in self.calls
        ]
        paths = [connected_paths(calls) for calls in self.calls]
        summary = replace(
            self.expected,
            year_seconds=np.tile(np.diff(bounds_of(self.horizon_s)), self.repetitions),
            calls=replace(days.calls, down=self._expected_days.calls.down),
            dropped=days.dropped,
            busy_hour=joined_calls(busy).total(),
            connected={p: sum(found.get(p, 0.0) for found in paths) for found in paths for p in found},
            sounds=sounds,
        )
        return call_figures(summary, self._resampling, traffic.calls_per_hour, self._poor_below)

    @property
    def _resampling(self) -> Resampling:
        """Of days."""
        days = self.repetitions * (len(bounds_of(self.horizon_s)) - 1)
        return resampling(days, self.seed, self.scenario.simulation.confidence)

    def _hours(self, calls: CallColumns) -> Floats:
        """Hour of the local week in which each call was offered."""
        return self.tables.zone.local_array(calls.offered) // HOUR % HOURS_PER_WEEK

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract, counted from calls; what calls do not tell is null."""
        from callsim import __version__  # noqa: PLC0415 - the package imports this module
        from callsim.scenario.load import scenario_hash  # noqa: PLC0415

        found = self.figures()
        down = unavailability(self.expected, self.seed, self.scenario.simulation.confidence)
        absent = ("mtbf_h", "mttr_min", "mttr_stages_min", "outages_per_year", "downtime_min_per_year")
        estimates = (
            "call_success",
            "dpm",
            "dropped_per_million",
            "blocked_per_million",
            "one_way_per_million",
        )
        again = self.again
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
            "redials": None if again is None else vars(again),
            "availability": {"gross": down.scaled(-1.0, 1.0).to_json(), "eligible": None, "claimed": None},
            **dict.fromkeys(absent),
            **{name: getattr(found, name).to_json() for name in estimates},
            "post_dial_delay_s": None if self.delays is None else dict(self.delays),
            "mos": None if found.mos is None else found.mos.to_json(),
            "directions": None
            if found.directions is None
            else {name: direction.to_json() for name, direction in found.directions.items()},
            "busy_hour": None if found.busy_hour is None else found.busy_hour.to_json(),
            **accounts_json(accounts((), (), self._resampling)),
            "causes": [],
            "units": [],
            "expected": {row.name: row.expected for row in self.beside()},
        }


@dataclass(frozen=True)
class _CallWork:
    """What a process needs to place calls."""

    tables: Tables
    seed: int
    seconds: float
    redials: bool

    def play(self, number: int, years: int) -> tuple[Summary, Timeline, CallColumns]:
        del years
        placed = place_calls(self.tables, number, self.seconds, self.seed, redials=self.redials)
        return reduced(self.tables, placed.replication)[0], placed.replication.timeline, placed.calls


def place(
    scenario: Scenario,
    horizon_s: float,
    repetitions: int = 1,
    seed: int | None = None,
    jobs: int = 1,
    *,
    redials: bool | None = None,
) -> Placed:
    """Place every call of `repetitions` stretches of `horizon_s` seconds, each a stream of its own.

    `redials`: whether callers try again; None: as the scenario says. Raises CallsimError without traffic and
    carriers, and for redials that the scenario does not have; KeyboardInterrupt before one stretch is done.
    """
    if scenario.traffic is None or not scenario.carriers:
        raise CallsimError("placing calls needs `traffic` and `carriers` in the scenario")
    if redials and scenario.traffic.redial is None:
        raise CallsimError("--redials needs `traffic.redial` in the scenario")
    redials = scenario.traffic.redial is not None and redials is not False
    seed = scenario.simulation.seed if seed is None else seed
    begun = time.monotonic()
    tables = build(scenario)
    work = _CallWork(tables, seed, horizon_s, redials)
    parts: dict[int, tuple[Summary, Timeline, CallColumns]] = {}
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
        scenario=scenario,
        tables=tables,
        seed=seed,
        horizon_s=horizon_s,
        repetitions=len(done),
        redials=redials,
        calls=[calls for _, _, calls in done],
        timelines=[timeline for _, timeline, _ in done],
        expected=merge([summary for summary, _, _ in done]),
        wall_s=time.monotonic() - begun,
        partial=partial,
    )
