"""Records of calls, columnar: one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from results.timeline import Floats, Heard, Ints

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class CallColumns:
    """Calls in the order in which their setups ended; times in seconds since the stream's start.

    All columns are (n,). A call whose setup had not ended when the record did has no row.
    """

    offered: Floats
    inbound: Flags
    """Calls to us."""
    delay: Floats
    """From the first INVITE to ringing, or to the end of a setup that failed; 0 for calls to us."""
    trunk: Ints
    """Index into `trunks` of what carried the call; -1: it did not connect."""
    carrier: Ints
    """Index into `carriers`; -1: it did not connect."""
    attempts: Ints
    """INVITEs that we sent, or 1 for a call to us that connected."""
    status: Ints
    """200, the last refusal (a local 408 for a timeout), or 0 where no INVITE was sent or none came to us.

    Of calls to us: 503 where no channel was free, 480 where the phone had not registered.
    """
    blocked: Flags
    """It did not connect, and met a carrier without a free channel or past its calls per second."""
    talk: Floats
    """From ringing to the end; nan: it did not connect, or was still up when the record ended."""
    dropped: Flags
    """It was lost in progress."""
    heard: Ints
    """Index into `sounds`; -1: nothing is known of how it sounded."""
    redial: Ints
    """0 for the first attempt of a caller, 1 for the second, and so on."""
    previous: Ints
    """Row of the same caller's attempt before; -1: there was none, or before the record began."""
    carriers: tuple[str, ...]
    trunks: tuple[str, ...]
    sounds: tuple[Heard, ...]

    def __len__(self) -> int:
        """Count the calls."""
        return len(self.offered)

    @property
    def connected(self) -> Flags:
        """Which calls connected."""
        return np.asarray(self.trunk >= 0)

    @property
    def set_up(self) -> Floats:
        """Instants at which their setups ended."""
        return self.offered + self.delay

    @property
    def mos(self) -> Floats:
        """Their MOS; nan where there is none."""
        return self._by_sound([np.nan if heard.mos is None else heard.mos for heard in self.sounds], np.nan)

    @property
    def one_way(self) -> Flags:
        """Which connected, and one side heard nothing."""
        return self._by_sound([float(heard.one_way) for heard in self.sounds], 0.0).astype(np.bool_)

    def _by_sound(self, values: Sequence[float], unknown: float) -> Floats:
        # -1 picks the last.
        return np.asarray([*values, unknown], dtype=np.float64)[self.heard]


BLOCK = 65_536
"""Rows that are kept as tuples at most."""


class CallRows:
    """Collects rows of calls, which become arrays in blocks."""

    def __init__(self) -> None:
        self._setups: list[tuple[float, ...]] = []
        self._ends: list[tuple[int, float, bool]] = []
        self._done: list[Floats] = []
        self._ended: list[Floats] = []
        self._rows = 0

    def set_up(self, *row: float) -> int:
        """Add offered, inbound, delay, trunk, attempts, status, blocked, heard, redial, previous.

        Returns the number of the row.
        """
        self._setups.append(row)
        number = self._rows
        self._rows = number + 1
        if len(self._setups) == BLOCK:
            self._done.append(np.array(self._setups))
            self._setups.clear()
        return number

    def end(self, row: int, talk: float, *, dropped: bool) -> None:
        """Tell how long the call of a row lasted, and whether it was lost."""
        self._ends.append((row, talk, dropped))
        if len(self._ends) == BLOCK:
            self._ended.append(np.array(self._ends, dtype=np.float64))
            self._ends.clear()

    def columns(
        self,
        carrier_of: Sequence[int],
        carriers: tuple[str, ...],
        trunks: tuple[str, ...],
        sounds: tuple[Heard, ...],
    ) -> CallColumns:
        """Give what was collected; `carrier_of` has the carrier of each trunk."""
        setups = np.concatenate([*self._done, np.asarray(self._setups, np.float64).reshape(-1, 10)])
        ends = np.concatenate([*self._ended, np.asarray(self._ends, np.float64).reshape(-1, 3)])
        talk, dropped = np.full(len(setups), np.nan), np.zeros(len(setups), dtype=np.bool_)
        row = ends[:, 0].astype(np.intp)
        talk[row], dropped[row] = ends[:, 1], ends[:, 2] > 0
        whole = setups[:, [3, 4, 5, 7, 8, 9]].astype(np.int32).T
        trunk, attempts, status, heard, redial, previous = (column.copy() for column in whole)
        return CallColumns(
            offered=setups[:, 0].copy(),
            inbound=setups[:, 1] > 0,
            delay=setups[:, 2].copy(),
            trunk=trunk,
            carrier=np.asarray([*carrier_of, -1], dtype=np.int32)[trunk],
            attempts=attempts,
            status=status,
            blocked=setups[:, 6] > 0,
            talk=talk,
            dropped=dropped,
            heard=heard,
            redial=redial,
            previous=previous,
            carriers=carriers,
            trunks=trunks,
            sounds=sounds,
        )
