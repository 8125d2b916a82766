"""The table of legs that a person sees while they are watched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from callsim.watching.events import Event, Ticked
from callsim.watching.showing import HEAD, Shown, rows
from callsim.watching.watcher import Watcher

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"PASSED": "green", "FAILED": "bold red", "REFUSED": "yellow", "NOT TESTED": "yellow"}


@contextmanager
def live_table(watcher: Watcher, shown: Shown, *, quiet: bool) -> Iterator[None]:
    """Show the table on stderr, where that is a terminal; lines go on above it."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - not needed in a journal
    from rich.live import Live  # noqa: PLC0415

    console = Console(stderr=True)
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=sys.stdout.isatty()
    ) as live:

        def refresh(event: Event) -> None:
            if isinstance(event, Ticked):
                live.update(table(watcher, shown, event.at), refresh=True)

        watcher.listeners.append(refresh)
        try:
            yield
        finally:
            watcher.listeners.remove(refresh)


def table(watcher: Watcher, shown: Shown, now: float) -> Table:
    """Make the table of all legs."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in HEAD:
        made.add_column(
            name,
            overflow="fold" if name in {"Test", "Over"} else "ellipsis",
            no_wrap=name not in {"Test", "Over"},
        )
    for row in rows(watcher.lanes, shown, now):
        made.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    return made
