"""Writes a record of each call as it ends, for a run that may not live to write an answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from callgen.measures.records import CallRecord
from callsim.writing import writing

Keep = Callable[[CallRecord], None]


@contextmanager
def record_file(path: Path | None) -> Iterator[Keep | None]:
    """Give what writes a call's record as a line of JSON; None without a path. Raises WriteError.

    Each line goes to the system at once and whole, so that a process that is killed leaves whole lines.
    """
    if path is None:
        yield None
        return
    with writing(path):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    try:

        def keep(record: CallRecord) -> None:
            line = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
            with writing(path):
                os.write(file, line.encode())

        yield keep
    finally:
        os.close(file)
