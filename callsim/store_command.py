"""What the commands about the store do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.figures import plain_duration
from callsim.plan import load_plan
from callsim.watching.state import state_folder
from callsim.writing import check_target, write_json
from results.store import erasing, moving
from results.store.errors import StoreError
from results.store.opening import open_store
from results.store.store import Store
from results.store.upkeep import Info

FORMAT = 1


def default_url() -> str:
    """Give the URL of this user's store."""
    return f"sqlite:///{state_folder() / 'store.db'}"


@contextmanager
def opened(url: str | None, *, create: bool = False) -> Iterator[Store]:
    """Open a store, this user's where none is named; raises CallsimError for what it cannot do."""
    with plainly(), open_store(url or default_url(), create=create) as store:
        yield store


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what a store says into a CallsimError."""
    try:
        yield
    except StoreError as error:
        raise CallsimError(str(error)) from None


def info(url: str | None, json: str | None) -> Exit:
    """Say what a store has."""
    check_target(json)
    with opened(url) as store:
        found = store.info()
        name = store.name
    if json is not None:
        write_json(json, {"format": FORMAT, "store": name, **asdict(found)})
    if json != "-":
        click.echo(_told(name, found, time.time()))
    return Exit.MET


def _told(name: str, found: Info, now: float) -> str:
    lines = [f"{name}: {_size(found.size)}, schema {found.schema}"]
    if found.first is not None and found.last is not None:
        lines.append(f"  from {_when(found.first)} to {_when(found.last)}")
    width = max(len(f"{rows:,}") for rows in found.rows.values())
    lines += [f"  {rows:>{width},} {table.replace('_', ' ')}" for table, rows in found.rows.items() if rows]
    if not any(found.rows.values()):
        lines.append("  empty")
    for beat in found.heartbeats:
        ago = plain_duration(max(now - beat.at, 0.0))
        lines.append(f"  {beat.location}: last alive {ago} ago ({_when(beat.at)}), {beat.plan}")
    return "\n".join(lines)


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def prune(plan_file: Path, url: str | None) -> Exit:
    """Delete what a plan keeps no longer."""
    plan = load_plan(plan_file)
    if plan.keep is None:
        raise CallsimError(f"{plan.name} keeps everything; write for example `keep: {{records: 400d}}`")
    with opened(url) as store:
        gone = store.prune(plan.keep, time.time(), plan.name)
    click.echo(f"{plan.name}: deleted {_counted(gone) or 'nothing'}")
    return Exit.MET


def move(source_url: str, target_url: str) -> Exit:
    """Copy a store into another one."""

    def told(table: str, rows: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{table}: {rows:,}", err=True, nl=False)

    with opened(source_url) as source, opened(target_url, create=True) as target:
        counts = moving.move(source, target, told)
        if sys.stderr.isatty():
            click.echo("\r\033[K", err=True, nl=False)
        click.echo(f"{source.name} is in {target.name}, which has {_counted(counts) or 'no rows'}")
    return Exit.MET


def backup(file: Path, url: str | None) -> Exit:
    """Copy a SQLite store into a file."""
    check_target(str(file))
    with opened(url) as store:
        store.backup(file)
        click.echo(f"{store.name} is in {file}: {_size(file.stat().st_size)}")
    return Exit.MET


def erase(number: str, url: str | None) -> Exit:
    """Forget a telephone number."""
    with opened(url) as store:
        erased = erasing.erase(store, number)
    click.echo(
        f"the number is gone from {erased.calls} calls and {erased.texts} other texts;"
        f" {erased.traces} traces and {erased.recordings} recordings are deleted"
    )
    for path in erased.elsewhere:
        click.echo(f"still to be deleted, on another machine: {path}")
    return Exit.MET


def check(url: str | None) -> Exit:
    """Look for damage."""
    with opened(url) as store:
        troubles = store.check()
        name = store.name
    if troubles:
        raise CallsimError("\n".join(f"{name}: {trouble}" for trouble in troubles))
    click.echo(f"{name}: ok")
    return Exit.MET


def _counted(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in rows.items() if count)
