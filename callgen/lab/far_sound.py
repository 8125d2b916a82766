"""What a lab's carrier plays to its callers, packet by packet."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from callgen.signals import signal

RATE = 8000
"""Samples a second."""
FRAME = 160
"""Samples in a packet of 20 ms."""
QUIET = {"PCMU": b"\xff" * FRAME, "PCMA": b"\xd5" * FRAME}
"""A packet of silence in the codecs that can be written here (ITU-T G.711)."""

Codes = NDArray[np.uint8]


@cache
def frames(plays: str, codec: str) -> tuple[bytes, ...]:
    """Return the packets of what `callgen.signals.signal` calls so, to be played in a loop.

    `codec` is PCMU or PCMA. Raises ValueError as that does.
    """
    samples = np.clip(np.rint(signal(plays, RATE) * 32768), -32768, 32767).astype(np.int32)
    coded = (mu_law if codec == "PCMU" else a_law)(samples)
    padding = -len(coded) % FRAME
    whole = coded.tobytes() + QUIET[codec][:padding]
    return tuple(whole[at : at + FRAME] for at in range(0, len(whole), FRAME))


def mu_law(samples: NDArray[np.int32]) -> Codes:
    """Code samples of 16 bits (ITU-T G.711, Table 2)."""
    size = np.minimum(np.abs(samples), 32635) + 0x84
    exponent = np.floor(np.log2(size)).astype(np.int32) - 7
    code = (samples < 0) * 0x80 | exponent << 4 | size >> (exponent + 3) & 0x0F
    return np.asarray(~code & 0xFF, np.uint8)


def a_law(samples: NDArray[np.int32]) -> Codes:
    """Code samples of 16 bits (ITU-T G.711, Table 1)."""
    below = samples < 0
    size = np.where(below, ~samples, samples) >> 4
    exponent = np.maximum(np.floor(np.log2(np.maximum(size, 1))).astype(np.int32) - 3, 0)
    code = exponent << 4 | size >> np.maximum(exponent - 1, 0) & 0x0F
    return np.asarray((code | np.where(below, 0, 0x80)) ^ 0x55, np.uint8)
