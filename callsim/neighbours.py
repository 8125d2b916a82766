"""Finds a user's own module that hides one of the packages beside this one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("callgen", "carriers", "documents", "results", "sim", "sla")


def in_the_way() -> str | None:
    """Return what is wrong where a `results.py` of somebody else would be imported in place of ours."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        try:
            spec = find_spec(name)
        except ValueError:  # a module made by hand, without a spec
            spec = None
        origin = spec.origin if spec is not None else None
        if origin is None or Path(origin).resolve().parent.parent != home:
            what = f"hides callsim's own package `{name}`; rename it, or run callsim from another folder"
            return f"{origin or name}: {what}"
    return None
