"""What is down as probes tell it, one probe after the other, as docs/probes.md specifies it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal

from results.probes import Series

Level = Literal["leg", "trunk", "carrier", "service"]
Kind = Literal["outage", "poor_audio", "blind"]
SERVICE: Final = "service"
ROUTE = "route"
INBOUND = " to "
"""Between the trunks of an inbound leg."""


class State(IntEnum):
    """What is known of a subject at an instant."""

    BLIND = 0
    """Nothing: no probe has told of it for too long."""
    UP = 1
    PARTIAL = 2
    """Some that see it say down, and some say up."""
    DOWN = 3


@dataclass(frozen=True)
class Subject:
    """What can be down: a leg, a trunk, a carrier, the service."""

    name: str
    level: Level
    legs: tuple[Series, ...] = ()
    """Views of one thing: it is down where all that see it say so."""
    parts: tuple[Subject, ...] = ()
    """Things that stand in for each other: it is down where every one is known to be."""


def subjects_of(series: Iterable[Series], trunks: Sequence[str]) -> tuple[Subject, ...]:
    """Give the subjects that legs tell of, parts before what they are part of; `trunks` are all of the plan.

    The service is what goes by the router, where a test does that; else all trunks together.
    """
    legs = tuple(dict.fromkeys(series))
    by_leg: dict[str, list[Series]] = {}
    by_over: dict[str, list[Series]] = {}
    for leg in legs:
        by_leg.setdefault(f"{leg.test} over {leg.over}", []).append(leg)
        by_over.setdefault(leg.over, []).append(leg)
    found = [Subject(name, "leg", tuple(own)) for name, own in by_leg.items()]
    by_trunk = {name: Subject(name, "trunk", tuple(by_over.get(name, ()))) for name in trunks}
    found += by_trunk.values()
    by_carrier: dict[str, list[Subject]] = {}
    for name, subject in by_trunk.items():
        by_carrier.setdefault(name.rpartition("/")[0], []).append(subject)
    found += [Subject(name, "carrier", parts=tuple(parts)) for name, parts in by_carrier.items()]
    routed = tuple(by_over.get(ROUTE, ()))
    found.append(Subject(SERVICE, SERVICE, routed, () if routed else tuple(by_trunk.values())))
    return tuple(found)


@dataclass(eq=False)
class Episode:
    """A time in which something was wrong, as far as it is known; POSIX seconds.

    It began between `began_earliest` (-inf: before anything was seen) and `began_latest`. While it goes on
    `ended_latest` is inf, and `ended_earliest` is the last instant at which it was seen.
    """

    kind: Kind
    subject: str
    level: Level
    began_earliest: float
    began_latest: float
    ended_earliest: float
    ended_latest: float = math.inf
    probes: int = 0
    """Probes that were made meanwhile, those that told nothing too."""
    failed: int = 0
    """Probes that say so; of `blind` slots that told nothing."""
    cause: str | None = None
    """What the last probe that failed met, where somebody noted it."""

    @property
    def over(self) -> bool:
        """Whether its end was seen."""
        return self.ended_latest < math.inf


@dataclass(eq=False)
class _Leg:
    """One leg: its last probes, and the run of bad ones that goes on."""

    reach: float
    """Seconds from a probe's start for which it tells."""
    state: State = State.BLIND
    sees_until: float = -math.inf
    up_at: float = -math.inf
    """Start of its last good probe."""
    bad_at: float = -math.inf
    """Start of its last bad probe."""
    probes: int = 0
    failed: int = 0
    above: list[_Node] = field(default_factory=list)

    def look(self, started: float, good: bool) -> None:
        """Take in a probe that tells."""
        if good:
            self.state, self.up_at, self.probes, self.failed = State.UP, started, 0, 0
            return
        self.state, self.bad_at = State.DOWN, started
        self.probes += 1
        self.failed += 1


@dataclass(eq=False)
class _Node:
    """A subject, with its state and the episode that goes on."""

    subject: Subject
    members: Sequence[_Leg | _Node]
    state: State = State.BLIND
    episode: Episode | None = None

    # What a parent asks of a member that is down:

    @property
    def up_at(self) -> float:
        return self.episode.began_earliest if self.episode else -math.inf

    @property
    def bad_at(self) -> float:
        return self.episode.ended_earliest if self.episode else -math.inf

    @property
    def probes(self) -> int:
        return self.episode.probes if self.episode else 0

    @property
    def failed(self) -> int:
        return self.episode.failed if self.episode else 0

    def told(self) -> State:
        """Give the state that its members' states come to."""
        states = {member.state for member in self.members}
        bad, good = State.DOWN in states, not states.isdisjoint({State.UP, State.PARTIAL})
        if good:
            return State.PARTIAL if bad or State.PARTIAL in states else State.UP
        if not bad or (self.subject.parts and State.BLIND in states):
            return State.BLIND
        return State.DOWN

    def settle(self, at: float, kind: Kind) -> Episode | None:
        """Follow the members at an instant; gives the episode that began, went on or ended."""
        self.state = self.told()
        if self.state is State.DOWN:
            self._down(at, kind)
        elif self.episode is not None and self.state is not State.BLIND:
            ended, self.episode = self.episode, None
            ended.ended_latest = at
            return ended
        return self.episode

    def _down(self, at: float, kind: Kind) -> None:
        down = [member for member in self.members if member.state is State.DOWN]
        if self.episode is None:
            # Who saw it up last bounds the beginning, even if nothing is seen from there now.
            since = max(member.up_at for member in self.members)
            subject = self.subject
            self.episode = Episode(kind, subject.name, subject.level, since, at, -math.inf)
        episode = self.episode
        seen = min(member.bad_at for member in down)
        episode.ended_earliest = max(episode.ended_earliest, seen, episode.began_earliest)
        episode.probes = max(episode.probes, sum(member.probes for member in self.members))
        episode.failed = max(episode.failed, sum(member.failed for member in self.members))


