"""The time of day, with what the system knows of its error."""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Protocol

UNSYNCHRONISED = 0x40
"""STA_UNSYNC of Linux's `struct timex`."""
NANOSECONDS = 0x2000
"""STA_NANO: its `offset` is in nanoseconds, otherwise in microseconds."""


class Clock(Protocol):
    """What the watch loop reads; waiting is the event loop's."""

    def wall(self) -> float:
        """Give the POSIX time, which may jump."""

    def monotonic(self) -> float:
        """Give seconds that never jump; they may stand still while the machine sleeps."""


class SystemClock:
    """The clocks of this machine."""

    def wall(self) -> float:
        """Give the POSIX time."""
        return time.time()

    def monotonic(self) -> float:
        """Give seconds of the clock that the event loop has too."""
        return time.monotonic()


class _Timex(ctypes.Structure):
    """The head of Linux's `struct timex` (adjtimex(2)); the kernel writes into the room after it, too."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock_offset() -> float | None:
    """How far the system's clock is ahead, in seconds, as the kernel knows it from NTP; None: not known.

    The kernel holds what is still to be corrected, which is its opposite.
    """
    if not sys.platform.startswith("linux"):
        return None
    timex = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else offset_of(timex.offset, timex.status)


def offset_of(left: int, status: int) -> float | None:
    """Give the offset from what is left to correct, and the status word; None where it is not in step."""
    if status & UNSYNCHRONISED:
        return None
    return -left * (1e-9 if status & NANOSECONDS else 1e-6)
