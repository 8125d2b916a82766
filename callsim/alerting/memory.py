"""What alerts have told, in a file that outlives the process."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FORMAT = 1
LOG = logging.getLogger(__name__)


def read(path: Path) -> dict[str, Any]:
    """Read what was written; empty where there is nothing, or nothing that can be read, which is logged."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        LOG.warning("%s: cannot be read, alerts begin anew: %s", path, error)
        return {}
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        LOG.warning("%s: is of another format, alerts begin anew", path)
        return {}
    return data


class Memory:
    """Writes the latest state in a thread; without a path it is kept nowhere.

    What shall happen only when the state is on the disk is handed in with it; it happens, too, where the
    state cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._text: str | None = None
        self._after: list[Callable[[], None]] = []
        self._closing = False
        self._works = True
        self._idle = True
        self._thread = threading.Thread(target=self._write, name="state of alerts", daemon=True)
        self._thread.start()

    def keep(self, state: dict[str, Any], after: Sequence[Callable[[], None]] = ()) -> None:
        """Have a state written in place of the one before, then have `after` called in the thread."""
        text = json.dumps({"format": FORMAT, **state})
        with self._changed:
            self._text = text
            self._after += after
            self._idle = False
            self._changed.notify()

    def settle(self, timeout: float) -> None:
        """Wait until the last state is written, or for `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._idle, timeout)

    def close(self, timeout: float) -> None:
        """End when the last state is written, or after `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._text is not None)
                text, self._text = self._text, None
                after, self._after = self._after, []
            if text is None:
                return
            if self._path is not None:
                self._put(self._path, text)
            for call in after:
                call()
            with self._changed:
                self._idle = self._text is None
                self._changed.notify_all()

    def _put(self, path: Path, text: str) -> None:
        fresh = path.with_name(f"{path.name}.new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            if self._works:
                LOG.warning("%s: cannot be written, alerts may be told again: %s", path, error)
            self._works = False
        else:
            self._works = True
