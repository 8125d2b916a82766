"""The command `fit`: laws out of a log, or out of what probes saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.fitting.carrier_file import carrier_file, too_little
from callsim.fitting.from_store import read_store
from callsim.fitting.log_csv import Span, read_log
from callsim.fitting.observed import LEAST_SEEN, Observed
from callsim.fitting.pairs import Pair, fit_all
from callsim.fitting.view import terminal, to_json
from callsim.terminal import answer_width, say
from callsim.writing import check_target, write_json, write_whole, writing


@dataclass(frozen=True)
class FitOptions:
    """What is fitted, and what is written."""

    span: Span | None
    timezone: str
    names: tuple[str, ...]
    pool: bool
    units: int | None
    confidence: float
    seed: int
    carrier_file: Path | None
    plot: Path | None
    json: str | None


def fit_log(log: Path, options: FitOptions) -> Exit:
    """Fit what a log tells."""
    observed = read_log(log, options.span, options.timezone)
    return _fit(observed.only(options.names) if options.names else observed, options)


def fit_store(store: str | None, plan: Path, options: FitOptions, now: float | None = None) -> Exit:
    """Fit what probes saw."""
    return _fit(read_store(store, plan, options.span, options.names, now), options)


def _fit(observed: Observed, options: FitOptions) -> Exit:
    for target in (options.json, options.carrier_file, options.plot):
        check_target(None if target is None else str(target))
    plots = [] if options.plot is None else [options.plot.with_suffix(end) for end in (".png", ".svg")]
    for drawn in plots:
        check_target(str(drawn))
    if options.pool:
        observed = observed.pooled()
    if options.units is not None:
        if len(observed.records) > 1:
            raise click.UsageError("--units is of one kind of things; choose it with --of, or --pool them")
        observed = observed.with_units(options.units)
    if not observed.records:
        raise CallsimError(f"{observed.source}: planned work only; nothing there fails at random")
    pairs = fit_all(observed, options.confidence, options.seed)
    if options.json != "-":
        say(terminal(observed, pairs, answer_width()))
    if options.json is not None:
        write_json(options.json, to_json(observed, pairs))
    if options.plot is not None:
        from callsim.fitting.plot import plot  # noqa: PLC0415 - matplotlib is slow to import
        from callsim.plots import save  # noqa: PLC0415

        with writing(options.plot):
            save(plot(pairs, observed.source), options.plot)
        for drawn in plots:
            click.echo(f"{drawn}: written", err=True)
    if options.carrier_file is not None:
        _write_carriers(options.carrier_file, observed, pairs)
    return Exit.MET


def _write_carriers(target: Path, observed: Observed, pairs: Sequence[Pair]) -> None:
    """Write a carrier file of what was seen for long enough."""
    longest = max(observed.seen(pair.name) for pair in pairs)
    if longest < LEAST_SEEN:
        raise CallsimError(f"{target}: not written: {too_little(longest)}")
    written = carrier_file(observed, pairs, LEAST_SEEN)
    write_whole(target, written.text.encode())
    left = "".join(f"; left out {text}" for text in written.left_out)
    click.echo(f"{target}: written{left}", err=True)
