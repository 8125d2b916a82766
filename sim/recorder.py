"""The notebook of a stream: rows of what was not nominal, incidents with their stages, calls dropped."""

from __future__ import annotations

import math

import numpy as np

from results.timeline import ClosedBy, Condition, Incidents, Stage, Timeline


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


class Recorder:
    """Collects rows while a stream runs and turns them into a `Timeline`.

    Time before 0 is warm-up and leaves no rows.
    """

    def __init__(self, record_nominal: bool) -> None:
        self._record_nominal = record_nominal
        self._rows: list[tuple[float, float, int, int, int, int, int]] = []
        self._drops: list[tuple[float, float]] = []
        self._cause_ids: dict[tuple[str, ...], int] = {(): 0}
        self.incidents: list[Incident] = []
        self._start = -math.inf
        self.condition = 0
        self._causes = 0
        self._opener = -1

    def open_incident(self, unit: int, mode: int, cause: str, now: float) -> Incident:
        """Begin an incident."""
        incident = Incident(len(self.incidents), unit, mode, cause, now)
        self.incidents.append(incident)
        return incident

    def change(
        self, now: float, condition: int, causes: tuple[str, ...], incident: Incident | None, via: ClosedBy
    ) -> None:
        """Enter a condition with its causes; nothing happens when both are as they were."""
        cause = self._cause_ids.setdefault(causes, len(self._cause_ids))
        if condition == self.condition and cause == self._causes:
            return
        index = -1 if incident is None else incident.index
        self._close(now, index, via)
        self.condition = condition
        self._causes = cause
        self._opener = index
        self._start = now

    def drop(self, now: float, calls: float) -> None:
        """Count calls in progress that are lost."""
        if now >= 0.0 and calls > 0.0:
            self._drops.append((now, calls))

    def _close(self, now: float, closer: int, via: ClosedBy) -> None:
        if (self.condition or self._record_nominal) and now > 0.0 and now > self._start:
            start = self._start if self._start > 0.0 else 0.0
            self._rows.append((start, now, self.condition, self._causes, self._opener, closer, via))

    def finish(self, length: float, conditions: tuple[Condition, ...]) -> tuple[Timeline, Incidents]:
        """Close the record at `length` seconds; conditions and incidents that it lacks are left out."""
        self._close(length, -1, ClosedBy.OPEN)
        kept = [i for i in self.incidents if i.end > 0.0]
        place = np.full(len(self.incidents) + 1, -1, dtype=np.int32)
        place[[i.index for i in kept]] = np.arange(len(kept), dtype=np.int32)
        rows = np.asarray(self._rows, dtype=np.float64).reshape(-1, 7)
        # Numbered by first appearance: the ids of the process's cache depend on which streams it ran before.
        used = {number: i for i, number in enumerate(dict.fromkeys([0, *rows[:, 2].astype(int).tolist()]))}
        condition = [used[number] for number in rows[:, 2].astype(int).tolist()]
        drops = np.asarray(self._drops, dtype=np.float64).reshape(-1, 2)
        timeline = Timeline(
            length=length,
            start=rows[:, 0],
            end=rows[:, 1],
            condition=np.asarray(condition, dtype=np.int32),
            causes=rows[:, 3].astype(np.int32),
            opener=place[rows[:, 4].astype(np.int32)],
            closer=place[rows[:, 5].astype(np.int32)],
            closed_by=rows[:, 6].astype(np.int32),
            conditions=tuple(conditions[i] for i in used),
            cause_sets=tuple(self._cause_ids),
            drop_at=drops[:, 0],
            drop_calls=drops[:, 1],
        )
        return timeline, _columns(kept)


def _columns(incidents: list[Incident]) -> Incidents:
    stages = [i.stages or [(int(Stage.REPAIR), i.start)] for i in incidents]
    flat = [stage for some in stages for stage in some]
    return Incidents(
        unit=np.asarray([i.unit for i in incidents], dtype=np.int32),
        mode=np.asarray([i.mode for i in incidents], dtype=np.int32),
        start=np.asarray([i.start for i in incidents], dtype=np.float64),
        end=np.asarray([i.end for i in incidents], dtype=np.float64),
        stage_first=np.cumsum([0, *(len(some) for some in stages)]).astype(np.int32),
        stage_kind=np.asarray([int(kind) for kind, _ in flat], dtype=np.int32),
        stage_start=np.asarray([start for _, start in flat], dtype=np.float64),
    )
