"""The commands about the store as click sees them; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path

import click

from callsim.exits import Exit
from callsim.live.commands import JSON, STORE
from callsim.options import FILE


@click.group("store", invoke_without_command=True)
@STORE
@JSON
@click.pass_context
def store_group(context: click.Context, store: str | None, json: str | None) -> Exit | None:
    """Say what the store of probes has; prune, move, back up, check it, or erase a number.

    --store is sqlite:///FILE, or postgresql://USER@HOST/DATABASE, whose password may be env:NAME.
    """
    if context.invoked_subcommand is not None:
        # Said before a subcommand it holds for that one, unless that says otherwise.
        context.default_map = {name: {"store": store, "json": json} for name in store_group.commands}
        return None
    return _info(store, json)


@store_group.command()
@STORE
@JSON
def info(store: str | None, json: str | None) -> Exit:
    """Say how large it is, how many rows each table has, and when each prober was last alive."""
    return _info(store, json)


def _info(store: str | None, json: str | None) -> Exit:
    from callsim import store_command  # noqa: PLC0415 - heavy

    return store_command.info(store, json)


@store_group.command()
@click.option("--plan", type=FILE, metavar="PLAN", required=True, help="Whose `keep` says how long.")
@STORE
def prune(plan: Path, store: str | None) -> Exit:
    """Delete what PLAN keeps no longer, while probers go on; of recordings, those on this machine."""
    from callsim import store_command  # noqa: PLC0415 - heavy

    return store_command.prune(plan, store)


@store_group.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def move(source: str, target: str) -> Exit:
    """Copy the store FROM into the store TO, of either kind; broken off, it goes on where it stopped."""
    from callsim import store_command  # noqa: PLC0415 - heavy

    return store_command.move(source, target)


@store_group.command()
@click.argument("file", type=FILE)
@STORE
def backup(file: Path, store: str | None) -> Exit:
    """Copy a SQLite store as it is now into FILE, while probers go on."""
    from callsim import store_command  # noqa: PLC0415 - heavy

    return store_command.backup(file, store)


@store_group.command()
@click.option("--number", required=True, metavar="NUMBER", help="With + and its country code.")
@STORE
def erase(number: str, store: str | None) -> Exit:
    """Forget a telephone number everywhere, also where it is hashed; its traces and recordings go."""
    from callsim import store_command  # noqa: PLC0415 - heavy

    return store_command.erase(number, store)


@store_group.command()
@STORE
def check(store: str | None) -> Exit:
    """Look for damage; ends with 2 where there is any."""
    from callsim import store_command  # noqa: PLC0415 - heavy

    return store_command.check(store)


COMMANDS = (store_group,)
"""In the order of the help."""
