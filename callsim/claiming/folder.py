"""Puts a folder of files in its place whole, with their SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from callsim.errors import WriteError
from callsim.writing import writing

SUMS = "SHA256SUMS"
"""What `sha256sum -c` checks."""


def check_place(target: Path) -> None:
    """Raise WriteError where something is in the way that this room has not written."""
    with writing(target):
        if not target.exists():
            return
        if not target.is_dir():
            raise WriteError(f"{target}: is no folder; give another one by --out")
        if not any(target.iterdir()):
            return
        sums = target / SUMS
        listed = _listed(sums.read_text("utf-8")) if sums.is_file() else {}
        there = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
        foreign = sorted(there - {*listed, SUMS}) if listed else sorted(there)
        if foreign:
            raise WriteError(
                f"{target}: has files that are no part of a claim, like {foreign[0]}; give another folder by "
                "--out"
            )


def put(target: Path, files: Mapping[str, bytes]) -> str:
    """Write files, by their paths in the folder, and their sums; the one before goes. Gives the sums."""
    check_place(target)
    target = target.absolute()
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    draft, before = (target.with_name(f".{target.name}.{os.getpid()}{end}") for end in ("", ".before"))
    with writing(target):
        try:
            for name, data in {**files, SUMS: sums.encode()}.items():
                path = draft / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            if target.exists():
                target.rename(before)
            draft.rename(target)
        except BaseException:
            if before.exists() and not target.exists():
                before.rename(target)
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            if target.exists():
                shutil.rmtree(before, ignore_errors=True)
    return sums


def _listed(sums: str) -> dict[str, str]:
    """Read sums by file."""
    rows = (line.partition("  ") for line in sums.splitlines())
    return {name: digest for digest, _, name in rows if name}
