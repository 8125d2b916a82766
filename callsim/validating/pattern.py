"""When probes were placed, or are to be, whatever became of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from callsim.live.probing import legs_of
from callsim.plan.model import Plan
from callsim.reading.legs import reaches_of
from callsim.validating.legs import Matching, Place
from callsim.watching.slots import schedules
from carriers.calendars import DAY, WEEK
from results.probes import Flags, Misses, Probes, Series, misses_of
from results.timeline import Floats

SOMEWHERE = "somewhere"
"""Location of a prober that is thought of."""
SLACK = 5.0
"""Seconds by which a probe may begin later than its reach allows, in a record of somebody's clock."""


@dataclass(frozen=True)
class Pattern:
    """Instants at which legs are probed, POSIX seconds; from some time before `since`, too."""

    since: float
    until: float
    slots: Mapping[Series, Floats]
    """Sorted; of those that tell something of the carrier."""
    misses: Misses
    untold: Probes
    """Probes that say nothing of the carrier."""
    reaches: Mapping[Series, float]

    @property
    def lead(self) -> float:
        """Seconds before `since` of which there is something, at least."""
        first = [at[0] for at in (*self.slots.values(), self.untold.started, self.misses.due) if len(at)]
        return max(self.since - min(first, default=self.since), 0.0)

    @property
    def length(self) -> float:
        """Seconds."""
        return self.until - self.since

    def stride(self) -> float:
        """Seconds from one such stretch to the next in a stream: whole weeks."""
        return math.ceil((self.lead + self.length) / WEEK) * WEEK

    @cached_property
    def anchors(self) -> Mapping[Series, Flags]:
        """Probes that are never left out: the first and last, and those beside what tells nothing."""
        found = {}
        for series, at in self.slots.items():
            keep = np.zeros(len(at), dtype=np.bool_)
            keep[:1] = keep[-1:] = True
            far = np.diff(at) > self.reaches[series] - SLACK
            keep[1:] |= far
            keep[:-1] |= far
            holes = [self.untold.started[self._mine(self.untold, series)]]
            number = {one: n for n, one in enumerate(self.misses.of)}.get(series, -1)
            holes.append(self.misses.due[self.misses.series == number])
            after = np.searchsorted(at, np.concatenate(holes))
            keep[np.minimum(after, len(at) - 1)] = True
            keep[np.maximum(after - 1, 0)] = True
            found[series] = keep
        return found

    @staticmethod
    def _mine(probes: Probes, series: Series) -> Flags:
        number = {one: n for n, one in enumerate(probes.of)}.get(series, -1)
        return np.asarray(probes.series == number)

    def told(self, series: Series) -> int:
        """Count the probes of a leg that tell something, from `since` on."""
        return int((self.slots[series] >= self.since).sum())


def of_record(
    probes: Probes,
    misses: Misses,
    reaches: Mapping[Series, float],
    matching: Matching,
    since: float,
    until: float,
) -> Pattern:
    """Take the instants of a record, of the legs that are compared."""
    mine = {series: n for n, series in enumerate(probes.of) if (series.test, series.over) in matching.legs}
    slots = {}
    begun = np.where(np.isnan(probes.due), probes.started, np.minimum(probes.due, probes.started))
    for series, number in mine.items():
        told = (probes.series == number) & (probes.passed >= 0)
        if told.any():
            slots[series] = np.sort(begun[told])
    number_of = [n for series, n in mine.items() if series in slots]
    untold = probes.rows((probes.passed < 0) & np.isin(probes.series, number_of))
    kept = np.isin(misses.series, [n for n, series in enumerate(misses.of) if series in slots])
    return Pattern(
        since,
        until,
        slots,
        replace(misses, series=misses.series[kept], due=misses.due[kept], count=misses.count[kept]),
        untold,
        {series: reaches[series] for series in slots},
    )


def of_plan(plan: Plan, matching: Matching, since: float, days: float) -> Pattern | None:
    """Take the slots of a plan from an instant on, as one prober that misses none; None: it has none."""
    legs = [leg for leg in legs_of(plan, plan.tests) if leg.test.every is not None]
    until = since + days * DAY
    every = {Series(SOMEWHERE, leg.test.name, leg.over): leg for leg in legs}
    reaches = reaches_of(plan, [SOMEWHERE])
    own: dict[Place, Series] = {(one.test, one.over): one for one in every}
    slots = {}
    for schedule, (place, series) in zip(schedules(plan, legs), own.items(), strict=True):
        if place in matching.legs:
            lead = min(2.0 * reaches[series], DAY)
            slots[series] = np.sort(np.fromiter(schedule.between(since - lead, until), dtype=np.float64))
    slots = {series: at for series, at in slots.items() if len(at)}
    if not slots:
        return None
    nothing = np.empty(0)
    untold = Probes((), np.empty(0, np.int32), nothing, nothing, nothing, np.empty(0, np.int8), nothing)
    return Pattern(since, until, slots, misses_of([]), untold, {series: reaches[series] for series in slots})
