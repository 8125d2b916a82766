"""Reads from a store what probes told of the legs that a scenario predicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from callsim.errors import CallsimError
from callsim.plan.model import Plan
from callsim.reading.legs import reaches_of
from callsim.validating.facts import Facts, facts_of
from callsim.validating.fares import BINS
from callsim.validating.legs import Matching
from callsim.validating.pattern import Pattern, of_record
from callsim.validating.probing import MOS_BINS, Sums
from carriers.calendars import DAY
from results.probes import Flags, Probes, Series, misses_of
from results.sight import see
from results.timeline import Floats

if TYPE_CHECKING:
    from results.store.months import Distribution, LegSums
    from results.store.store import Store

SHORTEST = 60.0
"""Seconds of a record at least."""


@dataclass(frozen=True)
class Measured:
    """What probes told, and when they were placed."""

    pattern: Pattern
    facts: Mapping[str, Facts]


def measure(store: Store, plan: Plan, matching: Matching, since: float | None, until: float) -> Measured:
    """Read what was probed from `since` on (None: the first probe) until `until`, or the last probe.

    Raises CallsimError where no probe tells of anything that is compared.
    """
    begin = -math.inf if since is None else since
    own = [reach for reach in reaches_of(plan, [""]).values() if reach < math.inf]
    before = begin - max(DAY, 2.0 * max(own, default=0.0))
    probes = store.probes(plan.name, before, until)
    probes = probes.rows(probes.ended <= until)
    probes = probes.rows(_compared(probes, matching))
    told = probes.rows((probes.passed >= 0) & (probes.started >= begin))
    if not len(told):
        raise CallsimError(f"{store.name}: no probe of {plan.name} tells of {', '.join(matching.subjects)}")
    begin = float(told.started.min()) if since is None else begin
    end = min(until, float(probes.ended.max()) + 1e-3)
    if end - begin < SHORTEST:
        raise CallsimError(f"{store.name}: {end - begin:.0f} s of probing are nothing to compare")
    sums = {Series(one.location, one.test, one.over): one for one in store.month(plan.name, begin, end)}
    _whole(plan, probes, begin, {s: one for s, one in sums.items() if (s.test, s.over) in matching.legs})
    reaches = reaches_of(plan, sorted({one.location for one in probes.of}), sums)
    rows = [
        (Series(one.location, one.test, one.over), one.due_at, one.count)
        for one in store.missed(plan.name, before, end)
    ]
    misses = misses_of(row for row in rows if row[0] in reaches)
    pattern = of_record(probes, misses, reaches, matching, begin, end)
    seen = see(probes, pattern.misses, matching.subjects_of, pattern.reaches, begin, end)
    connected = _connected(store, plan, begin, end)
    calls = {series: _sums(sums[series], connected[series]) for series in pattern.slots if series in sums}
    return Measured(pattern, facts_of(seen, calls, matching, matching.subjects))


def _compared(probes: Probes, matching: Matching) -> Flags:
    numbers = [n for n, one in enumerate(probes.of) if (one.test, one.over) in matching.legs]
    return np.isin(probes.series, numbers)


def _whole(plan: Plan, probes: Probes, since: float, sums: Mapping[Series, LegSums]) -> None:
    """Raise CallsimError where calls are gone of which there are sums: nobody knows when they were."""
    there = int((probes.started >= since).sum())
    summed = sum(one.passed + one.failed + one.unknown for one in sums.values())
    if there < summed:
        raise CallsimError(
            f"of {summed:,} probes of {plan.name} in this time {summed - there:,} are pruned; "
            "begin later, with --since"
        )


def _connected(store: Store, plan: Plan, since: float, until: float) -> Counter[Series]:
    """Count the calls that were answered and failed their test all the same."""
    found: Counter[Series] = Counter()
    for call in store.calls(plan.name, since, until, only_failed=True):
        if call.last and call.sip_status is not None and 200 <= call.sip_status < 300:
            found[Series(call.location, call.test, call.over)] += 1
    return found


def _sums(one: LegSums, answered: int) -> Sums:
    return Sums(
        one.passed + one.failed,
        one.passed + answered,
        one.pdd.total,
        _bins(one.pdd, BINS),
        one.mos.total,
        _bins(one.mos, MOS_BINS),
    )


def _bins(of: Distribution, count: int) -> Floats:
    found = np.zeros(count)
    for number, calls in of.bins.items():
        found[min(max(number, 0), count - 1)] += calls
    return found
