"""The command `export`: records of a plan as a file."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from callsim.exits import Exit
from callsim.plan import Plan, load_plan
from callsim.reading.export import STDOUT, Format, columns_of, rows_of, write
from callsim.reading.looking import look, month_of
from callsim.store_command import opened
from results.sight import Sight
from results.store.entries import Call, Incident
from results.store.store import Store

What = Literal["calls", "incidents", "outages"]


@dataclass(frozen=True)
class Outage:
    """An outage of a subject, with the bounds of its ends and of its length."""

    location: str | None
    """None: as all locations together saw it."""
    subject: str
    level: str
    began_earliest: float | None
    began_latest: float
    ended_earliest: float | None
    ended_latest: float | None
    shortest_s: float
    """Seconds, without what is unknown."""
    longest_s: float
    probes: int
    failed: int


def export(
    path: Path,
    store: str | None,
    what: What,
    to: Format,
    out: str,
    month: tuple[dt.date, dt.date] | None,
    now: float | None = None,
) -> Exit:
    """Write what a store has of a plan: of a month, or all; outages of this month unless it says another."""
    plan = load_plan(path)
    now = time.time() if now is None else now
    since, until = (-math.inf, math.inf) if month is None else month_of(plan, month, now)
    with opened(store) as open_store:
        if what == "calls":
            columns = columns_of(Call)
            count = write(rows_of(open_store.calls(plan.name, since, until), columns), columns, to, out)
        elif what == "incidents":
            columns = columns_of(Incident)
            count = write(rows_of(open_store.incidents(plan.name, since, until), columns), columns, to, out)
        else:
            columns = columns_of(Outage)
            begin, end = month_of(plan, month, now)
            outages = _outages(open_store, plan, begin, min(end, now))
            count = write(rows_of(outages, columns), columns, to, out)
    if out != STDOUT:
        click.echo(f"{out}: {count:,} {what}", err=True)
    return Exit.MET


def _outages(store: Store, plan: Plan, since: float, until: float) -> Iterator[Outage]:
    seen = look(store, plan, since, until).seen
    for sight in seen.whole.values():
        yield from _told(None, sight)
    if len(seen.by_location) == 1:
        return  # it is all that there is
    for location, sights in seen.by_location.items():
        for sight in sights.values():
            yield from _told(location, sight)


def _told(location: str | None, sight: Sight) -> Iterator[Outage]:
    lengths = zip(sight.seconds("shortest").tolist(), sight.seconds("longest").tolist(), strict=True)
    for outage, (shortest, longest) in zip(sight.outages, lengths, strict=True):
        yield Outage(
            location,
            outage.subject,
            outage.level,
            None if math.isinf(outage.began_earliest) else outage.began_earliest,
            outage.began_latest,
            outage.ended_earliest if outage.over else None,
            outage.ended_latest if outage.over else None,
            shortest,
            longest,
            outage.probes,
            outage.failed,
        )
