"""Which calls an agreement calls failing ones, as its own rule has it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from results.ledger import CallVolumes
from results.timeline import HOURS_PER_WEEK, Branch, Condition, Floats
from sla.remembered import remembered
from sla.terms import Exclusion

Names = frozenset[str]
"""What spoils calls, by the names that branches have: of a fault, a segment, a carrier, a codec."""


def spoilers(excludes: Collection[Exclusion], calls: CallVolumes) -> Names:
    """Names of what may spoil calls at no fault of the provider's.

    Only exclusions without conditions excuse a call: notice, hours and quotas are about stretches of time.
    """
    plain = {e.cause for e in excludes if e.notice is None and e.hours is None and e.quota is None}
    return frozenset(name for name, blame in calls.blames.items() if blame.value in plain)


def spoilt_by(branch: Branch) -> str:
    """Name what spoils calls that connect in this way; empty: nothing does."""
    heard = branch.heard
    if heard is None:
        return ""
    return heard.spoilt_by or (branch.carrier_fault if heard.one_way else "")


def fails(branch: Branch, kinds: Collection[str]) -> bool:
    """Whether calls that connect in this way are failing ones; a call is poor by the scenario's limit."""
    heard = branch.heard
    if heard is None:
        return False
    return "one_way_audio" in kinds if heard.one_way else "poor_audio" in kinds and bool(heard.spoilt_by)


def failing_share(condition: Condition, kinds: Collection[str], excused: Names = frozenset()) -> Floats:
    """Chance (168,) that an offered call is a failing one, without those that an excused cause spoils."""
    share = condition.lost if "not_connected" in kinds else np.zeros(HOURS_PER_WEEK)
    if not set(kinds) - {"not_connected"}:
        return share
    return np.minimum(share + _spoilt(condition, frozenset(kinds), excused)[0], 1.0)


def excused_share(condition: Condition, kinds: Collection[str], excused: Names) -> Floats:
    """Chance (168,) that an offered call would be a failing one, had not an excused cause spoilt it."""
    return _spoilt(condition, frozenset(kinds), excused)[1]


@remembered
def _spoilt(condition: Condition, kinds: frozenset[str], excused: Names) -> tuple[Floats, Floats]:
    """Chances (168,) that a call connects and is a failing one: those that count, and those excused."""
    counts, left_out = np.zeros(HOURS_PER_WEEK), np.zeros(HOURS_PER_WEEK)
    for branch in condition.branches:
        if fails(branch, kinds):
            chance = left_out if spoilt_by(branch) in excused else counts
            chance += branch.share
    return counts, left_out


def by_rule(calls: CallVolumes, kinds: Collection[str], excused: Names) -> CallVolumes:
    """Give calls of which as many fail as the rule of an agreement says."""
    conditions = (replace(c, failing=failing_share(c, kinds, excused)) for c in calls.conditions)
    return replace(calls, conditions=tuple(conditions))


def untold(calls: CallVolumes | None, kinds: Collection[str]) -> list[str]:
    """Kinds of failing calls that a record does not tell from good ones."""
    unknown = set(kinds) - {"not_connected"}
    for condition in calls.conditions if calls is not None and unknown else ():
        unknown -= _told(condition)
    return sorted(unknown)


@remembered
def _told(condition: Condition) -> Names:
    """Kinds of failing calls that a condition tells from good ones."""
    heard = [branch.heard for branch in condition.branches if branch.heard is not None]
    rated = any(sound.mos is not None for sound in heard)
    return frozenset(["one_way_audio"] * bool(heard) + ["poor_audio"] * rated)
