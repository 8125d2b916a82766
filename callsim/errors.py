"""What callsim raises.

CallsimError            anything that a user can put right; `exit_code` says what a command ends with
├── ScenarioError       a scenario file, or a value given for one, is wrong: carries every `Problem`
└── WriteError          a file or folder cannot be written, or is in the way
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callsim.exits import Exit


class CallsimError(Exception):
    """Anything that a user can put right; its text is complete, and needs no traceback."""

    exit_code = Exit.USAGE


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what would be right."""

    file: str
    """The file as it was named, or `--set` for a value from the command line."""
    line: int | None
    """Counted from 1; None where it concerns the whole file or a `--set`."""
    path: str
    """Where in the scenario, like `carriers.boreal.channels`; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        """Write `FILE:LINE: PATH: what is wrong and what would be right`, always in one line."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        joined = f"{place} " if self.file == "--set" else f"{place}: "
        text = joined + ": ".join(part for part in (self.path, self.message) if part)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class ScenarioError(CallsimError):
    """A scenario is wrong; `problems` has everything that is, by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda p: (p.file, p.line or 0, p.path, p.message))
        super().__init__("\n".join(map(str, self.problems)))


class WriteError(CallsimError):
    """A file or folder cannot be written, or is in the way."""
