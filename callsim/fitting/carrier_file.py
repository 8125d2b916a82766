"""Carrier files of fitted laws, with what is not known of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from callsim import __version__, figures
from callsim.fitting.observed import Observed, some
from callsim.fitting.pairs import Pair, Side
from carriers.faults import Kind
from carriers.laws import Empirical, Exponential, Fixed, Gamma, Law, Lognormal, Weibull
from carriers.units import LONGEST, UNITS
from documents.values import NAME
from results.estimates import Estimate
from results.fitting.fit import Fit

MODES = tuple(kind.value for kind in Kind if kind not in (Kind.CONGESTION, Kind.MAINTENANCE))
ASSUMED_MODE = Kind.SILENT.value
ASSUMED_REPAIR = "1h"
JEFFREYS = 0.5
NEEDS = {
    Kind.SLOW.value: "post_dial_delay",
    Kind.CAPACITY.value: "channels_left",
    Kind.POOR_AUDIO.value: "loss, jitter or delay",
}
"""What no log says of a mode, so that the scenario has to."""
VAGUE = 0.5
"""Where the logarithm of a law's parameter has a larger standard error its shape is not known: draws of it
would have means beyond all that was seen."""

ENDLESS = 1000 * 365.25 * 86400.0
FAR_OFF = 100.0
"""The upper end of an interval that is longer than `ENDLESS`, and so many times the mean, tells nothing."""


@dataclass
class Written:
    """The text of a carrier file, with what it leaves out and why."""

    text: str = ""
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """Where a pair stands in a scenario."""

    carrier: str
    mode: str
    trunk: int | None = None

    @property
    def key(self) -> str:
        return self.mode if self.trunk is None else f"trunk-{self.trunk}"


def carrier_file(observed: Observed, pairs: Sequence[Pair], least_seen: float = 0.0) -> Written:
    """Write laws as a scenario includes them.

    Pairs that are no carrier's are left out, and those that were seen for less than `least_seen` seconds.
    """
    written = Written()
    enough = []
    for pair in pairs:
        if (seen := observed.seen(pair.name)) < least_seen:
            written.left_out.append(f"{pair.name}: {too_little(seen)}")
        else:
            enough.append(pair)
    placed = [(place, pair) for pair in enough if (place := _place(observed, pair, pairs, written))]
    by_carrier: dict[str, list[tuple[_Place, Pair]]] = {}
    for place, pair in placed:
        by_carrier.setdefault(place.carrier, []).append((place, pair))
    lines = [
        f"# Written by callsim fit {__version__}.",
        f"# {_plain(observed.source)}" + (f", SHA-256 {observed.sha256}" if observed.sha256 else ""),
        f"# {_plain(observed.stretch)}",
        *(f"# Left out: {_plain(text)}" for text in written.left_out),
        *(f"# {_plain(text)}" for text in observed.warnings),
        "format: 1",
        f"source: {json.dumps(_source(observed), ensure_ascii=False)}",
        "carriers:" if by_carrier else "carriers: []",
    ]
    uncertain: list[str] = []
    for name, own in by_carrier.items():
        lines += [f"  - name: {name}", "    failures:"]
        for place, pair in own:
            lines += _failure(observed, place, pair)
            path = f"carriers.{name}.failures.{place.key}"
            uncertain += _uncertain(path, pair)
    if uncertain:
        lines += ["uncertain:", *uncertain]
    written.text = "\n".join(lines) + "\n"
    return written


def law_text(law: Law, bare: bool = False) -> str:
    """Write a law as a scenario has it; `bare` where a bare duration is exponential."""
    match law:
        case Exponential():
            return time_text(law.mean) if bare else f"{{exponential: {time_text(law.mean)}}}"
        case Fixed():
            return f"{{fixed: {time_text(law.mean)}}}"
        case Lognormal():
            return f"{{median: {time_text(law.median)}, p95: {time_text(law.p95)}}}"
        case Weibull():
            return f"{{scale: {time_text(law.scale)}, shape: {law.shape:.4g}}}"
        case Gamma():
            return f"{{mean: {time_text(law.mean)}, cv: {law.cv:.4g}}}"
        case Empirical():
            raise TypeError("no empirical law is fitted")


def mean_text(mean: Estimate) -> str:
    """Write a mean with its interval; one whose upper end is out of all proportion is open there."""
    if mean.value is not None and mean.high is not None and mean.high > max(ENDLESS, FAR_OFF * mean.value):
        mean = replace(mean, low=None, high=None, upper=None)
    return figures.duration(mean)


def too_little(seen: float) -> str:
    """Say that there is too little for a carrier file."""
    return f"seen for {figures.plain_duration(seen)} only: too little for a carrier file, which takes a day"


def time_text(seconds: float) -> str:
    """Write seconds in one unit, to four digits."""
    seconds = min(max(seconds, 1e-3), LONGEST)
    unit = next((u for u in ("d", "h", "m", "s") if seconds >= UNITS[u]), "ms")
    text = f"{float(f'{seconds / UNITS[unit]:.4g}'):.4f}".rstrip("0").rstrip(".")
    return f"{text}{unit}"


def _place(observed: Observed, pair: Pair, pairs: Sequence[Pair], written: Written) -> _Place | None:
    carrier, _, mode = pair.name.partition("/")
    if re.fullmatch(NAME, carrier) is None:
        written.left_out.append(f"{pair.name}: is not the name of a carrier")
        return None
    if observed.unknown_mode and mode.isdecimal():
        if any(other.name == carrier for other in pairs):
            written.left_out.append(f"{pair.name}: its outages include those of {carrier} as a whole")
            return None
        return _Place(carrier, ASSUMED_MODE, int(mode))
    if mode and mode not in MODES:
        written.left_out.append(f"{pair.name}: a carrier fails as one of {', '.join(MODES)}")
        return None
    return _Place(carrier, mode or ASSUMED_MODE)


def _failure(observed: Observed, place: _Place, pair: Pair) -> list[str]:
    """Write a failure, with what is behind it as comments."""
    ends = pair.repairs.fitted.spells.ends
    lines = [
        f"      # {some(pair.failures, 'failure')} in {figures.plain_duration(pair.seconds)} of operation, "
        f"{some(ends, 'repair')} seen to {'its' if ends == 1 else 'their'} end"
    ]
    if not observed.unknown_mode and "/" not in pair.name:
        lines.append(f"      # ASSUMED: mode {place.mode}; the log does not say how it failed")
    elif observed.unknown_mode:
        lines.append(f"      # ASSUMED: mode {place.mode}; probes do not tell how it failed")
    if place.mode in NEEDS:
        lines.append(f"      # The scenario has to say its {NEEDS[place.mode]}.")
    for what, side in (("to failure", pair.lives), ("to repair", pair.repairs)):
        lines += [f"      # {what}: {text}" for text in _behind(side)]
    life, repair = pair.lives.fitted, pair.repairs.fitted
    if life.best is not None:
        mtbf = law_text(_kept(pair.lives).law, bare=True)
    else:
        mtbf = time_text(pair.seconds / JEFFREYS)
        least = figures.plain_duration(life.mean.lower or 0.0)
        lines.append(
            f"      # No failure was seen: MTBF at least {least} at 95 %. What stands here is Jeffreys'"
        )
        lines.append("      # estimate of the rate, half a failure; its uncertainty is what counts.")
    if repair.best is not None:
        repaired = law_text(_kept(pair.repairs).law)
    else:
        repaired = ASSUMED_REPAIR
        lines.append(f"      # ASSUMED: repair {ASSUMED_REPAIR}; no repair was seen to its end")
    trunk = "" if place.trunk is None else f"trunk: {place.trunk}, name: {place.key}, "
    lines.append(f"      - {{mode: {place.mode}, {trunk}mtbf: {mtbf}, repair: {repaired}}}")
    return lines


def _behind(side: Side) -> list[str]:
    fitted = side.fitted
    if fitted.best is None:
        return []
    shown = [f"mean {mean_text(fitted.mean)} whatever the law"]
    if len(fitted.fits) > 1:
        shown.append("AIC " + ", ".join(f"{fit.name} {fit.aic:.1f}" for fit in fitted.fits))
    if side.goodness is not None:
        shown.append(f"goodness of fit p = {side.goodness.p_value:.2g}")
    if _kept(side) is not fitted.best:
        shown.append(f"of the {fitted.best.name} law too little is known; exponential by its counts")
    return shown


def _kept(side: Side) -> Fit:
    """Choose the law that stands in the file."""
    best = side.fitted.best
    assert best is not None  # there were ends
    if best.errors is None or max(best.errors.log_errors.values()) <= VAGUE:
        return best
    return next(fit for fit in side.fitted.fits if fit.name == "exponential")


def _uncertain(path: str, pair: Pair) -> list[str]:
    lines = []
    life = pair.lives.fitted
    for key, side in (("mtbf", pair.lives), ("repair", pair.repairs)):
        fit = None if side.fitted.best is None else _kept(side)
        spells = side.fitted.spells
        if fit is not None and fit.errors is not None:
            errors = ", ".join(f"{name}: {error:.4g}" for name, error in fit.errors.log_errors.items())
            tied = f"{max(min(fit.errors.correlation, 0.999), -0.999):.3f}"
            also = "" if float(tied) == 0 else f", correlation: {tied}"
            lines.append(f"  - {{path: {path}.{key}, log_errors: {{{errors}}}{also}}}")
        elif (fit is not None and isinstance(fit.law, Exponential)) or (key == "mtbf" and life.best is None):
            over = time_text(spells.seconds)
            lines.append(f"  - {{path: {path}.{key}, failures: {spells.ends}, over: {over}}}")
    return lines


def _source(observed: Observed) -> str:
    return f"{observed.source}, {observed.stretch}, fitted by callsim {__version__}"


def _plain(text: str) -> str:
    """Keep a comment in its line."""
    return "".join(c if c.isprintable() else "?" for c in text)
