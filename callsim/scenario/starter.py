"""The starting scenario that `callsim init` writes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from callsim.errors import WriteError

STARTER = "my-service.yaml"
"""Name of the file that is written."""


def write_starter(folder: Path | str) -> Path:
    """Write a commented scenario into `folder`, made where it is missing, and return the file.

    Raises WriteError where the file is there already, or cannot be written.
    """
    file = Path(folder) / STARTER
    text = resources.files("callsim.scenario").joinpath("starter.yaml").read_text(encoding="utf-8")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        there = error.filename or file
        raise WriteError(f"{there}: is there already; name another folder, or move it away") from None
    except OSError as error:
        raise WriteError(f"{file}: cannot be written: {(error.strerror or str(error)).lower()}") from None
    return file
