"""What ends a live command before there is an answer."""

from __future__ import annotations

from callsim.errors import CallsimError
from callsim.exits import Exit


class NotLiveError(CallsimError):
    """The live side cannot run on this machine."""

    exit_code = Exit.NOT_LIVE


class GuardedError(CallsimError):
    """The guard refuses what was asked for, before anything is sent."""

    exit_code = Exit.GUARDED
