"""Two records of the same time judged under the same terms, beside each other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from callsim import figures
from callsim.agreements import assessing
from callsim.agreements.assessing import number, window_label
from callsim.report import columns
from sla.assessment import Assessment
from sla.disputes import WORDS, Party, Settled, settle

MOST_ROWS = 36
"""Windows in which the records differ that are listed; the others are counted."""


@dataclass(frozen=True)
class Disputed:
    """Two assessments, with what the terms make of their differences."""

    files: tuple[str, str]
    by: tuple[Party, Party]
    made: tuple[Assessment, Assessment]

    @property
    def settled(self) -> Settled:
        """Which counts in each window."""
        return settle(self.made, self.by)

    @property
    def broken(self) -> bool:
        """Whether an objective is broken by the record that counts; by either where none does."""
        return any(
            not judged.met[at]
            for window, counts in enumerate(self.settled.counts)
            for made in (self.made if counts is None else (self.made[counts],))
            for judged, at in assessing.judged_in(made, window)
            if at is not None
        )


def to_json(disputed: Disputed) -> dict[str, Any]:
    """Return both assessments, and what counts in each window."""
    settled, (first, second) = disputed.settled, disputed.made
    return {
        "records": [
            {"file": file, "by": by, "windows": assessing.to_json(made)}
            for file, by, made in zip(disputed.files, disputed.by, disputed.made, strict=True)
        ],
        "disputes": [
            {
                "window": window_label(first, window),
                "differ": bool(settled.differ[window]),
                "eligible": [number(made.availability.eligible[window]) for made in (first, second)],
                "credit_share": [number(made.credits.due[window]) for made in (first, second)],
                "credit_amount": [number(made.credits.amount[window]) for made in (first, second)],
                "counts": None if counts is None else disputed.by[counts],
                "why": settled.why[window],
            }
            for window, counts in enumerate(settled.counts)
        ],
    }


def terminal(disputed: Disputed, width: int = 80) -> str:
    """Return what counts, and then both assessments, as text."""
    parts = [_summary(disputed, width)]
    for file, by, made in zip(disputed.files, disputed.by, disputed.made, strict=True):
        head = textwrap.wrap(f"The record of {WORDS[by]}, {file}:", width)
        parts += ["\n".join(head), assessing.terminal(made, width)]
    return "\n\n".join(parts)


def _summary(disputed: Disputed, width: int) -> str:
    settled, (first, second) = disputed.settled, disputed.made
    rows = np.flatnonzero(settled.differ).tolist()
    if not rows:
        return "\n".join(textwrap.wrap("The two records agree in every window.", width))
    many = len(settled.differ)
    text = f"The two records differ in {len(rows)} of {many} windows."
    if many == 1:
        text = "The two records differ."
    names = [by.replace("_", " ") for by in disputed.by]
    table: list[tuple[str, ...]] = [("Window", *names, "counts")]
    for row in rows[:MOST_ROWS]:
        counts = settled.counts[row]
        cells = [_cell(made, row) for made in (first, second)]
        table.append((window_label(first, row), *cells, "neither" if counts is None else names[counts]))
    lines = [*textwrap.wrap(text, width), *columns(table, width)]
    if len(rows) > MOST_ROWS:
        lines.append(f"{len(rows) - MOST_ROWS} more windows are left to --json.")
    for why in dict.fromkeys(settled.why[row] for row in rows):
        lines += textwrap.wrap(f"{why[0].upper()}{why[1:]}.", width)
    return "\n".join([*lines, *_owed(disputed, settled.counts, width)])


def _cell(made: Assessment, window: int) -> str:
    eligible = assessing.percent(made.availability.eligible[window])
    if not made.terms.credits:
        return eligible
    return f"{eligible}, credit {figures.plain_percent(float(f'{made.credits.due[window]:.6g}'))}"


def _owed(disputed: Disputed, counts: Sequence[int | None], width: int) -> list[str]:
    """Say what is due by the records that count."""
    if not disputed.made[0].terms.credits:
        return []
    open_ = sum(one is None for one in counts)
    if open_ == len(counts):
        return []
    shares = [disputed.made[one].credits.due[n] for n, one in enumerate(counts) if one is not None]
    text = f"By what counts, {figures.plain_percent(float(f'{sum(shares):.10g}'))} of a month's fee is due"
    text += f"; {open_} of the windows {'is' if open_ == 1 else 'are'} open." if open_ else "."
    return textwrap.wrap(text, width)
