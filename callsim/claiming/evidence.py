"""Finds the probes that show an outage, with what else was seen meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from callgen.endpoint.tracing import blanked
from callsim.plan.model import Plan
from callsim.reading.legs import longest, reaches_of
from callsim.reading.looking import Looked
from results.incidents import Episode, Subject
from results.probes import Series
from results.sight import Sight
from results.store.entries import Call, Trace
from results.store.numbers import hashed
from results.store.store import Store
from results.stretches import inside, union

Role = Literal["last good", "failed", "says nothing", "first good"]
INSTANT = 1e-3
"""Seconds within which a probe is found again by the time at which it started."""
GOOD = 1


@dataclass(frozen=True)
class Shown:
    """A call that shows an outage."""

    role: Role
    call: Call
    trace: str | None
    """Its SIP messages, where they are kept."""

    @property
    def sip_call_id(self) -> str | None:
        """Call-ID of its last INVITE."""
        found = (self.call.record or {}).get("call_id")
        return None if found is None else str(found)

    @property
    def broken(self) -> tuple[str, ...]:
        """Expectations of its test that it did not keep."""
        return tuple(
            f"{check.get('expect')}: wanted {check.get('wanted')}, found {check.get('found')}"
            for check in self.call.checks
            if not check.get("kept")
        )


@dataclass(frozen=True)
class Evidence:
    """What was seen of one outage."""

    shown: tuple[Shown, ...]
    """By the time at which they started."""
    missed: Mapping[str, int]
    """Slots of its legs without a probe from its earliest beginning to its latest end, by reason."""
    gap: float | None
    """Longest known time, in seconds, from one failed probe to the next; None: it was seen once."""
    beside: int
    """Good probes over other trunks from the same locations, while it was down for certain."""
    beside_same_number: int
    """Of these, those that called a number which also failed."""

    def of(self, role: Role) -> tuple[Shown, ...]:
        """Give those of a role."""
        return tuple(one for one in self.shown if one.role == role)

    @property
    def failed(self) -> tuple[Shown, ...]:
        """Give the probes that failed, without the tries that were repeated."""
        return tuple(one for one in self.of("failed") if one.call.last)

    @property
    def locations(self) -> tuple[str, ...]:
        """From where it was seen."""
        return tuple(sorted({one.call.location for one in self.failed}))


def legs_of(subject: Subject) -> list[Series]:
    """Give all legs of a subject, those of its parts too."""
    return [*subject.legs, *(leg for part in subject.parts for leg in legs_of(part))]


def evidence_of(store: Store, looked: Looked, sight: Sight) -> tuple[Evidence, ...]:
    """Read what shows each outage of a subject; one for each of `sight.outages`."""
    reader = _Reader(store, looked, sight)
    return tuple(reader.evidence(episode) for episode in sight.outages)


@dataclass(frozen=True)
class _Run:
    """Probes of a leg around an outage: last good, those that failed, first good; rows of `Probes`."""

    leg: Series
    before: int | None
    bad: Sequence[int]
    after: int | None


class _Reader:
    def __init__(self, store: Store, looked: Looked, sight: Sight) -> None:
        self._store, self._looked = store, looked
        self._legs = tuple(dict.fromkeys(legs_of(sight.subject)))
        self._plan, self._probes = looked.plan, looked.probes
        self._tests = {test.name: test for test in self._plan.tests}
        self._unknown = sight.unknown
        self._key = store.number_key() if self._plan.numbers == "hashed" else None

    def evidence(self, episode: Episode) -> Evidence:
        runs = [run for leg in self._legs if (run := self._run(leg, episode)) is not None]
        shown = sorted((one for run in runs for one in self._shown(run)), key=lambda one: one.call.started_at)
        missed: Counter[str] = Counter()
        since = max(episode.began_earliest, self._looked.since)
        until = min(episode.ended_latest, self._looked.until)
        for slot in self._store.missed(self._plan.name, since, until):
            if Series(slot.location, slot.test, slot.over) in self._legs:
                missed[slot.reason] += slot.count
        beside, same = self._beside(episode, runs)
        return Evidence(tuple(shown), dict(missed), self._gap(runs), beside, same)

    def _run(self, leg: Series, episode: Episode) -> _Run | None:
        probes = self._probes
        if leg not in probes.of:
            return None
        (rows,) = np.nonzero((probes.series == probes.of.index(leg)) & (probes.passed >= 0))
        good = probes.passed[rows] == GOOD
        within = (probes.ended[rows] >= episode.began_earliest) & (
            probes.started[rows] <= episode.ended_latest
        )
        (bad,) = np.nonzero(within & ~good & ~self._own_side(leg, rows))
        if not len(bad):
            return None
        before, after = np.flatnonzero(good[: bad[0]]), np.flatnonzero(good[bad[-1] :])
        return _Run(
            leg,
            int(rows[before[-1]]) if len(before) else None,
            rows[bad].tolist(),
            int(rows[bad[-1] + after[0]]) if len(after) else None,
        )

    def _own_side(self, leg: Series, rows: np.ndarray) -> np.ndarray:
        """Whether what failed did so at the prober's own side, by rule 16 of docs/probes.md."""
        own = self._looked.seen.own_side.get(leg.location)
        if own is None or not len(own.start):
            return np.zeros(len(rows), dtype=np.bool_)
        reach = reaches_of(self._plan, [leg.location], [leg])[leg]
        around = union(own.start - min(reach, 1e9), own.end + INSTANT)
        return inside(around, self._probes.ended[rows])

    def _shown(self, run: _Run) -> Iterator[Shown]:
        leg, probes = run.leg, self._probes
        if run.before is not None:
            yield from self._at(run.before, leg, "last good")
        first, last = float(probes.started[run.bad[0]]), float(probes.started[run.bad[-1]])
        test = self._tests.get(leg.test)
        tries = 0.0 if test is None else longest(self._plan, test)
        since = first - tries
        if run.before is not None:
            since = max(since, float(probes.started[run.before]) + INSTANT)
        for call in self._calls(since, last + INSTANT, leg):
            if call.passed is not True:
                yield self._of(call, "says nothing" if call.passed is None else "failed")
        if run.after is not None:
            yield from self._at(run.after, leg, "first good")

    def _at(self, row: int, leg: Series, role: Role) -> Iterator[Shown]:
        started = float(self._probes.started[row])
        for call in self._calls(started - INSTANT, started + INSTANT, leg):
            if call.last and call.passed:
                yield self._of(call, role)
                return

    def _calls(self, since: float, until: float, leg: Series) -> Iterator[Call]:
        for call in self._store.calls(self._plan.name, since, until, leg.location):
            if (call.test, call.over) == (leg.test, leg.over):
                yield call

    def _of(self, call: Call, role: Role) -> Shown:
        sip = self._store.trace(call.id)
        # Blanked when it was kept; what an older prober may have kept is blanked here.
        trace = None if sip is None else Trace(id=call.id, sip=blanked(sip))
        if self._key is not None:
            call = hashed(call, self._key)
            trace = None if trace is None else hashed(trace, self._key)
        return Shown(role, call, None if trace is None else trace.sip)

    def _gap(self, runs: Iterable[_Run]) -> float | None:
        bad = sorted(row for run in runs for row in run.bad)
        spans = sorted((float(self._probes.started[row]), float(self._probes.ended[row])) for row in bad)
        starts, ends = np.array(spans, dtype=np.float64).reshape(-1, 2).T
        seen = np.maximum.accumulate(ends)[:-1]
        dark = self._unknown.before(starts[1:]) - self._unknown.before(seen)
        return max((starts[1:] - seen - dark).clip(0.0).tolist(), default=None)

    def _beside(self, episode: Episode, runs: Sequence[_Run]) -> tuple[int, int]:
        probes, mine = self._probes, {run.leg.location for run in runs}
        own = {leg.over for leg in self._legs}
        others = [
            number for number, leg in enumerate(probes.of) if leg.location in mine and leg.over not in own
        ]
        during = (probes.started >= episode.began_latest) & (probes.ended <= episode.ended_earliest)
        good = np.isin(probes.series, others) & (probes.passed == GOOD) & during
        failed = {self._number(run.leg) for run in runs}
        same = [number for number in others if self._number(probes.of[number]) in failed]
        return int(good.sum()), int((good & np.isin(probes.series, same)).sum())

    def _number(self, leg: Series) -> str | None:
        test = self._tests.get(leg.test)
        return None if test is None else test.to


def numbers_called(plan: Plan, sight: Sight) -> tuple[str, ...]:
    """Give the numbers that the tests of a subject call, as the plan has them."""
    tests = {leg.test for leg in legs_of(sight.subject)}
    return tuple(sorted({test.to for test in plan.tests if test.name in tests}))
