"""Outages of a simulated stream, as a ledger tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from callsim.ledgers.plan import LedgerPlan, Planned
from callsim.ledgers.requests import open_time
from carriers.calendars import HOUR
from results.ledger import CORE_VOICE, Blame, Cause, OutageTable
from results.outages import Outages
from results.timeline import Floats, Incidents, Ints, Stage, Timeline
from results.weekly import LocalSpans, cut, tally
from sim.draws import generator

if TYPE_CHECKING:
    from callsim.study import Stretch

Flags = NDArray[np.bool_]
SAME = 1e-6
"""Seconds; work that lasts longer than planned by no more than this did not go wrong."""


@dataclass(frozen=True)
class Story:
    """Who knew what when, (n,) seconds since the stream's start for each outage; NaN: it did not happen."""

    detected: Floats
    """Somebody knows."""
    opened: Floats
    """A ticket is opened; none for planned work."""
    responded: Floats
    closed: Floats
    told: Floats
    """Customers are told of an outage that was not planned."""


@dataclass(frozen=True)
class _Pieces:
    """Stretches of outages in seconds since the stream's start, sorted, each with one set of causes."""

    start: Floats
    end: Floats
    outage: Ints
    names: Ints
    """Indexes the timeline's `cause_sets`."""
    late: NDArray[np.int64]
    """Bit n: the work `planned[n]` has lasted longer than planned."""

    def under(self, sets: tuple[tuple[str, ...], ...], cause: str) -> Flags:
        """Which have this cause."""
        return np.array([cause in names for names in sets], dtype=bool)[self.names]

    def cut(self, at: Floats) -> _Pieces:
        """Cut at these instants, sorted."""
        start, end, of = cut(self.start, self.end, at)
        return _Pieces(start, end, self.outage[of], self.names[of], self.late[of])


def outages_of(plan: LedgerPlan, stretch: Stretch, seed: int) -> tuple[OutageTable, Story]:
    """Tell the outages of a stream with their causes, in POSIX seconds, and who knew what when."""
    timeline, outages = stretch.timeline, stretch.outages
    pieces = _pieces(plan, timeline, stretch.incidents, outages)
    causes, cause_sets = _blamed(plan, timeline, pieces)
    alone = np.array([all(c.blame is Blame.MAINTENANCE for c in names) for names in cause_sets], dtype=bool)
    planned = np.bincount(pieces.outage[~alone[causes]], minlength=len(outages)) == 0
    story = _story(plan, stretch, seed, planned)
    unknown = np.full(len(causes), np.nan)
    end = plan.posix(pieces.end)
    table = OutageTable(
        start=plan.posix(pieces.start),
        end=np.where(pieces.end < timeline.length, end, np.inf),
        outage=pieces.outage,
        causes=causes,
        cause_sets=cause_sets,
        scope=np.zeros(len(causes), dtype=np.int32),
        scopes=(CORE_VOICE,),
        failing=_failing(plan, timeline, pieces),
        affected_users=unknown,
        detected=plan.posix(story.detected)[pieces.outage],
        ticket_opened=plan.posix(story.opened)[pieces.outage],
        ticket_closed=plan.posix(story.closed)[pieces.outage],
        notice_given=_notice_given(plan, timeline, stretch.incidents, pieces, plan.posix(story.told)),
        restored=unknown,
    )
    return table, story


# ---- causes


def _pieces(plan: LedgerPlan, timeline: Timeline, incidents: Incidents, outages: Outages) -> _Pieces:
    """Cut the outages' pieces where planned work begins to last longer than planned."""
    pieces = _Pieces(
        outages.piece_start,
        outages.piece_end,
        outages.piece_outage.astype(np.int32),
        outages.piece_causes,
        np.zeros(len(outages.piece_start), dtype=np.int64),
    )
    for bit, work in enumerate(plan.planned):
        if work.lasts < np.inf and pieces.under(timeline.cause_sets, work.cause).any():
            pieces = _overrun(pieces, timeline, work, bit, *work.spans(incidents))
    return pieces


def _overrun(
    pieces: _Pieces, timeline: Timeline, work: Planned, bit: int, start: Floats, end: Floats
) -> _Pieces:
    wrong = end > start + work.lasts + SAME
    if not wrong.any():
        return pieces
    start, end = start[wrong] + work.lasts, np.maximum.accumulate(end[wrong])
    pieces = pieces.cut(np.unique(start))
    latest = np.searchsorted(start, pieces.start, side="right") - 1
    over = (latest >= 0) & (pieces.start < end[latest]) & pieces.under(timeline.cause_sets, work.cause)
    return _Pieces(pieces.start, pieces.end, pieces.outage, pieces.names, pieces.late | over * (1 << bit))


