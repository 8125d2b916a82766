"""What is worked out of a condition, kept for as long as the condition lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from results.timeline import Condition

More = TypeVarTuple("More")
Found = TypeVar("Found")


def remembered(make: Callable[[Condition, *More], Found]) -> Callable[[Condition, *More], Found]:
    """Work it out once for a condition with the same (hashable) arguments: streams share their conditions."""
    known: dict[tuple[object, ...], tuple[weakref.ref[Condition], Found]] = {}

    def find(condition: Condition, *more: *More) -> Found:
        # A condition has arrays, so that it has no hash.
        key = (id(condition), *more)
        if key not in known:
            dies = weakref.ref(condition, lambda _: known.pop(key, None))
            known[key] = dies, make(condition, *more)
        return known[key][1]

    return find
