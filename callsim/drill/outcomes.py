"""What became of an episode, simulated or real: call by call, fault by fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from callsim.drill.stretch import Episode
from sim import Belief

AT_ONCE = 0.2
"""Seconds before a fault at which trunks may be taken out for it, where it was announced."""


@dataclass(frozen=True)
class Fate:
    """What became of a call; times in seconds, None for what is not known or did not happen."""

    at: float
    """When it was placed, on the episode's clock."""
    trunk: int | None
    """Who carried it; None: it did not connect."""
    status: int | None
    attempts: int
    delay: float | None
    """From its first INVITE to ringing; None: it did not connect."""
    dropped: bool
    mos: float | None = None
    one_way: bool | None = None
    lost_by_tool: bool = False
    """Our own process lost it: it says nothing."""


@dataclass(frozen=True)
class Account:
    """One side of an episode."""

    fates: tuple[Fate, ...]
    """Of the episode's calls, in their order."""
    beliefs: tuple[Belief, ...]
    faults: tuple[tuple[float, float], ...]
    """When each fault began and ended."""
    late: float = 0.0
    """Longest that our own clock was late."""


@dataclass(frozen=True)
class Course:
    """How one fault went; times in seconds from its beginning, that of recovery from its end.

    None: it did not happen within the episode.
    """

    detected: float | None
    """Until the router believed a trunk of it down."""
    failed_over: float | None
    """Until the first call rang that was placed afterwards and carried by another trunk."""
    recovered: float | None
    """Until the router believed all its trunks up again, and for good."""
    lost: int
    """Calls that did not connect, from its beginning to its recovery."""
    dropped: int


def courses(episode: Episode, account: Account) -> list[Course]:
    """Say how each fault of an episode went."""
    return [_course(episode, account, number) for number in range(len(episode.faults))]


def _course(episode: Episode, account: Account, number: int) -> Course:
    trunks = set(episode.faults[number].trunks)
    start, end = account.faults[number]
    down = [
        b.at for b in account.beliefs if b.trunk in trunks and not b.up and start - AT_ONCE <= b.at <= end
    ]
    detected = max(down[0] - start, 0.0) if down else None
    recovered = None
    if down:
        back = _all_up_at(account.beliefs, trunks, end)
        recovered = None if back is None else max(back - end, 0.0)
    over = [
        fate.at + (fate.delay or 0.0) - start
        for fate in account.fates
        if start <= fate.at <= end and fate.trunk is not None and fate.trunk not in trunks
    ]
    until = end if recovered is None else end + recovered
    touched = [fate for fate in account.fates if start <= fate.at <= until]
    return Course(
        detected=detected,
        failed_over=min(over) if over else None,
        recovered=recovered,
        lost=sum(fate.trunk is None and not fate.lost_by_tool for fate in touched),
        dropped=sum(fate.dropped and fate.trunk in trunks and fate.at <= end for fate in account.fates),
    )


def _all_up_at(beliefs: Sequence[Belief], trunks: set[int], end: float) -> float | None:
    """Instant, at the earliest `end`, from which on all trunks are believed up; None: one is not at last."""
    up = dict.fromkeys(trunks, True)
    at = end
    for belief in beliefs:
        if belief.trunk in trunks and up[belief.trunk] != belief.up:
            up[belief.trunk] = belief.up
            at = max(end, belief.at)
    return at if all(up.values()) else None