def _blamed(
    plan: LedgerPlan, timeline: Timeline, pieces: _Pieces
) -> tuple[Ints, tuple[tuple[Cause, ...], ...]]:
    """Say whose matter the causes of each piece are: those that have gone wrong are the provider's."""
    numbers: dict[tuple[Cause, ...], int] = {}
    bits, bits_of = np.unique(pieces.late, return_inverse=True)
    pairs, which = np.unique(pieces.names * len(bits) + bits_of, return_inverse=True)
    names_of, late_of = np.divmod(pairs, max(len(bits), 1))
    found = []
    for names, late in zip(names_of.tolist(), bits[late_of].tolist(), strict=True):
        wrong = {work.cause for bit, work in enumerate(plan.planned) if late >> bit & 1}
        causes = tuple(
            Cause(Blame.PROVIDER if name in wrong else plan.blames[name], name)
            for name in timeline.cause_sets[names]
        )
        found.append(numbers.setdefault(causes or (Cause(Blame.PROVIDER),), len(numbers)))
    return np.array(found, dtype=np.int32)[which], tuple(numbers)


def _notice_given(
    plan: LedgerPlan, timeline: Timeline, incidents: Incidents, pieces: _Pieces, told: Floats
) -> Floats:
    """Say when customers were told of the planned work behind a piece, else of the outage; POSIX seconds."""
    given = np.full(len(pieces.start), -np.inf)
    planned = np.zeros(len(pieces.start), dtype=bool)
    for bit, work in enumerate(plan.planned):
        under = pieces.under(timeline.cause_sets, work.cause) & ((pieces.late >> bit & 1) == 0)
        if under.any():
            planned |= under
            starts = plan.posix(work.spans(incidents)[0])
            latest = starts[np.searchsorted(starts, plan.posix(pieces.start[under]), side="right") - 1]
            given[under] = np.maximum(given[under], np.round((latest - work.notice) * 1000.0) / 1000.0)
    return np.where(planned, given, told[pieces.outage])


def _failing(plan: LedgerPlan, timeline: Timeline, pieces: _Pieces) -> Floats:
    """Average the share of the offered calls that fail over each piece."""
    conditions = np.stack([condition.failing for condition in timeline.conditions])
    condition = timeline.condition[np.searchsorted(timeline.start, pieces.start, side="right") - 1]
    failing = conditions[condition, 0]
    (uneven,) = np.nonzero(np.ptp(conditions, axis=1)[condition] > 0)
    if len(uneven):
        rate = np.ones(conditions.shape[1])
        if plan.calls_per_hour is not None:
            # Where no calls are offered, none of them tells: then hours count alike.
            rate = np.asarray(plan.calls_per_hour) + 1e-9
        start, end, of = cut(pieces.start[uneven], pieces.end[uneven], plan.zone.changes)
        spans = LocalSpans(plan.zone, start, end)
        failed = tally(
            of, spans.integrate(conditions * rate / HOUR, condition[uneven][of].astype(np.intp)), len(uneven)
        )
        offered = tally(of, spans.integrate(rate[None] / HOUR, np.zeros_like(of)), len(uneven))
        failing[uneven] = np.minimum(failed / offered, 1.0)
    return np.asarray(failing)


# ---- tickets


def _story(plan: LedgerPlan, stretch: Stretch, seed: int, planned: Flags) -> Story:
    """Draw who knew what when; an outage that is over before is known to nobody."""
    outages, incidents = stretch.outages, stretch.incidents
    unknown = np.full(len(outages), np.nan)
    if plan.help is None:
        return Story(unknown, unknown, unknown, unknown, unknown)
    rng = generator(seed, stretch.stream, "ledger/tickets")
    noticed, responded = (
        np.maximum(_stage_end(incidents, outages.opener, stage), outages.start)
        for stage in (Stage.NOTICE, Stage.RESPOND)
    )
    drawn = outages.start + plan.help.notice.sample(rng, len(outages))
    known = np.where(np.isnan(noticed), drawn, noticed)
    known = np.where(known <= outages.end, known, np.nan)
    detected = np.where(planned, outages.start, known)
    opened = np.where(planned, np.nan, known)
    drawn = open_time(plan.zone, plan.help.hours).add(opened, plan.help.respond.sample(rng, len(outages)))
    responded = np.where(np.isnan(responded), drawn, np.maximum(responded, opened))
    told = unknown if plan.help.notify is None else opened + plan.help.notify.sample(rng, len(outages))
    end = np.where(outages.censored_end, np.inf, outages.end)
    return Story(
        detected=detected,
        opened=opened,
        responded=np.where(np.isnan(opened), np.nan, _happened(np.minimum(responded, end))),
        closed=np.where(np.isnan(opened), np.nan, _happened(end)),
        told=told,
    )


def _happened(t: Floats) -> Floats:
    """Write NaN for never."""
    return np.where(np.isfinite(t), t, np.nan)


def _stage_end(incidents: Incidents, which: Ints, stage: Stage) -> Floats:
    """Return when one of the first two stages of incidents (-1: none) was over; NaN without that stage."""
    found = np.full(len(which), np.nan)
    (some,) = np.nonzero(which >= 0)
    first, last = incidents.stage_first[which[some]], incidents.stage_first[which[some] + 1]
    for row in (first, first + 1):
        there = row < last
        there[there] = incidents.stage_kind[row[there]] == stage
        following = np.minimum(row + 1, len(incidents.stage_start) - 1)
        ends = np.where(row + 1 < last, incidents.stage_start[following], incidents.end[which[some]])
        found[some[there]] = ends[there]
    return found
