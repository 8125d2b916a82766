"""What a person sees on a terminal while streams are played."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from callsim.figures import plain_duration
from callsim.study import Progress

YEAR = 365.25 * 86400.0


@contextmanager
def shown(what: str) -> Iterator[Progress | None]:
    """Show progress on stderr where that is a terminal; without a thread, for processes start meanwhile."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - not needed in a pipeline
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[told]}"))
    with Bar(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(what, total=None, told="starting")
        bar.refresh()
        begun = time.monotonic()

        def tell(done: int, wanted: int, down: float) -> None:
            speed = done / max(time.monotonic() - begun, 1e-9)
            told = f"{done:,} of {wanted:,} years, {speed:,.0f}/s, {plain_duration(down * YEAR)} down a year"
            bar.update(task, completed=done, total=wanted, told=told)
            bar.refresh()

        yield tell
