"""What is not known of a scenario's laws of time, as a file says it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from carriers.laws import Z95, Empirical, Exponential, Fixed, Gamma, Law, Lognormal, Weibull
from carriers.units import DURATION, LONGEST, parse_duration
from documents.values import Model, Seconds, located, wrong
from documents.words import Trouble, show

JEFFREYS = 0.5
"""Failures that Jeffreys' prior of a rate adds to those that were counted."""
NUMBERS = ("shape", "cv", "sigma")
"""Parameters of laws that have no unit."""
OWN: dict[type[Law], tuple[tuple[str, ...], tuple[str, ...]]] = {
    Exponential: (("exponential", "mean"), ("mean",)),
    Fixed: (("fixed", "mean"), ("mean",)),
    Lognormal: (("median", "p95", "mean"), ("median", "sigma")),
    Gamma: (("mean", "cv"), ("mean", "cv")),
    Weibull: (("scale", "shape", "mean"), ("scale", "shape")),
    Empirical: (("mean",), ("mean",)),
}
"""Of each kind of law: what a path may end in, and the parameters that may be uncertain together."""
SHORTEST = 1.0
"""Seconds; what is drawn is no shorter ..."""
LEAST, MOST = 0.01, 100.0
"""... and a number without a unit is between these, as in a scenario."""
LARGEST_SIGMA = 4.0
"""A lognormal law of a larger one has a p95 of over 700 medians."""


def _quantity(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong(f"{show(value)} is neither a duration like 15m nor a number like 0.8")
    read = parse_duration(value) if isinstance(value, str) else float(value)
    if not (math.isfinite(read) and read > 0):
        raise wrong(f"{value} is nothing; it has to be more than 0")
    return read


Quantity = Annotated[
    float,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": f"^(?:{DURATION})$"}, {"type": "number"}],
            "examples": ["15m"],
        }
    ),
]
"""A duration, in seconds, or a number without a unit."""


