"""What a scenario with uncertain laws keeps of each objective, and what it could promise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click
import numpy as np

from callsim.agreements.accounts import oriented
from callsim.agreements.sla_judging import holder
from callsim.agreements.uncertainty import Uncertain
from callsim.api import simulate_under
from callsim.commands import RunOptions, stopped
from callsim.progress import shown
from callsim.result import resampling_of
from callsim.scenario.promises import in_zone
from results.draws import Again, Draws
from results.estimates import Estimate, share
from results.timeline import Floats
from results.verdicts import Verdict, judge
from sla.assessment import Flags
from sla.judging import worse
from sla.objectives import Objective
from sla.reckoning import Agreement, Reckoning
from sla.terms import Terms

if TYPE_CHECKING:
    from callsim.study import Study

FEWEST_YEARS, MOST_YEARS = 1000, 2400
"""Unless somebody asks for more: a review is to take less than a minute."""
YEARS_PER_DRAW = 10
DRAWS_AT_RISK = 2.4
"""Without a broken window n draws bound the share that breaks at about 1.9 / n: this leaves some room."""


@dataclass(frozen=True)
class Forecast:
    """One objective in the windows of all draws."""

    objective: Objective
    met_share: Estimate
    verdict: Verdict | None
    """None where it is not predicted."""
    promise: Estimate | None
    """Target that at most the share `risk` of windows breaks; `low` and `high` say where it lies, given
    what is known of the parameters. None where nothing tells."""
    actual: Floats
    """(w,) what each window measured, draw by draw."""
    met: Flags
    cost: float | None
    """Mean share of a month's fee that a broken window costs; None where that cannot be told."""
    why_not: str | None = None

    @property
    def safe(self) -> float | None:
        """The target that would be MET for certain."""
        if self.promise is None:
            return None
        return self.promise.low if self.objective.higher_is_better else self.promise.high


@dataclass(frozen=True)
class Forecasts:
    """A run of a refitted scenario."""

    years: int
    draws: int
    seed: int
    partial: str | None
    forecasts: tuple[Forecast, ...]
    """One for each objective."""


def years_for(risk: float) -> int:
    """Return years whose draws are enough to tell that a promise is kept at a risk."""
    return max(FEWEST_YEARS, int(np.ceil(DRAWS_AT_RISK / risk)) * YEARS_PER_DRAW)


def forecasts_of(uncertain: Uncertain, terms: Terms, options: RunOptions) -> Forecasts:
    """Simulate a scenario with what is not known of it, under terms whose objectives have their risks."""
    scenario = uncertain.scenario
    terms = in_zone(terms, scenario.timezone) or terms
    seed = scenario.simulation.seed if options.seed is None else options.seed
    years = options.years
    if years is None:
        years = min(max(years_for(one.risk) for one in terms.objectives), MOST_YEARS)
    plain = scenario.model_copy(
        update={"simulation": scenario.simulation.model_copy(update={"precision": None, "keep_years": 0})}
    )
    if not options.quiet:
        click.echo(f"simulating {years:,} years of {scenario.name}, refitted", err=True)
    with shown(scenario.name) as progress, stopped():
        result = simulate_under(
            plain,
            [Agreement(terms, holder(terms))],
            years,
            seed,
            jobs=options.jobs,
            uncertain=replace(uncertain, scenario=plain),
            progress=progress,
        )
    study = result.study
    again = _again(study, seed, scenario.simulation.confidence)
    (reckoning,) = study.reckonings
    forecasts = tuple(_forecast(terms, number, reckoning, again) for number in range(len(terms.objectives)))
    return Forecasts(study.years, study.draws or 0, seed, study.partial, forecasts)


def _again(study: Study, seed: int, confidence: float) -> Again:
    return resampling_of(len(study.summary.year_seconds), study.draws, seed, confidence)


def unpredicted(objective: Objective, why: str) -> Forecast:
    """Make the forecast of what no scenario tells."""
    no = np.empty(0, dtype=np.bool_)
    return Forecast(objective, share(0, 0), None, None, np.empty(0), no, None, why)


def _forecast(terms: Terms, number: int, reckoning: Reckoning, again: Again) -> Forecast:
    objective, why = terms.objectives[number], reckoning.why_not[number]
    if why is not None:
        return unpredicted(objective, why)
    actual, met = reckoning.actual[number], reckoning.met[number]
    if not len(met):
        return unpredicted(objective, "the years that were simulated hold no whole window")
    met_share = _share(again, met)
    promise = None if objective.consecutive > 1 else _keepable(actual, objective, again)
    cost = None
    if terms.credits and len(reckoning.due) == len(met) and not met.all():
        cost = float(reckoning.due[~met].mean())
    verdict = judge(met_share, objective.risk)
    made = Forecast(objective, met_share, verdict, promise, actual, met, cost)
    if verdict is Verdict.INCONCLUSIVE and made.safe is not None:
        # What keeps a target keeps an easier one. With few broken windows the bound is a coarser one, so that
        # the share kept of the easier one may be known less well.
        easier = not worse(np.array([made.safe]), objective.target, objective)[0]
        made = replace(made, verdict=Verdict.MET) if easier else made
    return made


def _share(again: Again, kept: Flags) -> Estimate:
    if isinstance(again, Draws):
        return again.share(kept)
    return share(int(kept.sum()), len(kept), again.confidence)


def _keepable(actual: Floats, objective: Objective, again: Again) -> Estimate | None:
    """Find the target kept in all but a share `risk` of the windows, and that for certain, and at best.

    The ends invert the test that gives a verdict: of all targets those that would be MET, and those that
    would not be BREACHED.
    """
    values, sign = oriented(actual, objective)
    targets = np.unique(values)
    wanted = 1.0 - objective.risk

    def last(sure: bool) -> float | None:
        """Find the best target of which a bound of the share kept is enough."""
        low, high = 0, len(targets)
        while low < high:
            middle = (low + high) // 2
            kept = _share(again, np.asarray(values >= targets[middle]))
            bound = kept.low if sure else kept.high
            if bound is not None and bound >= wanted:
                low = middle + 1
            else:
                high = middle
        return float(targets[low - 1]) if low else None

    value = float(np.sort(values)[int(objective.risk * len(values) * (1 + 1e-12))])
    worst, best = last(True), last(False)
    if not np.isfinite(value):
        return None
    low, high = (None if one is None or not np.isfinite(one) else one for one in (worst, best))
    return Estimate(value, low, high, again.confidence, len(values), low, high).scaled(sign)
