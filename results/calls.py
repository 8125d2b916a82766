"""Records of calls, columnar: one row each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CallColumns:
    """Calls in the order in which their setups ended; times in seconds since the stream's start."""

    offered: NDArray[np.float64]
    delay: NDArray[np.float64]
    """From the first INVITE to ringing, or to the end of a setup that failed."""
    carrier: NDArray[np.int32]
    """Index into `carriers` of who carried the call; -1: it did not connect."""
    attempts: NDArray[np.int32]
    status: NDArray[np.int32]
    """200, the last refusal (a local 408 for a timeout), or 0 where no INVITE was sent."""
    dropped_at: NDArray[np.float64]
    """Instants at which calls in progress were lost; not aligned with the other columns."""
    carriers: tuple[str, ...]

    @property
    def connected(self) -> NDArray[np.bool_]:
        """Which calls connected."""
        return np.asarray(self.carrier >= 0)
