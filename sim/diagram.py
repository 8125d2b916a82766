"""The reliability block diagram: whether the platform works, and which failed units it is down for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sim.groups import Group
from sim.tables import Works


def works(node: Works, groups: Sequence[Group], spared: Iterable[int] = (), switched: bool = False) -> bool:
    """Whether a diagram works.

    `spared` are groups of which one more unit counts as working, once for each mention. With `switched`
    the switchovers under way count as over.
    """
    extra = list(spared)
    if node.units_of:
        return sum(groups[g].up + extra.count(g) for g in node.units_of) >= node.at_least
    if node.groups:
        return sum(_meets(groups[g], extra.count(g), switched) for g in node.groups) >= node.at_least
    return sum(works(part, groups, extra, switched) for part in node.parts) >= node.at_least


def _meets(group: Group, more: int, switched: bool) -> bool:
    return group.works or ((switched or more > 0) and group.up + more >= group.need)