Turned = Callable[[Subject, State, float], None]
"""Told when a subject's state has changed, and since when."""


class Lookout:
    """Follows legs probe by probe, and gives the episodes of their subjects.

    `reaches` has for how many seconds from its start a probe of each leg tells; inf: until the next.
    Instants never go back.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        reaches: Mapping[Series, float],
        kind: Kind = "outage",
        turned: Turned = lambda subject, state, at: None,
    ) -> None:
        self._kind, self._turned = kind, turned
        self._legs = {series: _Leg(reach) for series, reach in reaches.items()}
        self._nodes: dict[str, _Node] = {}
        for subject in subjects:
            members: list[_Leg | _Node] = [self._legs[leg] for leg in subject.legs]
            members += [self._nodes[part.name] for part in subject.parts]
            self._nodes[subject.name] = node = _Node(subject, members)
            for leg in set(_legs_of(subject)):
                self._legs[leg].above.append(node)
        self._next = math.inf
        """The first instant at which a leg is seen no longer."""

    def knows(self, series: Series) -> bool:
        """Whether it follows a leg."""
        return series in self._legs

    def look(
        self, series: Series, started: float, ended: float, good: bool, sees_until: float | None = None
    ) -> list[Episode]:
        """Take in a probe that tells; gives the episodes that it changed.

        `sees_until` is given where later good probes are left out.
        """
        touched = self.tick(ended)
        leg = self._legs[series]
        leg.sees_until = started + leg.reach if sees_until is None else sees_until
        self._next = min(self._next, leg.sees_until)
        leg.look(started, good)
        return touched + self._settle(leg, ended)

    def told_nothing(self, series: Series, at: float) -> list[Episode]:
        """Take in a probe that says nothing of what it probed."""
        touched = self.tick(at)
        leg = self._legs[series]
        if leg.failed:
            leg.probes += 1
            touched += self._settle(leg, at)
        return touched

    def tick(self, at: float) -> list[Episode]:
        """Let time go by; gives the episodes that this changed."""
        touched: list[Episode] = []
        while self._next < at:
            now = self._next
            for leg in self._legs.values():
                if leg.state is not State.BLIND and leg.sees_until == now:
                    leg.state = State.BLIND
                    touched += self._settle(leg, now)
            seeing = (leg.sees_until for leg in self._legs.values() if leg.state is not State.BLIND)
            self._next = min(seeing, default=math.inf)
        return touched

    @property
    def states(self) -> dict[str, State]:
        """State of each subject, by its name."""
        return {name: node.state for name, node in self._nodes.items()}

    @property
    def going_on(self) -> list[Episode]:
        """Episodes whose end was not seen."""
        return [node.episode for node in self._nodes.values() if node.episode is not None]

    def take_over(self, before: Lookout) -> list[Episode]:
        """Go on where another one is, before the first probe; gives the episodes that nobody follows now."""
        for series, leg in before._legs.items():
            if series in self._legs:
                mine = self._legs[series]
                self._legs[series] = leg
                leg.reach, leg.above = mine.reach, mine.above
                for node in leg.above:
                    node.members = [leg if member is mine else member for member in node.members]
        self._next = before._next
        left = []
        for name, node in before._nodes.items():
            if name in self._nodes:
                self._nodes[name].state, self._nodes[name].episode = node.state, node.episode
            elif node.episode is not None:
                left.append(node.episode)
        return left

    def _settle(self, leg: _Leg, at: float) -> list[Episode]:
        touched = []
        for node in leg.above:
            before = node.state
            episode = node.settle(at, self._kind)
            if node.state is not before:
                self._turned(node.subject, node.state, at)
            if episode is not None:
                touched.append(episode)
        return touched


def _legs_of(subject: Subject) -> list[Series]:
    return [*subject.legs, *(leg for part in subject.parts for leg in _legs_of(part))]


class Blindness:
    """Follows whether a prober sees anything: it is blind once slots tell nothing and no probe reaches on."""

    def __init__(self) -> None:
        self._seen = self._until = -math.inf
        self._first = self._last = math.nan
        """Instants of the slots that told nothing since."""
        self._missed = 0
        self._episode: Episode | None = None

    def look(self, started: float, ended: float, sees_until: float) -> list[Episode]:
        """Take in a probe that tells; gives the episode that it ended."""
        touched = self.tick(ended)
        self._seen, self._until = max(self._seen, started), max(self._until, sees_until)
        self._missed = 0
        if self._episode is not None:
            self._episode.ended_latest = ended
            touched, self._episode = [self._episode], None
        return touched

    def miss(self, at: float, reach: float, count: int = 1) -> list[Episode]:
        """Take in slots that told nothing, where a probe would have for `reach` s; gives what goes on."""
        if not self._missed:
            self._first = at
            self._until = max(self._until, at + reach) if math.isinf(self._seen) else self._until
        self._last = at
        self._missed += count
        if self._episode is not None:
            self._note(self._episode)
            return [self._episode]
        return self.tick(at)

    def tick(self, at: float) -> list[Episode]:
        """Let time go by; gives the episode that began."""
        if self._episode is not None or not self._missed or not self._until < at:
            return []
        began = max(self._until, self._first)
        self._episode = Episode("blind", SERVICE, SERVICE, self._seen, began, self._first)
        self._note(self._episode)
        return [self._episode]

    def _note(self, episode: Episode) -> None:
        episode.ended_earliest = max(self._last, episode.began_earliest)
        episode.probes = episode.failed = self._missed
