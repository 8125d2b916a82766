"""The command `status`: a plan's state and month, or what a store has at all."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import click

from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.plan import load_plan
from callsim.reading.looking import DAY, look, month_of
from callsim.reading.standing import blind, standings
from callsim.reading.status_view import Status, terminal, to_json
from callsim.report import columns
from callsim.store_command import opened
from callsim.terminal import answer_width, say
from callsim.writing import check_target, write_json
from results.store.store import Store

Month = tuple[dt.date, dt.date]


def show(
    store: str | None,
    plan: Path | None,
    month: Month | None,
    json: str | None,
    now: float | None = None,
) -> Exit:
    """Print a plan's state; BREACHED where the service breaks its promise for certain."""
    check_target(json)
    now = time.time() if now is None else now
    with opened(store) as open_store:
        if plan is None:
            if month is not None or json is not None:
                raise click.UsageError("--month and --json go with a PLAN")
            click.echo(_overview(open_store, now))
            return Exit.MET
        status = status_of(open_store, plan, month, now)
    if json != "-":
        say(terminal(status, answer_width()))
    if json is not None:
        write_json(json, to_json(status))
    return Exit.BREACHED if status.breached else Exit.MET


def status_of(store: Store, path: Path, month: Month | None, now: float) -> Status:
    """Look at a month, or at this one so far; raises CallsimError for one that is still to come."""
    plan = load_plan(path)
    begin, end = month_of(plan, month, now)
    if begin >= now:
        raise CallsimError(f"{path}: that month is still to come")
    until = min(end, now)
    strip = (until - DAY, until) if end > now else (begin, end)
    looked = look(store, plan, begin, until, whole_from=until - DAY)
    return Status(looked, standings(looked, end - begin, strip), blind(looked), (begin, end), strip)


def _overview(store: Store, now: float) -> str:
    """Say whose records there are, and what is wrong now."""
    beats = store.heartbeats()
    if not beats:
        return f"{store.name}: no prober has written into it yet"
    rows: list[tuple[str, ...]] = [("plan", "location", "last sign of life", "incidents that go on")]
    for beat in beats:
        going_on = [
            f"{one.subject} {one.kind.replace('_', ' ')}"
            for one in store.incidents(beat.plan, since=now, location=beat.location)
            if one.ended_latest is None
        ]
        alive = dt.datetime.fromtimestamp(beat.at, dt.UTC)
        rows.append((beat.plan, beat.location, f"{alive:%Y-%m-%d %H:%M} UTC", ", ".join(going_on) or "none"))
    return "\n".join(columns(rows, answer_width()))
