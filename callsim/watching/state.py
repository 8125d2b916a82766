"""Where a prober keeps what outlives it on its own machine."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from callsim.errors import CallsimError
from callsim.live.errors import NotLiveError

LOCATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def location_of(name: str | None) -> str:
    """Check a location's name, this host's without one; raises CallsimError."""
    found = name or socket.gethostname() or "here"
    if LOCATION.fullmatch(found) is None:
        raise CallsimError(
            f"--location '{found}' is no name of a location; write letters, digits, '.', '_' and '-'"
        )
    return found


def state_folder() -> Path:
    """Give the folder of what this user's callsim keeps."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "callsim"


@dataclass(frozen=True)
class State:
    """The folder of one prober: of a plan at a location."""

    folder: Path

    @property
    def spool(self) -> Path:
        """Where records are that the store could not take yet."""
        return self.folder / "spool"

    @property
    def alerts(self) -> Path:
        """What has been told to whom."""
        return self.folder / "alerts.json"

    @property
    def recordings(self) -> Path:
        """WAV files."""
        return self.folder / "recordings"


@contextmanager
def state_of(folder: Path | None, plan: str, location: str) -> Iterator[State]:
    """Hold a prober's folder, which is made; raises NotLiveError where that cannot be."""
    state = State(folder or state_folder() / "watch" / f"{plan}@{location}")
    try:
        state.recordings.mkdir(parents=True, exist_ok=True)
        lock = os.open(state.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NotLiveError(
            f"{state.folder}: cannot be used: {(error.strerror or str(error)).lower()}"
        ) from None
    try:
        if not _locked(lock):
            who = os.read(lock, 20).decode(errors="replace").strip()
            raise NotLiveError(f"{plan} is watched from {location} already, by process {who or 'unknown'}")
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield state
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    """Take the lock, which ends with the process; True where the system has none."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