class Parameter(Model):
    """A law of the scenario, or a parameter of one, with how well it is known: one of three forms."""

    path: str = Field(examples=["carriers.atlantic.failures.silent.mtbf"])
    """Where it stands, as `--set` names it. Where that is a law, its mean is meant, and it keeps its form."""
    failures: int | None = Field(default=None, ge=0, le=1_000_000)
    """Counted: so many failures ..."""
    over: Seconds | None = None
    """... in this much operating time."""
    median: Quantity | None = None
    """Believed: the median of what one believes of it ..."""
    p95: Quantity | None = None
    """... and the value that it exceeds with 5 %."""
    log_errors: dict[str, Annotated[float, Field(ge=0, le=10)]] | None = None
    """Fitted: standard errors of the natural logarithms of the law's own parameters, by name; around what
    the law says: `{scale, shape}`, `{median, sigma}`, `{mean, cv}`, or the `mean` of any law."""
    correlation: float = Field(default=0.0, gt=-1, lt=1)
    """Correlation of the two logarithms in `log_errors`."""

    @model_validator(mode="before")
    @classmethod
    def _in_its_unit(cls, data: Any) -> Any:  # noqa: ANN401 - plain values
        if isinstance(data, dict) and isinstance(path := data.get("path"), str):
            bare = path.rpartition(".")[2] in NUMBERS
            troubles: list[Trouble] = []
            for key in ("median", "p95"):
                value = data.get(key)
                if isinstance(value, str) and bare:
                    troubles.append(((key,), f"'{value}' has a unit; {path} is a number, like 0.8"))
                if isinstance(value, int | float) and not isinstance(value, bool) and not bare:
                    troubles.append(((key,), f"{value} has no unit; write a duration like 15m"))
            if troubles:
                raise located(*troubles)
        return data

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        counted = self.failures is not None or self.over is not None
        believed = self.median is not None or self.p95 is not None
        troubles: list[Trouble] = []
        if counted + believed + (self.log_errors is not None) != 1:
            forms = "either `failures` and `over`, or `median` and `p95`, or `log_errors`"
            troubles.append((("failures",), f"write {forms}"))
        elif counted and (self.failures is None or self.over is None):
            missing = "failures" if self.failures is None else "over"
            troubles.append(((missing,), f"goes with `{'over' if self.over else 'failures'}`; write both"))
        elif believed and (self.median is None or self.p95 is None):
            missing = "median" if self.median is None else "p95"
            troubles.append(((missing,), f"goes with `{'p95' if self.p95 else 'median'}`; write both"))
        elif self.median is not None and self.p95 is not None and self.p95 <= self.median:
            troubles.append((("p95",), "has to be more than `median`"))
        elif self.log_errors is not None and not 1 <= len(self.log_errors) <= 2:
            troubles.append((("log_errors",), "write it like {scale: 0.3, shape: 0.2}, or {mean: 0.3}"))
        if self.correlation and len(self.log_errors or ()) != 2:
            troubles.append((("correlation",), "does nothing without two `log_errors`; leave it out"))
        if troubles:
            raise located(*troubles)
        return self

    def misfit(self, law: Law, own: str | None) -> Trouble | None:
        """Say why this cannot be drawn for a law (`own`: for that parameter of it); None where it can."""
        ends, together = OWN[type(law)]
        kind = type(law).__name__.lower()
        if own is not None and own not in ends:
            return (
                "path",
            ), f"the law there is {kind} and has no `{own}`; write {' or '.join(ends)}, or the law"
        if own is not None and self.median is None:
            return (
                "path",
            ), f"ends in a law's `{own}`; with counts or `log_errors` name the law, without that"
        for key in self.log_errors or ():
            if key not in together and [*(self.log_errors or ())] != ["mean"]:
                return (
                    "log_errors",
                    key,
                ), f"the law there is {kind}; write {{{', '.join(together)}}} or {{mean}}"
        return None

    def draw(self, law: Law, own: str | None, rng: np.random.Generator) -> Law:
        """Draw the law anew: counts by Jeffreys' posterior of the rate, all else normal on the logarithm."""
        if self.log_errors is not None:
            return self._jointly(law, rng)
        if self.failures is not None and self.over is not None:
            drawn = self.over / rng.gamma(self.failures + JEFFREYS)
        else:
            assert self.median is not None
            assert self.p95 is not None
            drawn = self.median * math.exp(math.log(self.p95 / self.median) / Z95 * rng.standard_normal())
        return changed(law, own or "mean", drawn)

    def _jointly(self, law: Law, rng: np.random.Generator) -> Law:
        errors = self.log_errors or {}
        first, other = rng.standard_normal(2).tolist()
        tied = self.correlation * first + math.sqrt(1.0 - self.correlation**2) * other
        for (name, error), normal in zip(errors.items(), (first, tied), strict=False):
            law = changed(law, name, getattr(law, name) * math.exp(error * normal))
        return law


def changed(law: Law, name: str, value: float) -> Law:
    """Return a law with one parameter (one of `OWN`) changed, within reason; another mean scales it."""
    low, high = (LEAST, MOST) if name in NUMBERS else (SHORTEST, LONGEST)
    value = min(max(value, low), high)
    match law, name:
        case Lognormal(), "p95":
            return Lognormal(law.median, max(value, law.median))
        case Lognormal(), "sigma":
            return Lognormal(law.median, law.median * math.exp(Z95 * min(value, LARGEST_SIGMA)))
        case Weibull(), "shape":
            return Weibull(law.scale, value)
        case Gamma(), "cv":
            return Gamma(law.mean, value)
    return _scaled(law, value / float(getattr(law, name, law.mean)))


def _scaled(law: Law, factor: float) -> Law:
    match law:
        case Lognormal():
            return Lognormal(law.median * factor, law.p95 * factor)
        case Weibull():
            return Weibull(law.scale * factor, law.shape)
        case Empirical():
            return Empirical(tuple(value * factor for value in law.values))
        case _:
            return replace(law, mean=law.mean * factor)
