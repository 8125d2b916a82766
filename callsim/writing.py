"""Writes files whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callsim.errors import WriteError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about a file or folder into a WriteError."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WriteError(f"{path}: cannot be written: {reason}") from None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: under a temporary name first, unless it is a pipe or a device."""
    with writing(path):
        if path.exists() and not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            path.write_bytes(data)
            return
        if path.is_dir():
            raise WriteError(f"{path}: cannot be written: is a directory")
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def json_text(data: object) -> str:
    """Write JSON as `result.json` has it."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(target: str, data: object) -> None:
    """Write JSON to a file, or to stdout where the target is `-`."""
    if target == "-":
        sys.stdout.write(json_text(data))
    else:
        write_whole(Path(target), json_text(data).encode())


def check_target(target: str | None) -> None:
    """Raise WriteError where a file could not be written, before a long run rather than after it."""
    if target in (None, "-"):
        return
    folder = Path(target).parent
    if not folder.is_dir():
        raise WriteError(f"{target}: cannot be written: there is no folder {folder}")
    if Path(target).is_dir():
        raise WriteError(f"{target}: cannot be written: is a directory")
