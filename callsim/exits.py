"""Exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    MET = 0
    """Done; every objective is met, or there was none; the call was answered, every test passed."""
    BREACHED = 1
    """At least one objective is breached; the call was not answered, a test failed."""
    USAGE = 2
    """The scenario, the plan or the command line is wrong, or a file cannot be read or written."""
    INCONCLUSIVE = 3
    """No objective is breached, and at least one interval straddles its target; the tool limited a load."""
    NOT_LIVE = 4
    """The live side cannot run on this machine."""
    GUARDED = 5
    """The guard refused a call, or a plan that could break its caps."""
    INTERNAL = 70
    """A fault of callsim's own (EX_SOFTWARE of sysexits.h)."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
    PIPE_CLOSED = 141
    """The reader of the answer went away before its end (128 + SIGPIPE)."""
