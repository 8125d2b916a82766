"""Outages and what is not known, of every subject, as one or several probers saw them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from results.incidents import Blindness, Episode, Lookout, State, Subject
from results.probes import Flags, Misses, Probes, Series, Telling, telling, unknown_of
from results.stretches import Stretches, inside, union
from results.timeline import Floats, Ints

Bound = Literal["shortest", "longest"]
NOWHERE = Stretches(np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Sight:
    """What is known of a subject between `since` and `until`, POSIX seconds."""

    subject: Subject
    since: float
    until: float
    outages: tuple[Episode, ...]
    """Sorted by `began_latest`; those that may lie in it at least in part."""
    unknown: Stretches
    """When nothing is known: neither up nor down."""
    state: State
    """At the end."""

    @property
    def known(self) -> float:
        """Seconds of which something is known."""
        return self.until - self.since - _total(self.unknown)

    def span(self, bound: Bound) -> tuple[Floats, Floats]:
        """Start and end of each outage, (n,) each: as short as it must have been, or as long as it can be.

        What was seen by one probe only must have had no length: then both are its end.
        """
        if bound == "longest":
            begins, ends = self._column("began_earliest"), self._column("ended_latest")
        else:
            begins, ends = self._column("began_latest"), self._column("ended_earliest")
            ends = np.maximum(begins, ends)
        return np.clip(begins, self.since, self.until), np.clip(ends, self.since, self.until)

    def seconds(self, bound: Bound) -> Floats:
        """Length of each outage, (n,), without what is unknown."""
        start, end = self.span(bound)
        return end - start - (self.unknown.before(end) - self.unknown.before(start))

    def down(self, bound: Bound, min_outage: float = 0.0) -> Stretches:
        """Time down, without what is unknown; of outages of at least `min_outage` seconds by that bound."""
        (start, end), long = self.span(bound), self.seconds(bound) >= min_outage
        return without(union(start[long], end[long]), self.unknown)

    def lasted(self, min_outage: float) -> tuple[Flags, Flags]:
        """Whether each outage lasted that long for certain, and whether it can have; (n,) each."""
        return self.seconds("shortest") >= min_outage, self.seconds("longest") >= min_outage

    def availability(self, bound: Bound, min_outage: float = 0.0) -> float | None:
        """Share of the known time that is up, if outages were as short, or as long, as they can be."""
        known = self.known
        return 1.0 - _total(self.down(bound, min_outage)) / known if known > 0 else None

    def _column(self, name: str) -> Floats:
        return np.array([getattr(outage, name) for outage in self.outages], dtype=np.float64)


@dataclass(frozen=True)
class Seen:
    """What probers saw: of each subject all together, and each location by itself."""

    whole: Mapping[str, Sight]
    by_location: Mapping[str, Mapping[str, Sight]]
    blind: Mapping[str, tuple[Episode, ...]]
    """When each location saw nothing though it should have."""
    own_side: Mapping[str, Stretches]
    """When each location alone saw all of its trunks down, which is its own matter."""

    def partial(self, name: str) -> Stretches:
        """When some locations saw a subject down, and others saw it up."""
        views = [sights[name] for sights in self.by_location.values() if name in sights]
        downs = [view.down("shortest") for view in views]
        ups = [_up(view) for view in views]
        edges = _edges(*downs, *ups)
        return where(edges, _some(downs, edges) & _some(ups, edges))


def see(
    probes: Probes,
    misses: Misses,
    subjects: Callable[[Sequence[Series]], Sequence[Subject]],
    reaches: Mapping[Series, float],
    since: float,
    until: float,
) -> Seen:
    """Find the outages between `since` and `until`; `subjects` gives those that some legs tell of.

    `reaches` has the legs, with for how many seconds a probe of each tells. Probes from before `since` say
    how things stood then; there must be none after `until`.
    """
    probes = probes.rows(np.isin(probes.series, [n for n, leg in enumerate(probes.of) if leg in reaches]))
    legs: dict[str, list[Series]] = {}
    for leg in reaches:
        legs.setdefault(leg.location, []).append(leg)
    own_side: dict[str, Stretches] = {}
    if len(legs) > 1:
        told = telling(probes, reaches)
        trunks = {
            location: _turns(probes, told, subjects(own), reaches, until) for location, own in legs.items()
        }
        own_side = {location: _own_side(location, trunks) for location in legs}
        probes = _without(probes, own_side, reaches)
    told = telling(probes, reaches)
    unknown = unknown_of(probes, misses, reaches, since, until)

    def sights(some: Sequence[Series]) -> dict[str, Sight]:
        return _sights(probes, told, subjects(some), (reaches, unknown), since, until)

    return Seen(
        whole=sights(list(reaches)),
        by_location={location: sights(own) for location, own in legs.items()},
        blind={location: _blind(probes, misses, own, reaches, until) for location, own in legs.items()},
        own_side=own_side,
    )


def without(stretches: Stretches, others: Stretches) -> Stretches:
    """Give what of the stretches lies in none of the others."""
    edges = _edges(stretches, others)
    return where(edges, inside(stretches, edges[:-1]) & ~inside(others, edges[:-1]))


def where(edges: Floats, flags: Flags) -> Stretches:
    """Join the stretches between edges (n + 1,) that have a flag (n,)."""
    return union(edges[:-1][flags], edges[1:][flags])


def _sights(
    probes: Probes,
    told: Telling,
    subjects: Sequence[Subject],
    legs: tuple[Mapping[Series, float], Mapping[Series, Stretches]],
    since: float,
    until: float,
) -> dict[str, Sight]:
    reaches, unknown = legs
    found: dict[str, list[Episode]] = {subject.name: [] for subject in subjects}
    lookout = Lookout(subjects, _of(subjects, reaches))
    for episode in dict.fromkeys(_follow(lookout, probes, told, until)):
        if episode.ended_latest > since:
            found[episode.subject].append(episode)
    states, sights = lookout.states, dict[str, Sight]()
    for subject in subjects:
        outages = tuple(sorted(found[subject.name], key=lambda one: one.began_latest))
        blank = Sight(subject, since, until, outages, NOWHERE, states[subject.name])
        parts = [sights[part.name] for part in subject.parts]
        dark = _unknown([unknown[leg] for leg in subject.legs], parts, since, until)
        sights[subject.name] = replace(blank, unknown=dark)
    return sights


def _of(subjects: Sequence[Subject], reaches: Mapping[Series, float]) -> dict[Series, float]:
    return {leg: reaches[leg] for subject in subjects for leg in subject.legs}


def _follow(lookout: Lookout, probes: Probes, told: Telling, until: float) -> list[Episode]:
    """Show a lookout the probes that tell, as far as it has their legs; gives every episode it changed."""
    touched: list[Episode] = []
    row = told.row
    columns = (probes.series[row], probes.started[row], probes.ended[row], probes.passed[row])
    for series, started, ended, passed, sees_until in zip(
        *(column.tolist() for column in columns), told.sees_until.tolist(), strict=True
    ):
        leg = probes.of[series]
        if not lookout.knows(leg):
            continue
        if passed < 0:
            touched += lookout.told_nothing(leg, ended)
        else:
            touched += lookout.look(leg, started, ended, passed == 1, sees_until)
    return touched + lookout.tick(until)


def _unknown(legs: Sequence[Stretches], parts: Sequence[Sight], since: float, until: float) -> Stretches:
    """Say when nothing is known: of views of one thing where all are dark."""
    edges = np.array([since, until])
    if not parts:
        edges = np.unique(np.concatenate((edges, _edges(*legs))))
        return where(
            edges, np.all([inside(leg, edges[:-1]) for leg in legs] or [edges[:-1] >= since], axis=0)
        )
    ups = [_up(part) for part in parts]
    darks = [part.unknown for part in parts]
    edges = np.unique(np.concatenate((edges, _edges(*ups, *darks))))
    return where(edges, ~_some(ups, edges) & _some(darks, edges))


def _up(sight: Sight) -> Stretches:
    """Say when a subject was up for certain."""
    all_ = Stretches(np.array([sight.since]), np.array([sight.until]))
    return without(without(all_, sight.unknown), sight.down("longest"))


# ---- the prober's own side


def _turns(
    probes: Probes,
    told: Telling,
    subjects: Sequence[Subject],
    reaches: Mapping[Series, float],
    until: float,
) -> dict[str, list[tuple[float, State]]]:
    """Give the states of each trunk that a location probes, each with since when."""
    trunks = [subject for subject in subjects if subject.level == "trunk" and subject.legs]
    turns: dict[str, list[tuple[float, State]]] = {trunk.name: [] for trunk in trunks}

    def turned(subject: Subject, state: State, at: float) -> None:
        turns[subject.name].append((at, state))

    _follow(Lookout(trunks, _of(trunks, reaches), turned=turned), probes, told, until)
    for states in turns.values():
        states.append((until, State.BLIND))
    return turns


def _own_side(location: str, trunks: Mapping[str, Mapping[str, list[tuple[float, State]]]]) -> Stretches:
    """Say when a location saw all of its trunks down, two at least, and another one saw one of them up."""
    own = trunks[location]
    if len(own) < 2:
        return NOWHERE
    downs = [_in(states, State.DOWN) for states in own.values()]
    ups = [
        _in(states, State.UP)
        for other, theirs in trunks.items()
        if other != location
        for name, states in theirs.items()
        if name in own
    ]
    edges = _edges(*downs, *ups)
    return where(edges, _every(downs, edges) & _some(ups, edges))


def _in(states: Sequence[tuple[float, State]], state: State) -> Stretches:
    at = np.array([since for since, _ in states])
    return where(at, np.array([which is state for _, which in states[:-1]], dtype=np.bool_))


def _without(probes: Probes, own_side: Mapping[str, Stretches], reaches: Mapping[Series, float]) -> Probes:
    """Take what failed at a prober's own side as saying nothing."""
    passed = probes.passed.copy()
    for number, leg in enumerate(probes.of):
        if leg in reaches and len(own := own_side[leg.location].start):
            # The first of the trunks was seen to fail before the last of them.
            begins = own - min(reaches[leg], 1e9)
            around = union(begins, own_side[leg.location].end + 1e-3)
            passed[(probes.series == number) & (passed == 0) & inside(around, probes.ended)] = -1
    return replace(probes, passed=passed)


