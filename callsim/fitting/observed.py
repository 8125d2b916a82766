"""What a log, or a store, has observed: records of outages by what failed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from callsim.errors import CallsimError
from carriers.faults import Kind
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
        """Keep what is called so, or belongs to it; of what has no row it is known that it did not fail.

        Raises CallsimError for a name that is another one misspelt.
        """
        kept: dict[str, tuple[Record, ...]] = {}
        warnings = list(self.warnings)
        for name in names:
            found = {
                key: value for key, value in self.records.items() if key == name or key.startswith(f"{name}/")
            }
            if not found:
                guess = _meant(name, self.records)
                if guess is not None:
                    raise CallsimError(f"no row is of {name}; did you mean {guess}?")
                found = {name: (untouched(self.since, self.until),)}
                warnings.append(f"no row is of {name}: taken as without a failure")
            kept |= found
        return replace(self, records=kept, warnings=tuple(warnings))

    def seen(self, name: str) -> float:
        """Seconds of which something is known, over all units together."""
        return sum(
            record.until - record.since - float((record.unseen.end - record.unseen.start).sum())
            for record in self.records[name]
        )

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


def some(count: int, what: str) -> str:
    """Write how many of something there are."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _meant(name: str, known: Collection[str]) -> str | None:
    """Guess which known name, or carrier of one, this is misspelt."""
    # Part by part: b/silent is near to a/silent, and another carrier.
    carriers, _, modes = zip(*(one.partition("/") for one in known), strict=True) if known else ((), (), ())
    carrier, slash, mode = name.partition("/")
    meant = _among(carrier, carriers)
    if meant is None:
        return None
    guess = f"{meant}{slash}{_among(mode, (*modes, *(kind.value for kind in Kind))) or mode}"
    # One that differs by its number only, like sbc-2 from sbc-1, is one more of them.
    return None if _unnumbered(guess) == _unnumbered(name) else guess


def _among(word: str, known: Collection[str]) -> str | None:
    return word if word in known else nearest(word, known)


def _unnumbered(name: str) -> str:
    return re.sub(r"[-_.]?\d+", "", name)


def untouched(since: float, until: float) -> Record:
    """Make the record of a time without a failure."""
    none = np.empty(0)
    return Record(since, until, none, none, none, none)
