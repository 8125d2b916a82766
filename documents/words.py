"""Words of the messages about a scenario."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Keys and list indices, from the outside in."""
Trouble = tuple[Path, str]
"""What is wrong, and where, relative to something."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be."""
    matches = difflib.get_close_matches(
        word.lower(), folded := {k.lower(): k for k in known}, n=1, cutoff=0.7
    )
    return folded[matches[0]] if matches else None


def show(value: object) -> str:
    """Write a value of the file briefly, as a YAML reader would say it."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    return str(value)


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """Say that nothing is called `word`, and which name comes nearest."""
    known = list(known)
    guess = nearest(word, known)
    if guess:
        return f"no {what} is called '{word}'; did you mean '{guess}'?"
    if known:
        return f"no {what} is called '{word}'; there is {', '.join(known[:12])}"
    return f"no {what} is called '{word}'; there is none at all"
