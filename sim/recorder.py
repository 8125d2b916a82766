"""The notebook of a stream: rows of what was not nominal, incidents with their stages, calls dropped."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from carriers.calendars import HOUR, WEEK, Zone
from results.timeline import ClosedBy, Condition, Floats, Incidents, Stage, Timeline


class Incident:
    """One fault from its start to the end of its repair."""

    __slots__ = ("cause", "end", "index", "mode", "stages", "start", "unit")

    def __init__(self, index: int, unit: int, mode: int, cause: str, start: float) -> None:
        self.index = index
        self.unit = unit
        self.mode = mode
        self.cause = cause
        self.start = start
        self.end = math.inf
        self.stages: list[tuple[int, float]] | None = None
        """(stage, its start); None: a repair from the first moment on."""

    def enter(self, stage: Stage, now: float) -> None:
        """Begin a stage; one that lasted no time leaves no trace."""
        if self.stages is None:
            self.stages = []
        if self.stages and self.stages[-1][1] == now:
            self.stages.pop()
        if not self.stages or self.stages[-1][0] != stage:
            self.stages.append((stage, now))


NO_CONDITION = -1
"""What the time after the end is in."""


class Recorder:
    """Collects rows while a stream runs and turns them into a `Timeline`.

    Time before 0 is warm-up and leaves no rows.
    """

    def __init__(self, zone: Zone, record_nominal: bool) -> None:
        self._zone = zone
        self._record_nominal = record_nominal
        self._rows: list[Any] = []
        """Seven figures for each row, flat."""
        self._drops: list[tuple[float, float, Floats]] = []
        self._cause_ids: dict[tuple[str, ...], int] = {(): 0}
        self._incidents: list[Incident] = []
        self._start = -math.inf
        self._condition = 0
        self._causes = 0
        self._opener = -1

    def open_incident(self, unit: int, mode: int, cause: str, now: float) -> Incident:
        """Begin an incident."""
        incidents = self._incidents
        incident = Incident(len(incidents), unit, mode, cause, now)
        incidents.append(incident)
        return incident

    def change(
        self, now: float, condition: int, causes: tuple[str, ...], incident: Incident | None, via: ClosedBy
    ) -> None:
        """Enter a condition with its causes; nothing happens when both are as they were."""
        cause = self._cause_ids.setdefault(causes, len(self._cause_ids)) if causes else 0
        if condition == self._condition and cause == self._causes:
            return
        index = -1 if incident is None else incident.index
        if self._condition or self._record_nominal:
            start = self._start if self._start > 0.0 else 0.0
            if now > start:
                self._rows += (start, now, self._condition, self._causes, self._opener, index, via)
        self._condition = condition
        self._causes = cause
        self._opener = index
        self._start = now

    def drop(self, now: float, share: float, carried: Floats) -> None:
        """Count the share of the calls in progress that is lost, of `carried` (168,) by hour of the week."""
        if now >= 0.0:
            self._drops.append((now, share, carried))

    def finish(self, length: float, conditions: Callable[[int], Condition]) -> tuple[Timeline, Incidents]:
        """Close the record at `length` seconds; conditions and incidents that it lacks are left out."""
        self.change(length, NO_CONDITION, (), None, ClosedBy.OPEN)
        kept = [i for i in self._incidents if i.end > 0.0]
        place = np.full(len(self._incidents) + 1, -1, dtype=np.int32)
        place[[i.index for i in kept]] = np.arange(len(kept), dtype=np.int32)
        # What is let go here the cycle collector need not walk, when the whole stream is let go.
        self._incidents = []
        rows, self._rows = self._rows, []
        numbers = rows[2::7]
        # Numbered by first appearance: the ids of the process's cache depend on which streams it ran before.
        used = list(dict.fromkeys([0, *numbers]))
        renumbered = np.zeros(max(used) + 1, dtype=np.int32)
        renumbered[used] = np.arange(len(used), dtype=np.int32)
        drop_at, drop_calls = self._dropped()
        timeline = Timeline(
            length=length,
            start=np.asarray(rows[0::7], dtype=np.float64),
            end=np.asarray(rows[1::7], dtype=np.float64),
            condition=renumbered[np.asarray(numbers, dtype=np.intp)],
            causes=np.asarray(rows[3::7], dtype=np.int32),
            opener=place[np.asarray(rows[4::7], dtype=np.int32)],
            closer=place[np.asarray(rows[5::7], dtype=np.int32)],
            closed_by=np.frombuffer(bytes(rows[6::7]), dtype=np.uint8).astype(np.int32),
            conditions=tuple(conditions(number) for number in used),
            cause_sets=tuple(self._cause_ids),
            drop_at=drop_at,
            drop_calls=drop_calls,
        )
        return timeline, _columns(kept)

    def _dropped(self) -> tuple[Floats, Floats]:
        """Instants at which calls in progress were lost, and how many."""
        drops, self._drops = self._drops, []
        at = np.asarray([now for now, _, _ in drops])
        hours = (self._zone.local_array(at) % WEEK // HOUR).astype(int).tolist()
        hourly = zip(hours, drops, strict=True)
        calls = np.asarray([share * carried[hour] for hour, (_, share, carried) in hourly])
        some = calls > 0.0
        return at[some], calls[some]


def _columns(incidents: list[Incident]) -> Incidents:
    start = np.asarray([i.start for i in incidents], dtype=np.float64)
    staged = [(number, i.stages) for number, i in enumerate(incidents) if i.stages is not None]
    count = np.ones(len(incidents), dtype=np.int32)
    for number, stages in staged:
        count[number] = len(stages)
    first = np.concatenate(([0], np.cumsum(count))).astype(np.int32)
    # Most incidents have one stage, the repair; the few with others are written over that.
    kind, begins = np.full(first[-1], Stage.REPAIR, dtype=np.int32), np.repeat(start, count)
    for number, stages in staged:
        own = slice(first[number], first[number + 1])
        kind[own], begins[own] = zip(*stages, strict=True)
    return Incidents(
        unit=np.asarray([i.unit for i in incidents], dtype=np.int32),
        mode=np.asarray([i.mode for i in incidents], dtype=np.int32),
        start=start,
        end=np.asarray([i.end for i in incidents], dtype=np.float64),
        stage_first=first,
        stage_kind=kind,
        stage_start=begins,
    )
