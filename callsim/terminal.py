"""Prints answers for people."""

from __future__ import annotations

import os
import re
import shutil
import sys

import click

COLOURS = {"MET": "green", "BREACHED": "red", "INCONCLUSIVE": "yellow"}
WIDEST = 120


def answer_width() -> int:
    """Columns of an answer: those of the terminal, within reason."""
    return min(shutil.get_terminal_size((80, 40)).columns, WIDEST)


def say(text: str) -> None:
    """Print an answer; verdicts have colours on a terminal, unless NO_COLOR is set."""
    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    if not plain:
        text = re.sub("|".join(COLOURS), lambda m: click.style(m[0], fg=COLOURS[m[0]], bold=True), text)
    click.echo(text)
