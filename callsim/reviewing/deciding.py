"""Decides of each target whether to keep, raise or lower it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from callsim.agreements.accounts import oriented
from callsim.reviewing.predicting import Forecast
from callsim.reviewing.record import Counts, Record
from callsim.reviewing.targets import rounded
from results.agreement import in_a_row, place
from results.estimates import Estimate, share
from results.timeline import Floats
from results.verdicts import Verdict, judge
from sla.judging import worse
from sla.objectives import Objective
from sla.payoff import window_length
from sla.terms import Terms

LENGTHS = ("mttr", "downtime", "time_to_restore")
MEANS = ("availability", "downtime", "outages")
"""Objectives that are compared by the mean over windows; others by how many windows keep them."""
MOST_WINDOWS = 5000


class Say(Enum):
    """What is advised."""

    KEEP = "KEEP"
    RAISE = "RAISE"
    """Promise more."""
    LOWER = "LOWER"
    """Promise less."""
    CANNOT_SAY = "CANNOT SAY"


class Why(Enum):
    """What decided, where it is not the figures alone."""

    UNJUDGED = "probes cannot judge it"
    UNSEEN = "too little was seen"
    UNPREDICTED = "the scenario does not predict it"
    UNSURE = "neither tells for certain"
    DISAGREE = "the record and the model disagree"
    RECORD = "the record does not bear more"
    MODEL = "the model does not bear more"
    PROBES = "probes do not tell finer"


@dataclass(frozen=True)
class Disagreement:
    """A record that is not what the model predicts."""

    p: float
    better: bool
    """Whether what was measured is better than predicted."""


@dataclass(frozen=True)
class Advice:
    """What is advised of one objective, with what it rests on."""

    objective: Objective
    say: Say
    target: float | None
    """To which; None where it stays, or where nobody can tell how far."""
    why: Why | None
    record: Record
    counts: Counts
    kept: Estimate
    """Share of windows that keep it by the record (Clopper and Pearson); what is unclear may be either."""
    measured: Verdict | None
    """None where no window tells."""
    forecast: Forecast
    disagreement: Disagreement | None
    takes: int | None
    """Windows without another broken one after which the record alone would show that it is kept."""


def decide(
    terms: Terms, record: Record, forecast: Forecast, draws: int, cadence: float | None, confidence: float
) -> Advice:
    """Weigh a record and a forecast of one objective; `cadence` is the seconds from one probe to the next."""
    objective = record.objective
    counts = record.counts()
    kept = _kept(counts, confidence)
    measured = judge(kept, objective.risk) if counts.windows else None
    disagreement = _disagreement(record, forecast, draws, 1.0 - confidence)
    say, target, why = _say(record, forecast, (measured, disagreement), _finest(terms, objective, cadence))
    takes = windows_needed(counts.broken, objective.risk, confidence)
    return Advice(objective, say, target, why, record, counts, kept, measured, forecast, disagreement, takes)


def _say(
    record: Record,
    forecast: Forecast,
    judged: tuple[Verdict | None, Disagreement | None],
    finest: float | None,
) -> tuple[Say, float | None, Why | None]:
    objective, (measured, disagreement) = record.objective, judged
    few = 2 * int(record.counted.sum()) < len(record.labels)
    if Verdict.BREACHED in (measured, forecast.verdict):
        why = Why.DISAGREE if disagreement is not None and disagreement.better else None
        return Say.LOWER, _best(objective, forecast.safe, record.keepable(objective.risk)), why
    if record.why_not is not None or measured is None or few:
        return Say.CANNOT_SAY, None, Why.UNJUDGED if record.why_not is not None else Why.UNSEEN
    counts = record.counts()
    if forecast.verdict is not Verdict.MET:
        if not counts.kept:
            return Say.CANNOT_SAY, None, Why.UNSURE
        return Say.KEEP, None, Why.UNPREDICTED if forecast.verdict is None else Why.UNSURE
    limits = {
        Why.MODEL: forecast.safe,
        Why.RECORD: record.keepable(objective.risk),
        Why.PROBES: finest,
    }
    known = {why: limit for why, limit in limits.items() if limit is not None}
    target = _best(objective, *known.values()) if Why.MODEL in known and Why.RECORD in known else None
    if target is None or not _is_better(objective, target):
        blocked = (why for why, limit in known.items() if not _bears_more(objective, limit))
        return Say.KEEP, None, next(blocked, Why.MODEL)
    return (Say.RAISE, target, None) if disagreement is None else (Say.KEEP, None, Why.DISAGREE)


def _bears_more(objective: Objective, limit: float) -> bool:
    target = rounded(objective, limit)
    return target is not None and _is_better(objective, target)


def _is_better(objective: Objective, target: float) -> bool:
    return bool(worse(np.array([objective.target]), target, objective)[0])


def _best(objective: Objective, *limits: float | None) -> float | None:
    """Round the worst of some limits; None where there is none, or nothing that people would write."""
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    return rounded(objective, min(known) if objective.higher_is_better else max(known))


def _finest(terms: Terms, objective: Objective, cadence: float | None) -> float | None:
    """Return the best target that probes can tell: one that fails leaves two cadences open."""
    if cadence is None:
        return None
    if objective.name == "availability":
        return 1.0 - 2.0 * cadence / window_length(terms, objective)
    return 2.0 * cadence if objective.name in LENGTHS else None


def _kept(counts: Counts, confidence: float) -> Estimate:
    least = share(counts.kept, counts.windows, confidence)
    most = share(counts.windows - counts.broken, counts.windows, confidence)
    value = None if counts.unclear or not counts.windows else least.value
    return Estimate(value, least.low, most.high, confidence, counts.windows, least.lower, most.upper)


def windows_needed(broken: int, risk: float, confidence: float) -> int | None:
    """Count the windows of which all but `broken` have to keep a target to show that it holds at a risk."""
    low, high = broken + 1, MOST_WINDOWS
    if not _shows(high, broken, risk, confidence):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _shows(middle, broken, risk, confidence) else (middle + 1, high)
    return low


def _shows(windows: int, broken: int, risk: float, confidence: float) -> bool:
    return judge(share(windows - broken, windows, confidence), risk) is Verdict.MET


def _disagreement(record: Record, forecast: Forecast, draws: int, alpha: float) -> Disagreement | None:
    """Compare what was measured with stretches as long of what is predicted: both ends must lie outside."""
    told = record.counted
    size = int(told.sum())
    if forecast.verdict is None or not size or not draws:
        return None
    objective = record.objective
    by_mean = objective.name in MEANS
    predicted = oriented(forecast.actual, objective)[0] if by_mean else forecast.met.astype(np.float64)
    drawn = _stretches(predicted, draws, size)
    if by_mean:
        ends = [oriented(actual[told], objective)[0].mean() for actual in (record.longest, record.shortest)]
    else:
        counts = record.counts()
        ends = [counts.kept / size, 1.0 - counts.broken / size]
    independent = len(forecast.actual) / size
    places = [place(float(end), drawn, 1e-9, independent) for end in ends] if len(drawn) else []
    if not places or any(one.p > alpha for one in places) or places[0].above != places[1].above:
        return None
    return Disagreement(max(one.p for one in places), places[0].above)


def _stretches(values: Floats, draws: int, size: int) -> Floats:
    """Give the mean of each `size` windows in a row, of one draw where they fit in it."""
    each, rest = divmod(len(values), draws)
    if rest or size > each:
        return in_a_row(values, size)
    total = np.cumsum(np.pad(values.reshape(draws, each), ((0, 0), (1, 0))), axis=1)
    return np.asarray((total[:, size:] - total[:, :-size]) / size).ravel()
