"""Keeps the probes of a single run as the prober keeps its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from callsim.errors import CallsimError
from callsim.live.probing import Probed
from callsim.plan.model import Plan
from callsim.watching.clock import clock_offset
from callsim.watching.keeping import LAND, put_of
from callsim.watching.recording import Books
from callsim.watching.state import location_of, state_folder
from results.store.entries import Document, Entry, new_id
from results.store.errors import StoreError
from results.store.keeper import Keeper


def write_probes(url: str, location: str | None, file: Path, plan: Plan, probed: Sequence[Probed]) -> None:
    """Write probes, which had no slot, to a store; while it is away they wait for the next run.

    Raises CallsimError where they cannot wait either.
    """
    books = Books(location_of(location), clock_offset)
    text = file.read_text(encoding="utf-8")
    entries: list[Entry] = [Document.of("plan", plan.name, text)]
    for one in probed:
        # One that the guard has refused is none; the plan's caps were met before the first call.
        if one.tested:
            entries += books.entries(plan, new_id(one.tries[0].started), None, one, counts=True)
    spool = state_folder() / f"{plan.name}@{books.location}.spool"
    try:
        spool.parent.mkdir(parents=True, exist_ok=True)
        keeper = Keeper(url, spool)
        try:
            put_of(keeper, lambda: plan)(*entries)
            if not keeper.drain(LAND):
                why = keeper.state.why or "it takes long"
                click.echo(f"NOTE: records wait in {spool} for the next run: {why}", err=True)
        finally:
            keeper.close()
    except (StoreError, OSError) as error:
        raise CallsimError(str(error)) from None
