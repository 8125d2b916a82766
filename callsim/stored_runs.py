"""Keeps runs of the simulator in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from callsim.result import Result

Write = Callable[[Path, Sequence[str], Result, datetime], None]
"""Writes a run of a scenario file, with the values that replaced its own, and when it began."""


@contextmanager
def storing(url: str | None) -> Iterator[Write]:
    """Open a store ahead of a long run, and give what writes the run into it; nothing without a URL."""
    if url is None:
        yield lambda path, overrides, result, started: None
        return
    from callsim import __version__  # noqa: PLC0415 - the package imports this module
    from callsim.store_command import opened  # noqa: PLC0415 - only where it is asked for
    from results.store.entries import Document, Run, new_id  # noqa: PLC0415

    with opened(url, create=True) as store:

        def write(path: Path, overrides: Sequence[str], result: Result, started: datetime) -> None:
            given = "".join(f"# --set {override}\n" for override in overrides)
            name, at = result.scenario.name, started.timestamp()
            document = Document.of("scenario", name, given + path.read_text("utf-8"))
            run = Run(
                id=new_id(at),
                name=name,
                document=document.id,
                seed=result.study.seed,
                version=__version__,
                at=at,
                years=result.study.years,
                result=result.to_json(),
            )
            store.write([document, run])

        yield write
