"""Judges what probes told by what a scenario makes them tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from callsim.plan.model import Plan
from callsim.validating.departing import more_failures, slower_repairs
from callsim.validating.facts import ADDITIVE, COLUMNS, Facts, Metric
from callsim.validating.fares import BINS
from callsim.validating.legs import Matching
from callsim.validating.pattern import Pattern, of_plan
from callsim.validating.probing import MOS_BINS
from callsim.validating.sampling import Part, Sample, sampled
from carriers.calendars import DAY
from results import agreement
from results.agreement import Agreement, Place, Statistic
from results.store.bins import MOS, PDD, STEP, edge
from results.timeline import Floats
from sim import Tables

STRETCHES, A_TEST, MOST = 1000, 100, 6000
"""Stretches that a record is set beside: so many at least, so many for each test, so many at most."""
LONGER = 600
"""Stretches that longer ones are made of, where it is asked how many data it takes."""
LONGEST_PART = 28.0
"""Days of each of them at most."""
CENTURIES = 100.0 * 365.25 * DAY
"""Seconds of probing beyond which nobody is told how long it takes."""
MOS_LOWER = 0.5
"""Points of MOS that are to be found missing."""
GRAIN = {Metric.MOS: STEP, Metric.MOS_P5: STEP}
"""What figures are not told apart by: a model gives one MOS where calls differ a little."""
MTTR, MTBF = "mttr", "mtbf"


@dataclass(frozen=True)
class Reference:
    """What a scenario makes probes tell: over the time of a record, and over as long as one likes."""

    matching: Matching
    pattern: Pattern
    null: Sample
    factor: float
    longer: Sample | None
    """Of stretches as the plan has them; None where it has no schedule."""
    departing: Mapping[str, Sample]
    """The same where repairs take `factor` times as long, and where failures come as many times as often."""
    seed: int
    _needed: dict[tuple[str, int, float], tuple[list[float], float]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def tests(self) -> list[tuple[int, Metric]]:
        """Figures that are predicted, by the number of their subject."""
        found = []
        for number in range(len(self.matching.subjects)):
            for metric in Metric:
                drawn = self.drawn(number, metric)
                if len(drawn) and not np.isnan(drawn).all():
                    found.append((number, metric))
        return found

    def drawn(self, subject: int, metric: Metric, count: int = 1) -> Floats:
        """Give what is predicted of a figure; of lengths the geometric mean of `count` outages in a row."""
        if metric is Metric.LENGTH:
            return np.exp(agreement.in_a_row(np.log(self.null.lengths[subject]), count))
        return np.asarray(self.null.values[:, subject, COLUMNS.index(metric)])

    def needed(self, kind: str, alpha: float) -> tuple[dict[tuple[int, Metric], float], float]:
        """Give the seconds of probing in which a departure is found by each test, and by any."""
        tests = [one for one in self.tests if one[1] in FIGURES]
        if self.longer is None or not tests:
            return {}, math.inf
        key = (kind, len(tests), round(alpha, 12))
        if key not in self._needed:
            seconds = float(self.longer.sums[0, 0, ADDITIVE.index("seconds")])
            figures = [partial(_figure, number, FIGURES[metric]) for number, metric in tests]
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(len(kind), len(tests))))
            each, any_ = agreement.stretches_needed(
                self.longer.sums, self.departing[kind].sums, figures, alpha, CENTURIES / seconds, rng
            )
            self._needed[key] = [n * seconds for n in each], any_ * seconds
        each, any_ = self._needed[key]
        return dict(zip(tests, each, strict=True)), any_


FIGURES: dict[Metric, tuple[str, str]] = {
    Metric.AVAILABILITY: ("down", "known"),
    Metric.OUTAGES: ("outages", "known"),
    Metric.LENGTH: ("log_length", "lengths"),
    Metric.CONNECTED: ("connected", "told"),
}
"""Those that are ratios of sums, so that longer stretches can be made of shorter ones."""
SHOWS = {
    Metric.AVAILABILITY: (MTTR, MTBF),
    Metric.CONNECTED: (MTTR, MTBF),
    Metric.OUTAGES: (MTBF,),
    Metric.LENGTH: (MTTR,),
}
"""Which departures a figure has to show."""


def _figure(subject: int, of: tuple[str, str], sums: Floats) -> Floats:
    above, below = (sums[:, subject, ADDITIVE.index(name)] for name in of)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0.0, above / below, np.nan)


def refer(
    drawn: Sequence[Tables],
    plan: Plan,
    matching: Matching,
    names: Mapping[str, str],
    pattern: Pattern,
    *,
    factor: float = 2.0,
    seed: int = 0,
    jobs: int = 1,
    stretches: int | None = None,
) -> Reference:
    """Simulate what probes tell of a scenario, or of several draws of its parameters, in equal parts.

    The answer does not depend on `jobs`. `stretches` is how many the record is set beside.
    """
    voice = any(tables.voice is not None for tables in drawn)
    tests = sum(3 + (3 + 2 * voice) * bool(matching.legs_of(one)) for one in matching.subjects)
    wanted = min(max(STRETCHES, A_TEST * tests), MOST) if stretches is None else stretches
    days = min(max(math.floor(pattern.length / DAY), 1), LONGEST_PART)
    longer = of_plan(plan, matching, pattern.since, days)
    each, more = (-(-count // len(drawn)) for count in (wanted, LONGER))
    parts = [Part(tables, pattern, each) for tables in drawn]
    if longer is not None:
        for change in (None, slower_repairs, more_failures):
            parts += [
                Part(tables if change is None else change(tables, factor), longer, more, whole_weeks=False)
                for tables in drawn
            ]
    samples = sampled(parts, plan, names, seed, jobs)
    null, *others = (Sample.joined(samples[n : n + len(drawn)]) for n in range(0, len(samples), len(drawn)))
    departing = dict(zip((MTTR, MTBF), others[1:], strict=False))
    return Reference(matching, pattern, null, factor, others[0] if others else None, departing, seed)


@dataclass(frozen=True)
class Compared:
    """One figure of one subject."""

    subject: str
    metric: Metric
    verdict: Agreement
    predicted: tuple[float, float, float] | None = None
    """Median, and the range in which it lies with the confidence."""
    measured: float | None = None
    interval: tuple[float, float] | None = None
    count: float = 0.0
    """Probes, calls or outages behind what was measured."""
    worth: float | None = None
    """How many independent ones they are worth."""
    place: Place | None = None
    adjusted: float | None = None
    """The p-value by Holm, over all figures of all subjects."""
    has: float = 0.0
    """Seconds of probing that there are."""
    needs: float | None = None
    """Seconds of probing that it takes to find a departure; inf: over a hundred years."""


@dataclass(frozen=True)
class Judged:
    """What a record makes of a scenario."""

    compared: tuple[Compared, ...]
    alpha: float
    factor: float
    asked: Mapping[str, float]
    """Seconds of probing in which any figure finds each departure."""

    @property
    def verdict(self) -> Agreement:
        """Inconsistent where any figure is, consistent where all that are judged are."""
        found = {one.verdict for one in self.compared}
        if Agreement.INCONSISTENT in found:
            return Agreement.INCONSISTENT
        if Agreement.TOO_FEW in found or Agreement.CONSISTENT not in found:
            return Agreement.TOO_FEW
        return Agreement.CONSISTENT


def judge(reference: Reference, facts: Mapping[str, Facts], alpha: float = 0.05) -> Judged:
    """Set what was measured beside what is predicted; `alpha` is the risk of any false alarm."""
    predicted = set(reference.tests)
    rows = []
    for number, subject in enumerate(reference.matching.subjects):
        for metric in Metric:
            if (number, metric) not in predicted:
                rows.append(Compared(subject, metric, Agreement.NOT_PREDICTED))
            else:
                rows.append(_compared(reference, number, metric, facts[subject], 1.0 - alpha))
    tested = [n for n, row in enumerate(rows) if row.place is not None]
    placed = [row.place.p for row in rows if row.place is not None]
    for n, adjusted in zip(tested, agreement.holm(placed), strict=True):
        rows[n] = replace(rows[n], adjusted=adjusted)
    # What nothing was seen of is no test; that asks for as many data as if all were.
    level = alpha / max(len(predicted), 1)
    needed = {kind: reference.needed(kind, level) for kind in (MTTR, MTBF)}
    judged = [_judged(reference, row, alpha, level, needed, facts) for row in rows]
    return Judged(tuple(judged), alpha, reference.factor, {kind: any_ for kind, (_, any_) in needed.items()})


def _compared(
    reference: Reference, subject: int, metric: Metric, facts: Facts, confidence: float
) -> Compared:
    """Place one figure among its draws, with what its own record leaves open."""
    name, value = reference.matching.subjects[subject], facts.value(metric)
    count = len(facts.lengths) if metric is Metric.LENGTH else 1
    drawn = reference.drawn(subject, metric, max(count, 1))
    if not len(drawn):  # more outages than were ever drawn
        drawn = reference.drawn(subject, metric, len(reference.null.lengths[subject]))
    tails = (1.0 - confidence) / 2.0
    middle, low, high = np.nanquantile(drawn, [0.5, tails, 1.0 - tails]).tolist()
    row = Compared(name, metric, Agreement.NOT_MEASURED, (middle, low, high), has=facts.known)
    if math.isnan(value):
        return (
            row
            if metric is not Metric.LENGTH or facts.known == 0.0
            else replace(row, verdict=Agreement.TOO_FEW)
        )
    independent = len(reference.null.lengths[subject]) / count if metric is Metric.LENGTH else None
    placed = agreement.place(value, drawn, GRAIN.get(metric, 0.0), independent)
    many, worth, interval = _left_open(metric, facts, drawn, value, confidence)
    return replace(
        row,
        verdict=Agreement.TOO_FEW,
        measured=value,
        interval=interval,
        count=many,
        worth=worth,
        place=placed,
    )


def _left_open(
    metric: Metric, facts: Facts, drawn: Floats, value: float, confidence: float
) -> tuple[float, float | None, tuple[float, float] | None]:
    """Give how much is behind a figure, what that is worth, and its interval."""
    sums = facts.sums
    match metric:
        case Metric.AVAILABILITY | Metric.CONNECTED:
            told = sums.told if sums is not None else 0
            many = told or facts.known / 60.0
            worth = agreement.effective_of_share(drawn, int(many))
            return told, worth, agreement.share_interval(value, worth, confidence)
        case Metric.OUTAGES:
            return facts.outages, None, agreement.rate_interval(facts.outages, facts.known, confidence)
        case Metric.LENGTH:
            logs = np.log(facts.lengths)
            spread = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
            found = agreement.mean_interval(float(logs.mean()), spread, len(logs), confidence)
            return len(logs), None, None if found is None else (math.exp(found[0]), math.exp(found[1]))
    assert sums is not None  # it has a value
    of_delay = metric in (Metric.PDD, Metric.PDD_P95)
    bins, number = (sums.pdd, BINS) if of_delay else (sums.mos, MOS_BINS)
    middles = np.array([edge(PDD if of_delay else MOS, n + 0.5) for n in range(number)])
    many = float(bins.sum())
    mean = float((bins * middles).sum()) / many
    spread = math.sqrt(max(float((bins * (middles - mean) ** 2).sum()) / many, 0.0))
    if metric in (Metric.PDD, Metric.MOS):
        worth = agreement.effective_of_mean(drawn, spread, many)
        return many, worth, agreement.mean_interval(value, spread, worth, confidence)
    # A quantile spreads as the share below it does; of that its draws tell how much it is worth.
    low, high = np.nanquantile(drawn, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    middle = float(np.nanmedian(drawn))
    return many, None, (value + float(low) - middle, value + float(high) - middle)


def _judged(
    reference: Reference,
    row: Compared,
    alpha: float,
    level: float,
    needed: Mapping[str, tuple[Mapping[tuple[int, Metric], float], float]],
    facts: Mapping[str, Facts],
) -> Compared:
    """Say what is made of a figure, with how many data it takes."""
    if row.verdict in (Agreement.NOT_PREDICTED, Agreement.NOT_MEASURED):
        return row
    subject = reference.matching.subjects.index(row.subject)
    has = facts[row.subject].known
    if row.metric in SHOWS:
        needs = max(needed[kind][0].get((subject, row.metric), math.inf) for kind in SHOWS[row.metric])
        has /= _known_share(reference, subject)
    else:
        needs = _calls_needed(reference, subject, row.metric, level) * has
    verdict = Agreement.CONSISTENT if has >= needs and row.place is not None else Agreement.TOO_FEW
    if row.adjusted is not None and row.adjusted <= alpha:
        verdict = Agreement.INCONSISTENT
    return replace(row, verdict=verdict, has=has, needs=needs)


def _known_share(reference: Reference, subject: int) -> float:
    """Share of the time of which the plan's own schedule lets something be known."""
    if reference.longer is None:
        return 1.0
    known, whole = (reference.longer.sums[:, subject, ADDITIVE.index(n)].sum() for n in ("known", "seconds"))
    return float(known / whole) or 1.0


def _calls_needed(reference: Reference, subject: int, metric: Metric, level: float) -> float:
    """Give how many times the record's calls it takes to find a delay or a MOS that is otherwise.

    Delays so many times as long as a departure is, MOS lower by `MOS_LOWER`; the spread shrinks as the square
    root of their number.
    """
    drawn = reference.drawn(subject, metric)
    drawn = drawn[~np.isnan(drawn)]
    of_delay = metric in (Metric.PDD, Metric.PDD_P95)
    other = drawn * reference.factor if of_delay else drawn - MOS_LOWER + GRAIN[metric]
    if (agreement.p_values(other, drawn) <= level).mean() >= agreement.POWER:
        return 1.0
    gap = abs(float(np.median(other) - np.median(drawn)))
    spread = float(drawn.std()) * max(reference.factor if of_delay else 1.0, 1.0)
    return agreement.times_needed(gap, spread, level)


__all__ = ["MTBF", "MTTR", "Compared", "Judged", "Reference", "Statistic", "judge", "refer"]
