"""Ledgers of what probes have seen, as short and as long as it can have been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.ledger import CORE_VOICE, Blame, Cause, Ledger, outage_table
from results.sight import Bound, Sight, without
from results.stretches import Stretches
from results.timeline import Floats


@dataclass(frozen=True)
class Measured:
    """Two ledgers of one subject and time, between which the truth lies."""

    shortest: Ledger
    """Outages as short as they must have been: what can be proven."""
    longest: Ledger
    """Outages as long as they can have been, and whenever nothing is known."""
    unknown: Stretches
    """When nothing is known."""

    @property
    def unknown_seconds(self) -> float:
        """Seconds of which nothing is known."""
        return float((self.unknown.end - self.unknown.start).sum())


def measured_of(sight: Sight) -> Measured:
    """Make the ledgers of what was seen of a subject; whose trunks these are is the provider there."""
    return Measured(_ledger(sight, "shortest"), _ledger(sight, "longest"), sight.unknown)


def _ledger(sight: Sight, bound: Bound) -> Ledger:
    start, end = sight.span(bound)
    noticed = np.array([outage.began_latest for outage in sight.outages], dtype=np.float64)
    parts = [without(Stretches(start[n : n + 1], end[n : n + 1]), sight.unknown) for n in range(len(start))]
    if bound == "longest":
        # Each stretch of which nothing is known may have been an outage of its own, noticed at its end.
        unseen = sight.unknown
        parts += [Stretches(unseen.start[n : n + 1], unseen.end[n : n + 1]) for n in range(len(unseen.start))]
        noticed = np.concatenate((noticed, unseen.end))
    sizes = [len(part.start) for part in parts]
    number = np.repeat(np.arange(len(parts)), sizes)
    begins, ends = (
        np.concatenate([np.empty(0), *(getattr(p, name) for p in parts)]) for name in ("start", "end")
    )
    order = np.argsort(begins, kind="stable")
    begins, ends, number = begins[order], ends[order], number[order]
    cause = (Cause(Blame.PROVIDER, sight.subject.name),)
    return Ledger(
        start=sight.since,
        end=sight.until,
        outages=outage_table(
            _milliseconds(begins),
            _milliseconds(ends),
            [cause] * len(number),
            outage=number.astype(np.int32),
            detected=_milliseconds(np.maximum(noticed[number], sight.since)),
        ),
        scopes=frozenset({CORE_VOICE}),
        known=frozenset({"detected"}),
    )


def _milliseconds(t: Floats) -> Floats:
    return np.asarray(np.round(t * 1000.0) / 1000.0)
