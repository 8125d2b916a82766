"""Reads the times of a log, which are local ones where they have no offset."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from callsim.fitting.observed import some
from documents.words import show


@dataclass
class LocalTimes:
    """Local time, with the lines whose times it was asked for."""

    zone: ZoneInfo
    bare: set[int] = field(default_factory=set)
    """Lines with a time that has no offset."""
    given: set[int] = field(default_factory=set)
    """Lines with one that has."""
    twice: set[int] = field(default_factory=set)
    """Lines with a local time that there is twice."""

    def read(self, cell: str, line: int) -> float:
        """Give POSIX seconds; a time without an offset is local time."""
        try:
            when = dt.datetime.fromisoformat(cell)
        except ValueError:
            raise ValueError(f"{show(cell)} is not a time; write one like 2026-10-01T12:00:00Z") from None
        if not 1970 <= when.year <= 9500:
            raise ValueError(f"{show(cell)} is too far off; write a year from 1970 to 9500")
        if when.tzinfo is not None:
            self.given.add(line)
            return when.timestamp()
        self.bare.add(line)
        local = when.replace(tzinfo=self.zone)
        if local.astimezone(dt.UTC).astimezone(self.zone).replace(tzinfo=None) != when:
            raise ValueError(
                f"the clocks of {self.zone} skip {show(cell)}; write a time that they showed, or its offset"
            )
        seconds = local.timestamp()
        if local.replace(fold=1).timestamp() != seconds:
            self.twice.add(line)
        return seconds

    def warnings(self) -> list[str]:
        """Say what was made of times that do not tell all."""
        told = []
        if self.bare and self.given:
            told.append(f"some rows have no offset: taken as {self.zone}")
        if self.twice:
            count = len(self.twice)
            has = "has a time" if count == 1 else "have times"
            told.append(f"{some(count, 'row')} {has} that the clocks showed twice: taken as the first")
        return told
