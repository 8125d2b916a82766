"""What the store raises.

StoreError          a store cannot be opened, read or written
└── EntryError      an entry is such that no store takes it
"""

from __future__ import annotations


class StoreError(Exception):
    """A store cannot be opened, read or written; its text is one complete line without secrets."""


class EntryError(StoreError):
    """An entry is such that no store takes it; others may be written."""


def words_of(error: Exception) -> str:
    """Give the first line of what a database or the system says, without the statement."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror.lower()}"
    said = str(getattr(error, "orig", None) or error).strip()
    return said.partition("\n")[0] or type(error).__name__
