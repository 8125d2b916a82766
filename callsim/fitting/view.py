"""Fitted laws as a person reads them, and as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from callsim import __version__, figures
from callsim.fitting.carrier_file import law_text, mean_text
from callsim.fitting.observed import Observed, some
from callsim.fitting.pairs import Pair, Side
from callsim.report import columns
from results.estimates import Estimate
from results.fitting.goodness import DOUBTFUL, FEW

MOST_IN_FULL = 2
"""With more pairs than these each has one line."""
SEEN_MOST = 0.99


def terminal(observed: Observed, pairs: Sequence[Pair], width: int = 80) -> str:
    """Return the answer: how often each fails, how long it takes, then the laws."""
    failures = sum(pair.failures for pair in pairs)
    head = f"{observed.source}: {some(failures, 'failure')}; {observed.stretch}."
    rows: list[tuple[str, ...]] = [("", "no.", "MTBF", "MTTR", "works")]
    rows += [
        (
            pair.name,
            str(pair.failures),
            _mean(pair.lives),
            _mean(pair.repairs),
            _works(pair.availability),
        )
        for pair in pairs
    ]
    if sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)) - 2 > width:
        rows = [row[:-1] for row in rows]
    parts = [textwrap.wrap(head, width), columns(rows, width)]
    if len(pairs) <= MOST_IN_FULL:
        parts += [_laws(pair, width) for pair in pairs if pair.lives.fitted.fits or pair.repairs.fitted.fits]
    else:
        table = [
            ("", "to failure", "to repair"),
            *((p.name, _brief(p.lives), _brief(p.repairs)) for p in pairs),
        ]
        parts.append(columns(table, width))
    notes = [*observed.warnings, *(note for pair in pairs for note in _notes(pair))]
    if notes:
        parts.append([line for note in notes for line in textwrap.wrap(f"! {note}", width)])
    confidence = figures.plain_percent(pairs[0].lives.fitted.mean.confidence)
    foot = f"Means: {confidence} intervals by profile likelihood, whatever the law of the four."
    if len(pairs) <= MOST_IN_FULL:
        foot += " Behind a law: by how much its AIC is worse than the best."
    else:
        foot += " Laws: the best by AIC, with the p-value of a test of fit; --json has their figures."
    parts.append(textwrap.wrap(foot, width))
    return "\n\n".join("\n".join(part) for part in parts)


def to_json(observed: Observed, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return all that was found; times in seconds."""
    return {
        "format": 1,
        "callsim": __version__,
        "source": observed.source,
        "sha256": observed.sha256,
        "since": observed.since,
        "until": observed.until,
        "stretch": observed.stretch,
        "warnings": list(observed.warnings),
        "pairs": [
            {
                "name": pair.name,
                "units": pair.units,
                "failures": pair.failures,
                "operating_s": pair.seconds,
                "seen_share": None if pair.seen is None else pair.seen.to_json(),
                "availability": None if pair.availability is None else pair.availability.to_json(),
                "to_failure": _side_json(pair.lives),
                "to_repair": _side_json(pair.repairs),
            }
            for pair in pairs
        ],
    }


def _side_json(side: Side) -> dict[str, Any]:
    fitted = side.fitted
    tested = side.goodness
    return {
        "spells": len(fitted.spells),
        "ended": fitted.spells.ends,
        "watched_s": fitted.spells.seconds,
        "mean_s": fitted.mean.to_json(),
        "goodness": None
        if tested is None
        else {"distance": tested.distance, "p_value": tested.p_value, "times": tested.times},
        "laws": [
            {
                "law": fit.name,
                "written": law_text(fit.law),
                "aic": fit.aic if math.isfinite(fit.aic) else None,
                "mean_s": fit.mean.to_json(),
                "parameters": {name: known.to_json() for name, known in fit.parameters.items()},
                "log_errors": None if fit.errors is None else fit.errors.log_errors,
                "correlation": None if fit.errors is None else fit.errors.correlation,
            }
            for fit in fitted.fits
        ],
    }


def _mean(side: Side) -> str:
    mean = side.fitted.mean
    if mean.value is not None:
        return mean_text(mean)
    return "unknown" if mean.lower is None else f"at least {figures.plain_duration(mean.lower)}"


def _works(availability: Estimate | None) -> str:
    return "" if availability is None else figures.percent(availability).partition(" (")[0]


def _laws(pair: Pair, width: int) -> list[str]:
    lines = [pair.name]
    for what, side in (("to failure", pair.lives), ("to repair", pair.repairs)):
        if (best := side.fitted.best) is None:
            continue
        others = ", ".join(f"{fit.name} +{fit.aic - best.aic:.1f}" for fit in side.fitted.fits[1:])
        text = f"{what}: {_short(side)}" + (f"; {others}" if others else "") + f"; {_tested(side)}"
        lines += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")
    return lines


def _short(side: Side) -> str:
    best = side.fitted.best
    return "no law" if best is None else f"{best.name} {law_text(best.law)}"


def _brief(side: Side) -> str:
    best = side.fitted.best
    if best is None:
        return "no law"
    return best.name if side.goodness is None else f"{best.name}, p {side.goodness.p_value:.2g}"


def _tested(side: Side) -> str:
    if side.goodness is not None:
        p = side.goodness.p_value
        return f"{'fits' if p >= DOUBTFUL else 'DOES NOT FIT'} (p {p:.2g})"
    ends = side.fitted.spells.ends
    if ends >= FEW:
        return "all alike"
    return f"{ends} {'is' if ends == 1 else 'are'} too few to tell whether it fits"


def _notes(pair: Pair) -> list[str]:
    notes = []
    if not pair.failures and pair.lives.fitted.mean.lower is not None:
        watched = figures.plain_duration(pair.seconds)
        notes.append(f"{pair.name}: no failure in {watched}, so there is a bound and no law")
    if pair.seen is not None and pair.seen.value is not None and pair.seen.value < SEEN_MOST:
        share = figures.percent(pair.seen)
        notes.append(f"{pair.name}: {share} of its outages last until a probe; the MTBF counts all")
    return notes
