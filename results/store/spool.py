"""Keeps lines in a file until they have landed elsewhere."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from results.store.errors import StoreError, words_of

try:
    import fcntl
except ImportError:  # Windows: nobody is kept out there
    fcntl = None  # type: ignore[assignment]


class Spool:
    """A queue of lines in a file, for one process; each is on the disk once `append` is back.

    What has landed is forgotten when all has: after a crash some lines are read again. Raises StoreError
    where the file cannot be had, or another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise StoreError(f"{path}: {words_of(error)}") from None
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._file)
                raise StoreError(f"{path}: another process has it; give each prober its own state") from None
        self._next = 0
        """Where the first line is that has not landed."""
        self.waiting = self._mend()

    def _mend(self) -> int:
        """Cut off a line that was not written to its end; how many whole ones there are."""
        os.lseek(self._file, 0, os.SEEK_SET)
        lines = end = 0
        with os.fdopen(os.dup(self._file), "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    lines += 1
                    end += len(line)
        self._end = end
        os.ftruncate(self._file, end)
        return lines

    def append(self, lines: list[str]) -> None:
        """Add lines, all or none of them; raises OSError."""
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            os.lseek(self._file, self._end, os.SEEK_SET)
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        self._end += len(data)
        self.waiting += len(lines)

    def first(self, most: int) -> list[bytes]:
        """Give the first lines that have not landed, up to `most`; raises OSError."""
        os.lseek(self._file, self._next, os.SEEK_SET)
        with os.fdopen(os.dup(self._file), "rb") as file:
            return [file.readline() for _ in range(min(most, self.waiting))]

    def landed(self, lines: list[bytes]) -> None:
        """Forget lines that `first` gave."""
        self._next += sum(map(len, lines))
        self.waiting -= len(lines)
        if self.waiting == 0:
            with suppress(OSError):  # else they are read again, and are there already
                os.ftruncate(self._file, 0)
                self._next = self._end = 0

    def close(self) -> None:
        """Let go of the file; it stays."""
        os.close(self._file)
