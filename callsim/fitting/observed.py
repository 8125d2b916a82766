"""What a log, or a store, has observed: records of outages by what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from documents.words import nearest
from results.fitting.spells import Record

POOLED = "pooled"
LEAST_SEEN = 86400.0
"""Seconds that have to be seen, over all units together, before laws are worth using."""
ALL = "all"
"""What a record without names is called."""


@dataclass(frozen=True)
class Observed:
    """Records (of one unit over one stretch each) by what failed, like `atlantic/silent`."""

    source: str
    """File or store."""
    sha256: str | None
    since: float
    until: float
    stretch: str
    """Which stretch that is, and where it is known from."""
    records: dict[str, tuple[Record, ...]]
    resolution: float = 0.001
    """Seconds to which times were written down."""
    warnings: tuple[str, ...] = ()
    unknown_mode: bool = False
    """Whether names are those of carriers and trunks, of which nobody noted how they failed."""

    def only(self, names: Sequence[str]) -> Observed:
        """Keep what is called so, or belongs to it; of what has no row it is known that it did not fail."""
        kept: dict[str, tuple[Record, ...]] = {}
        warnings = list(self.warnings)
        for name in names:
            found = {
                key: value for key, value in self.records.items() if key == name or key.startswith(f"{name}/")
            }
            if not found:
                found = {name: (untouched(self.since, self.until),)}
                guess = nearest(name, self.records)
                meant = f" (or did you mean '{guess}'?)" if guess else ""
                warnings.append(f"no row is of {name}: taken as without a failure{meant}")
            kept |= found
        return replace(self, records=kept, warnings=tuple(warnings))

    def pooled(self) -> Observed:
        """Take all as one kind of thing."""
        return replace(self, records={POOLED: tuple(r for some in self.records.values() for r in some)})

    def with_units(self, units: int) -> Observed:
        """Add units that have no row, up to so many of each kind."""
        more = {
            name: (*records, *[untouched(self.since, self.until)] * max(units - len(records), 0))
            for name, records in self.records.items()
        }
        return replace(self, records=more)


def untouched(since: float, until: float) -> Record:
    """Make the record of a time without a failure."""
    none = np.empty(0)
    return Record(since, until, none, none, none, none)
