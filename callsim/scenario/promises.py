"""Agreements, the customers who hold them, the length of a simulation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    PlainValidator,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from callsim.errors import ScenarioError
from callsim.scenario.voice import OwnPath
from carriers.units import NUMBER
from documents.values import Items, Model, Name, Risk, Seconds, Time, located, wrong
from documents.words import show
from sla.remedies import Base
from sla.terms import Terms


def _agreed(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Terms:
    """Read terms, or the file that is named; names start at the scenario's folder."""
    if not isinstance(value, str):
        if not isinstance(value, dict | Terms):
            raise wrong(f"{show(value)} is neither terms nor their file; write one like slas/gold.yaml")
        terms: Terms = handler(value)
        if terms.extends is not None:
            raise located(
                (("extends",), "only a file of terms can; write them there, and name it: `sla: FILE`")
            )
        return terms
    from callsim.agreements.terms import load_terms  # noqa: PLC0415 - its messages know the scenario

    folder: Path = (info.context or {}).get("folder", Path())
    try:
        terms = load_terms(folder / value)
    except ScenarioError as error:
        raise located(*(((), str(problem)) for problem in error.problems)) from None
    return _said(terms, terms.measured.timezone)


def _said(terms: Terms, timezone: str) -> Terms:
    """Write the time zone into terms, as if they said it."""
    measured = terms.measured.model_copy(update={"timezone": timezone})
    return terms.model_copy(update={"measured": measured})


Agreed = Annotated[Terms, WrapValidator(_agreed, json_schema_input_type=str | Terms)]
"""Terms, written out or as the name of their file."""


def in_zone(terms: Terms | None, timezone: str) -> Terms | None:
    """Give terms that do not say their time zone this one."""
    if terms is None or "timezone" in terms.measured.model_fields_set:
        return terms
    return _said(terms, timezone)


_FEE = re.compile(rf"({NUMBER})/month")


def _fee(value: object) -> float:
    found = _FEE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(f"{show(value)} is not a fee; write one like 4200/month, in the currency of the terms")
    if not float(found[1]):
        raise wrong(f"{value} is nothing; it has to be more than 0")
    return float(found[1])


Fee = Annotated[
    float,
    PlainValidator(_fee),
    WithJsonSchema({"type": "string", "pattern": f"^{_FEE.pattern}$", "examples": ["4200/month"]}),
]
"""Money a month."""


class Handsets(Model):
    """Devices of a customer's that are exchanged when they break."""

    count: int = Field(ge=1, le=10_000_000, examples=[120])
    """How many there are."""
    mtbf: Seconds = Field(examples=["12y"])
    """Mean time to failure of each."""
    exchange: Time = Field(examples=["2d"])
    """From its failure to a new one."""


class Customer(Model):
    """Somebody who holds terms."""

    name: Name = Field(examples=["acme"])
    """What they are called."""
    users: int | None = Field(default=None, ge=1, le=100_000_000)
    """How many users they have."""
    fee: Fee | None = None
    """What they pay, of the `base` of their terms."""
    fees: dict[Base, Fee] = Field(default_factory=dict)
    """What they pay of other bases."""
    sla: Agreed | None = None
    """Their terms; without it those of the scenario."""
    has: Items[Name] = ()
    """What the `requires` of terms asks for, like geo_redundant."""
    good_standing: bool = True
    """Whether their account is paid, which terms may ask for."""
    handsets: Handsets | None = None
    """Their devices."""
    busy_hour_calls: float | None = Field(default=None, gt=0, examples=[60])
    """Their call attempts in the busiest hour of the week, which their own access link carries."""
    path: OwnPath | None = None
    """Segments of their own in place of the scenario's."""


class Simulation(Model):
    """How long is simulated."""

    years: int = Field(default=2000, ge=1, le=10_000_000, examples=[2000])
    """Simulated years."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of the random numbers."""
    confidence: Risk = 0.95
    """Confidence of the intervals."""
    precision: Risk | None = None
    """Stop when the interval on unavailability is within this share of it."""
    max_time: Seconds | None = None
    """Stop after this much real time."""
    keep_years: int = Field(default=200, ge=0, le=10_000_000)
    """Years whose whole timeline is written."""