def _blind(
    probes: Probes, misses: Misses, legs: Sequence[Series], reaches: Mapping[Series, float], until: float
) -> tuple[Episode, ...]:
    """Follow whether a location saw anything."""
    mine, untold = _reach(probes.of, probes.series, legs, reaches), probes.passed < 0
    missed = _reach(misses.of, misses.series, legs, reaches)
    silent, gone = ~np.isnan(mine) & untold, ~np.isnan(missed)
    at = np.concatenate((probes.ended[silent], misses.due[gone]))
    order = np.argsort(at, kind="stable")
    at, reach = at[order], np.concatenate((mine[silent], missed[gone]))[order]
    count = np.concatenate((np.ones(silent.sum(), dtype=np.int32), misses.count[gone]))[order]
    # Of the probes that tell, those around the slots that do not are enough.
    tells = ~np.isnan(mine) & ~untold
    ended, seen = probes.ended[tells], np.maximum.accumulate(probes.started[tells])
    sees_until = np.maximum.accumulate(probes.started[tells] + mine[tells])
    after = np.searchsorted(ended, at)
    near = np.unique(np.concatenate((after - 1, after)))
    near = near[(near >= 0) & (near < len(ended))]
    blindness, touched = Blindness(), list[Episode]()
    rows = [(ended[n], 1, n) for n in near] + [(t, 0, n) for n, t in enumerate(at)]
    for when, told, n in sorted(rows):
        if told:
            touched += blindness.look(float(seen[n]), float(when), float(sees_until[n]))
        else:
            touched += blindness.miss(float(when), float(reach[n]), int(count[n]))
    return tuple(dict.fromkeys(touched + blindness.tick(until)))


def _reach(
    of: Sequence[Series], series: Ints, legs: Sequence[Series], reaches: Mapping[Series, float]
) -> Floats:
    """Give the reach of each row's leg; NaN where it is not one of `legs`."""
    return np.array([*(reaches[leg] if leg in legs else np.nan for leg in of), np.nan])[series]


def _edges(*stretches: Stretches) -> Floats:
    return np.unique(np.concatenate([np.empty(0), *(t for one in stretches for t in (one.start, one.end))]))


def _some(stretches: Sequence[Stretches], edges: Floats) -> Flags:
    """Say of each stretch between edges (n + 1,) whether it lies in any of these, (n,)."""
    return np.asarray(_within(stretches, edges).any(axis=0))


def _every(stretches: Sequence[Stretches], edges: Floats) -> Flags:
    """Say of each stretch between edges (n + 1,) whether it lies in all of these, (n,)."""
    return np.asarray(_within(stretches, edges).all(axis=0))


def _within(stretches: Sequence[Stretches], edges: Floats) -> Flags:
    inner = edges[:-1]
    return np.array([inside(one, inner) for one in stretches], dtype=np.bool_).reshape(-1, len(inner))


def _total(stretches: Stretches) -> float:
    return float((stretches.end - stretches.start).sum())
