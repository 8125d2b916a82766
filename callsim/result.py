"""The answer of a run: estimates with intervals, verdicts, causes, as the JSON contract names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from callsim.agreements.accounts import Accounts, Judgement, accounts
from callsim.exits import Exit
from callsim.hearing import BusyHour, CallFigures, Direction, Voice, call_figures
from results.draws import Again, Draws
from results.estimates import Estimate, Resampling
from results.summary import Summary
from results.timeline import Floats, Stage
from results.verdicts import Verdict
from sla.reckoning import Agreement

if TYPE_CHECKING:
    import pandas as pd

    from callsim.agreements.uncertainty import Uncertain
    from callsim.plots import Plots
    from callsim.scenario.model import Scenario
    from callsim.study import Study

FORMAT = 1
"""Version of `result.json`."""
HOUR = 3600.0
RESAMPLING_KEY = 0xE571
"""Keeps the bootstrap's random numbers apart from the streams'."""


@dataclass(frozen=True)
class Cause:
    """Failures that together made downtime."""

    causes: tuple[str, ...]
    downtime_share: float
    outages_per_year: float


@dataclass(frozen=True)
class UnitReport:
    """What one unit did; `importance` is Birnbaum's, `downtime_share` Fussell and Vesely's."""

    name: str
    failures_per_year: float
    downtime_share: float | None
    importance: float | None


@dataclass(frozen=True)
class Result:
    """Estimates of one scenario; an estimate of what the scenario has no part for is None."""

    scenario: Scenario
    scenario_hash: str
    study: Study
    availability: Estimate
    call_success: Estimate | None
    dpm: Estimate | None
    dropped_per_million: Estimate | None
    blocked_per_million: Estimate | None
    """Calls that do not connect for want of a channel; they are part of `dpm`."""
    one_way_per_million: Estimate | None
    """Calls that connect, and one side hears nothing; they are no part of `dpm`."""
    mos: Voice | None
    """How calls sound; None where no call is rated: without a codec, or where its figures are unknown."""
    directions: Mapping[str, Direction] | None
    """`outbound` and `inbound`; None where there are no calls to us."""
    busy_hour: BusyHour | None
    outages_per_year: Estimate
    downtime_min_per_year: Estimate
    mtbf_h: Estimate
    mttr_min: Estimate
    mttr_stages_min: Mapping[str, float | None]
    post_dial_delay_s: Mapping[str, float] | None
    accounts: Accounts
    """What the agreements make of it."""
    causes: Sequence[Cause]
    units: Sequence[UnitReport]
    assumptions: Sequence[str]
    uncertain: Uncertain | None = None
    """The parameters that were drawn for each stream; None: all are taken as known."""

    @property
    def objectives(self) -> Sequence[Judgement]:
        """What is promised, with how often it is kept."""
        return self.accounts.judgements

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict over all objectives that could be assessed; None without any."""
        verdicts = [judgement.verdict for judgement in self.objectives]
        for verdict in (Verdict.BREACHED, Verdict.INCONCLUSIVE, Verdict.MET):
            if verdict in verdicts:
                return verdict
        return None

    @property
    def exit_code(self) -> Exit:
        """What the command ends with."""
        if self.study.partial is not None and self.study.partial.startswith("interrupted"):
            return Exit.INTERRUPTED
        codes = {Verdict.BREACHED: Exit.BREACHED, Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE}
        verdict = self.verdict
        return codes.get(verdict, Exit.MET) if verdict is not None else Exit.MET

    @property
    def plot(self) -> Plots:
        """Plots on axes of one's own: `result.plot.downtime(ax)`."""
        from callsim.plots import Plots  # noqa: PLC0415 - matplotlib is slow to import

        return Plots(self)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract: the same for the same scenario, seed and years."""
        from callsim import __version__  # noqa: PLC0415 - the package imports this module

        def estimate(value: Estimate | None) -> dict[str, float | int | None] | None:
            return None if value is None else value.to_json()

        return {
            "format": FORMAT,
            "callsim": __version__,
            "scenario": self.scenario.name,
            "scenario_hash": self.scenario_hash,
            "seed": self.study.seed,
            "engine": "evaluated",
            "years": self.study.years,
            "partial": self.study.partial,
            "availability": {
                "gross": estimate(self.availability),
                "eligible": estimate(self.accounts.eligible),
                "claimed": estimate(self.accounts.claimed),
            },
            "call_success": estimate(self.call_success),
            "dpm": estimate(self.dpm),
            "dropped_per_million": estimate(self.dropped_per_million),
            "blocked_per_million": estimate(self.blocked_per_million),
            "one_way_per_million": estimate(self.one_way_per_million),
            "outages_per_year": estimate(self.outages_per_year),
            "downtime_min_per_year": estimate(self.downtime_min_per_year),
            "mtbf_h": estimate(self.mtbf_h),
            "mttr_min": estimate(self.mttr_min),
            "mttr_stages_min": dict(self.mttr_stages_min),
            "post_dial_delay_s": None if self.post_dial_delay_s is None else dict(self.post_dial_delay_s),
            "mos": None if self.mos is None else self.mos.to_json(),
            "directions": self._directions_json(),
            "busy_hour": None if self.busy_hour is None else self.busy_hour.to_json(),
            **accounts_json(self.accounts),
            "causes": [
                {
                    "causes": list(cause.causes),
                    "downtime_share": cause.downtime_share,
                    "outages_per_year": cause.outages_per_year,
                }
                for cause in self.causes
            ],
            "units": [
                {
                    "name": unit.name,
                    "failures_per_year": unit.failures_per_year,
                    "downtime_share": unit.downtime_share,
                    "importance": unit.importance,
                }
                for unit in self.units
            ],
            "assumptions": list(self.assumptions),
            **self._uncertain_json(),
        }

    def _uncertain_json(self) -> dict[str, Any]:
        if self.uncertain is None:
            return {}
        return {"uncertain": {"draws": self.study.draws, **self.uncertain.to_json()}}

    def _directions_json(self) -> dict[str, Any] | None:
        if self.directions is None:
            return None
        return {name: direction.to_json() for name, direction in self.directions.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates as a table, one row each (needs pandas)."""
        try:
            import pandas as pd  # noqa: PLC0415 - an extra
        except ImportError:
            raise ImportError("to_frame() needs pandas: pip install 'callsim[frames]'") from None

        rows = {name: estimate.to_json() for name, estimate in self.estimates().items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")

    def estimates(self) -> dict[str, Estimate]:
        """Return all estimates by name."""
        named = {
            "availability": self.availability,
            "downtime_min_per_year": self.downtime_min_per_year,
            "outages_per_year": self.outages_per_year,
            "mtbf_h": self.mtbf_h,
            "mttr_min": self.mttr_min,
            "call_success": self.call_success,
            "dpm": self.dpm,
            "dropped_per_million": self.dropped_per_million,
            "blocked_per_million": self.blocked_per_million,
            "one_way_per_million": self.one_way_per_million,
        }
        if self.mos is not None:
            named |= {"mos": self.mos.mean, "poor_share": self.mos.poor_share}
        for name, direction in (self.directions or {}).items():
            named[f"{name}_availability"] = direction.availability
            named[f"{name}_call_success"] = direction.call_success
        return {name: estimate for name, estimate in named.items() if estimate is not None}

    def _repr_html_(self) -> str:
        from callsim.report import html  # noqa: PLC0415 - only notebooks need it

        return html(self)


def accounts_json(found: Accounts) -> dict[str, Any]:
    """Return the keys of the contract that agreements fill."""
    return {
        "objectives": [
            {
                "agreement": judgement.agreement,
                "customer": judgement.customer,
                "objective": judgement.objective.name,
                "target": judgement.objective.target,
                "window": judgement.window,
                "risk": judgement.objective.risk,
                "met_share": judgement.met_share.to_json(),
                "verdict": None if judgement.verdict is None else judgement.verdict.value,
                "not_assessed": judgement.why_not,
            }
            for judgement in found.judgements
        ],
        "credits": (
            found.portfolio.to_json() if found.portfolio is not None and found.portfolio.promised else None
        ),
        "customers": [
            {"customer": figures.customer, "agreement": figures.agreement, **figures.to_json()}
            for figures in found.customers
            if figures.promised
        ],
        "promise": [
            {
                "agreement": judgement.agreement,
                "customer": judgement.customer,
                "objective": judgement.objective.name,
                "window": judgement.window,
                "risk": judgement.objective.risk,
                "target": judgement.promise.to_json(),
            }
            for judgement in found.judgements
            if judgement.promise is not None
        ],
        "not_assessed": list(found.not_assessed),
    }


def resampling(years: int, seed: int, confidence: float) -> Resampling:
    """Resamples of a run's years; the same for the same seed and number of years."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(RESAMPLING_KEY,))))
    return Resampling(years, rng, confidence)


def unavailability(summary: Summary, seed: int, confidence: float) -> Estimate:
    """Estimate the share of the time down."""
    again = resampling(len(summary.year_seconds), seed, confidence)
    return again.ratio(summary.downtime, summary.year_seconds, summary.outage_count)


def resampling_of(
    years: int, draws: int | None, seed: int, confidence: float, sizes: Floats | None = None
) -> Again:
    """Return what makes estimates of a run's years, which fall into so many `draws` of parameters.

    `sizes` (draws, parameters) are those of the parameters, as `Draws` takes them.
    """
    if draws is None:
        return resampling(years, seed, confidence)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(RESAMPLING_KEY, draws)))
    return Draws(draws, years, rng, confidence, sizes)


def half_width(summary: Summary, seed: int, confidence: float, draws: int | None = None) -> float:
    """Half-width of the interval on unavailability, as a share of it; infinity where there is none.

    With `draws` of parameters it is that of the simulation's noise; more years make no other narrower.
    """
    again = resampling_of(len(summary.year_seconds), draws, seed, confidence)
    estimate = again.ratio(summary.downtime, summary.year_seconds, summary.outage_count)
    low, high = (estimate.low, estimate.high) if estimate.noise is None else estimate.noise
    if low is None or high is None or not estimate.value:
        return float("inf")
    return (high - low) / 2 / estimate.value


def make_result(
    scenario: Scenario,
    scenario_hash: str,
    study: Study,
    agreements: Sequence[Agreement] = (),
    uncertain: Uncertain | None = None,
) -> Result:
    """Estimate everything from a study that was assessed under `agreements`; `uncertain` was drawn."""
    from callsim.assumptions import assumptions_of  # noqa: PLC0415 - it reads results

    confidence = scenario.simulation.confidence
    summary = study.summary
    count = summary.outage_count
    sizes = None
    if uncertain is not None and study.drawn is not None:
        sizes = uncertain.sizes(study.seed, study.drawn)
    again = resampling_of(len(summary.year_seconds), study.draws, study.seed, confidence, sizes)
    down, seconds = summary.downtime, summary.year_seconds
    traffic, voice = study.tables.traffic, study.tables.voice
    calls = CallFigures()
    if traffic is not None and summary.attempts.any():
        poor_below = None if voice is None else voice.poor_below
        calls = call_figures(summary, again, traffic.calls_per_hour, poor_below)
    unavailability = again.ratio(down, seconds, count)
    years = seconds.sum() / (365.25 * 24 * HOUR)
    a_year = np.full(len(seconds), 1.0) * seconds / (365.25 * 24 * HOUR)
    delays = summary.delay_percentiles((0.5, 0.95, 0.99))
    stages = {
        stage.name.lower(): float(total) / 60.0 / count if count else None
        for stage, total in zip(Stage, summary.stage_seconds.sum(axis=0), strict=True)
    }
    return Result(
        scenario=scenario,
        scenario_hash=scenario_hash,
        study=study,
        availability=unavailability.scaled(-1.0, 1.0),
        **vars(calls),
        outages_per_year=again.rate(summary.outages, a_year),
        downtime_min_per_year=again.ratio(down / 60.0, a_year, count),
        mtbf_h=again.rate(summary.outages, (seconds - down) / HOUR).inverse(),
        mttr_min=again.ratio(down / 60.0, summary.outages, count),
        mttr_stages_min=stages,
        post_dial_delay_s=dict(zip(("p50", "p95", "p99"), delays, strict=True)) if delays else None,
        accounts=accounts(agreements, study.reckonings, again),
        causes=_causes(summary, float(years)),
        units=_units(summary, float(years)),
        assumptions=assumptions_of(scenario, uncertain),
        uncertain=uncertain,
    )


def _causes(summary: Summary, years: float) -> list[Cause]:
    down = sum(totals.seconds for totals in summary.causes.values())
    found = [
        Cause(names, totals.seconds / down, totals.outages / years)
        for names, totals in summary.causes.items()
    ]
    return sorted(found, key=lambda cause: (-cause.downtime_share, cause.causes))


def _units(summary: Summary, years: float) -> list[UnitReport]:
    """Report the units that fail by themselves (planned work is a cause, not a unit)."""
    rows = zip(
        summary.unit_names,
        summary.unit_causes,
        summary.unit_failures.tolist(),
        summary.fussell_vesely,
        summary.birnbaum,
        strict=True,
    )
    return [
        UnitReport(name, failures / years, share, birnbaum)
        for name, own, failures, share, birnbaum in rows
        if own
    ]
