"""Terms files, read with what they extend."""

from __future__ import annotations

from pathlib import Path

from callsim.scenario.levels import read_terms
from callsim.scenario.reading import validated
from sla.terms import Terms


def load_terms(path: Path | str) -> Terms:
    """Read the terms of an agreement, laid over those of the levels above that they extend.

    Files that are named are relative to the file that names them. Raises ScenarioError with everything
    that is wrong, each with the file and line that the value came from.
    """
    return validated(read_terms(str(path)), Terms)
