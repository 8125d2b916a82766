"""Ledgers of simulated streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from callsim.ledgers.outages import Story, outages_of
from callsim.ledgers.plan import LedgerPlan
from callsim.ledgers.requests import asked_for, made, merged
from results.ledger import CORE_VOICE, CallVolumes, Kind, Ledger, Requests
from sim.draws import generator

if TYPE_CHECKING:
    from callsim.study import Stretch

COUNTS_KEY = 0xCA115
"""Keeps counts of calls apart from all else that is drawn from the same seed."""


def ledger_of(plan: LedgerPlan, stretch: Stretch, seed: int) -> Ledger:
    """Make the ledger of a simulated stream, the same for the same seed; customers' devices are not in it."""
    table, story = outages_of(plan, stretch, seed)
    known = {"failing"}
    if plan.help is not None:
        known |= {"detected", "ticket_opened", "ticket_closed"}
    notifies = plan.help is not None and plan.help.notify is not None
    if notifies or any(np.isfinite(work.notice) for work in plan.planned):
        known.add("notice_given")
    users = plan.users.values()
    return Ledger(
        start=plan.zone.origin,
        end=plan.zone.origin + stretch.timeline.length,
        outages=table,
        scopes=frozenset({CORE_VOICE}),
        known=frozenset(known),
        users=None if not users or None in users else float(sum(n for n in users if n is not None)),
        requests=_requests(plan, stretch, seed, story),
        calls=_calls(plan, stretch, seed),
        notifies=notifies,
    )


def customer_ledger(plan: LedgerPlan, ledger: Ledger, customer: str, seed: int, stream: int) -> Ledger:
    """Give the ledger of one customer: their own users, the exchanges of their own devices."""
    users, devices = plan.users.get(customer), plan.handsets.get(customer)
    requests = ledger.requests
    if devices is not None:
        rng = generator(seed, stream, f"ledger/handsets/{customer}")
        exchanges = asked_for(plan, devices, ledger.end - ledger.start, rng)
        requests = merged([exchanges] if requests is None else [requests, exchanges])
    return replace(ledger, users=None if users is None else float(users), requests=requests)


def _requests(plan: LedgerPlan, stretch: Stretch, seed: int, story: Story) -> Requests | None:
    parts = []
    if plan.help is not None:
        tickets = np.isfinite(story.opened)
        waiting = np.zeros(int(tickets.sum()))
        times = (story.opened[tickets], story.responded[tickets], story.closed[tickets], waiting)
        parts.append(made(plan, Kind.TICKET, plan.help.priority, times))
    for number, asked in enumerate(plan.asked):
        rng = generator(seed, stretch.stream, f"ledger/requests/{number}")
        parts.append(asked_for(plan, asked, stretch.timeline.length, rng))
    return merged(parts)


def _calls(plan: LedgerPlan, stretch: Stretch, seed: int) -> CallVolumes | None:
    if plan.calls_per_hour is None:
        return None
    timeline = stretch.timeline
    return CallVolumes(
        timezone=plan.zone.timezone,
        calls_per_hour=np.asarray(plan.calls_per_hour),
        start=plan.posix(timeline.start),
        end=plan.posix(timeline.end),
        condition=timeline.condition,
        conditions=timeline.conditions,
        seed=(seed, stretch.stream, COUNTS_KEY),
        blames=plan.blames,
    )
