"""Which faults a state of the service is down for, without those that make no difference."""

from __future__ import annotations

from sim.conditions import Conditions, Key
from sim.surroundings import Surroundings
from sim.tables import Tables
from sim.trunks import Trunks


class Blame:
    """Names causes; what a state needs to be down is found once."""

    def __init__(self, tables: Tables, conditions: Conditions, trunks: Trunks, around: Surroundings) -> None:
        self._conditions = conditions
        self._trunks = trunks
        self._around = around
        self._policy = trunks.policy
        self._first = 1 + len(self._policy.trunks)
        segments = len(tables.voice.segments) if tables.voice is not None else 0
        numbers = [number.home for number in tables.numbers]
        self._parts: list[tuple[int, ...]] = [
            (
                *(1 + trunk for trunk in carrier.trunks),
                *(self._first + segments + n for n, home in enumerate(numbers) if home == c),
            )
            for c, carrier in enumerate(self._policy.carriers)
        ]
        """Places in the key that are healed together: of each carrier, then of all else one by one."""
        rest = [*range(segments), *range(segments + len(numbers), len(around.codes))]
        self._parts += [(self._first + place,) for place in rest]
        self._needed: dict[Key, frozenset[int]] = {}

    def causes(self, key: Key) -> tuple[str, ...]:
        """Name the faults (past ones, where the router is behind) that make the state what it is."""
        parts = self._needed.get(key)
        if parts is None:
            parts = self._needed[key] = self._parts_needed(key)
        names = set()
        codes = self._trunks.codes
        for part in parts:
            for place in self._parts[part]:
                if place < self._first:
                    trunk = place - 1
                    incident = self._trunks.last_incident(trunk) if codes[trunk] != 1 else None
                else:
                    incident = self._around.incident(place - self._first)
                if incident is not None:
                    names.add(incident.cause)
        return tuple(sorted(names))

    def _parts_needed(self, key: Key) -> frozenset[int]:
        """Leave out, one by one, parts without whose trouble the service would be down all the same."""
        nominal = self._conditions.nominal
        needed = [
            n for n, part in enumerate(self._parts) if any(key[place] != nominal[place] for place in part)
        ]
        if not self._conditions.look(key)[1].down:
            return frozenset(needed)
        for candidate in list(needed):
            places = self._parts[candidate]
            healed = tuple(nominal[n] if n in places else code for n, code in enumerate(key))
            if self._conditions.look(healed)[1].down:
                key = healed
                needed.remove(candidate)
        return frozenset(needed)
