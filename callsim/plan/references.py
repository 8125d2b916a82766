"""Secrets of a plan, which it names but never holds."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from callgen.messages import Secret
from callsim.errors import CallsimError
from documents.values import wrong

REFERENCE = r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S(?:.*\S)?"


class SecretError(CallsimError):
    """A secret is not where the plan says; its text is in no message."""


@dataclass(frozen=True)
class Reference:
    """Where a secret is: a variable of the environment, or a file."""

    kind: str
    """`env` or `file`."""
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def _reference(value: object) -> Reference:
    # The value is never repeated: it may be the secret itself.
    if not isinstance(value, str) or re.fullmatch(REFERENCE, value) is None:
        raise wrong("a plan never holds a secret as text; write env:NAME or file:PATH")
    kind, _, name = value.partition(":")
    return Reference(kind, name)


SecretReference = Annotated[
    Reference,
    PlainValidator(_reference),
    WithJsonSchema(
        {"type": "string", "pattern": f"^(?:{REFERENCE})$", "examples": ["env:ATLANTIC_PASSWORD"]}
    ),
]
"""Where a secret is: `env:NAME`, or `file:PATH` relative to the plan."""


def read_secret(reference: Reference, what: str, folder: Path) -> Secret:
    """Read a secret, of a file its first line; `what` names it in the message of a SecretError."""
    if reference.kind == "env":
        text = os.environ.get(reference.name, "")
        missing = f"the environment has no {reference.name}"
    else:
        file = folder / reference.name
        try:
            with file.open(encoding="utf-8") as opened:
                text = opened.readline().rstrip("\r\n")
        except OSError as error:
            raise SecretError(f"{what}: {file} cannot be read: {(error.strerror or 'no').lower()}") from None
        except UnicodeDecodeError:
            raise SecretError(f"{what}: {file} is not UTF-8 text") from None
        missing = f"the first line of {file} is empty"
    if not text:
        raise SecretError(f"{what}: {missing}")
    return Secret(text)
