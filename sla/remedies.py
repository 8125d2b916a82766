"""The language of what follows when a promise is broken: credits, bonuses, caps, claims, termination."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from carriers.units import NUMBER, parse_duration, parse_share
from documents.values import Items, Model, Name, PositiveShare, Seconds, Share, located, wrong
from documents.words import Trouble, show
from sla.objectives import ObjectiveWindow, Unit

Base = Literal["monthly_recurring", "usage", "per_seat", "affected_part"]


@dataclass(frozen=True)
class Worth:
    """A credit as a contract writes it: `10%` of the base, `3 service days`, `20 USD`, `5 units`."""

    amount: float
    """A share of one, days of service, money, or the contract's own units."""
    unit: str
    """`share`, `days`, `units`, or a currency of three letters."""


_WORTH = re.compile(rf"({NUMBER}) ?(service days?|units?|[A-Z]{{3}})")


def parse_worth(value: object) -> Worth:
    """Read a credit; raises ValueError on anything else."""
    text = value if isinstance(value, str) else ""
    if text.endswith("%"):
        return Worth(parse_share(text), "share")
    found = _WORTH.fullmatch(text)
    if found is None:
        raise wrong(f"{show(value)} is no credit; write one like 10%, 3 service days, 20 USD or 5 units")
    unit = {"serviceday": "days", "unit": "units"}.get(found[2].replace(" ", "").rstrip("s"), found[2])
    return Worth(float(found[1]), unit)


Credit = Annotated[
    Worth,
    PlainValidator(parse_worth),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^(?:{NUMBER}%|{_WORTH.pattern})$",
            "examples": ["10%", "3 service days", "20 USD", "5 units"],
        }
    ),
]
"""What is credited."""


class Measure(float):
    """A number that knows what it was written as."""

    unit: Unit

    def __new__(cls, value: float, unit: Unit = "number") -> Self:
        """Make it of a share of one, seconds, or a bare number."""
        made = super().__new__(cls, value)
        made.unit = unit
        return made


def _level(value: object) -> Measure:
    if isinstance(value, Measure):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Measure(value)
    if isinstance(value, str) and value.endswith("%"):
        return Measure(parse_share(value), "share")
    if isinstance(value, str):
        return Measure(parse_duration(value), "seconds")
    raise wrong(f"{show(value)} is no level; write one like 99.9%, 30m or 3.6")


Level = Annotated[
    Measure,
    PlainValidator(_level),
    WithJsonSchema({"type": ["string", "number"], "examples": ["99.99%", "30m", 3.6]}),
]
"""A value of the objective's kind: a share, a duration (in seconds), a bare number for a MOS or count."""


class Tier(Model):
    """A step: what is credited when the measured value is in a range; beyond both bounds it is not."""

    below: Level | None = None
    """The value is below this."""
    down_to: Level | None = None
    """... and not below this (where a contract prints both ends)."""
    above: Level | None = None
    """The value is above this."""
    up_to: Level | None = None
    """... and not above this."""
    credit: Credit = Field(examples=["10%"])
    """What is credited."""
    base: Base | None = None
    """What it is a share of; without it the `base` of the terms."""
    requires: Name | None = None
    """Only for a customer who has this."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise located((("below",), "a tier has `below` (with `down_to`) or `above` (with `up_to`)"))
        if self.below is not None and self.up_to is not None:
            raise located((("up_to",), "goes with `above`; `below` goes with `down_to`"))
        if self.above is not None and self.down_to is not None:
            raise located((("down_to",), "goes with `below`; `above` goes with `up_to`"))
        ends = (self.down_to, self.below) if self.below is not None else (self.above, self.up_to)
        if ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]:
            raise located((("down_to" if self.below is not None else "up_to",), "leaves nothing of the tier"))
        return self


class DurationTier(Model):
    """What an outage is worth that lasts longer than one limit, up to another."""

    longer_than: Seconds | None = None
    """Outages longer than this; without it all."""
    up_to: Seconds | None = None
    """... and no longer than this."""
    credit: Credit = Field(examples=["5%"])
    """What is credited."""


class Linear(Model):
    """Credit in proportion to how far the target is missed."""

    credit: Credit = Field(examples=["5%"])
    """For each step missed."""
    per: Level = Field(examples=["1%"])
    """A step, of the objective's own kind: percentage points for a share."""
    only_full: bool = False
    """Only full steps count."""


class CreditRule(Model):
    """What a broken objective is worth: one of `tiers`, `flat`, `by_duration` and `linear`."""

    objective: Name = Field(examples=["availability"])
    """Name of the objective."""
    window: ObjectiveWindow | None = None
    """Of which window, where several objectives have the same name; without it that of `measured`."""
    scope: Name | None = None
    """Of which scope, where several objectives have the same name."""
    priority: Name | None = None
    """Of which priority, where several objectives have the same name."""
    tiers: Items[Tier] = ()
    """Steps; the worst that applies counts."""
    flat: Credit | None = None
    """Whenever the objective is broken."""
    by_duration: Items[DurationTier] = ()
    """For each outage of a window that breaks the objective, by its length; the sum counts."""
    linear: Linear | None = None
    """In proportion to the miss."""
    gap_policy: Literal["nothing", "next_tier", "error"] = "nothing"
    """What a value gets that breaks the objective and lies in no tier."""
    per_affected_user: bool = False
    """Only the share of the users who were affected."""
    base: Base | None = None
    """What it is a share of; without it the `base` of the terms."""
    requires: Name | None = None
    """Only for a customer who has this."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [key for key in ("tiers", "flat", "by_duration", "linear") if getattr(self, key)]
        if len(given) != 1:
            what = f"both {given[0]} and {given[1]}" if given else "none of them"
            raise located(
                (
                    (given[0] if given else "tiers",),
                    f"{what}; a credit has one of tiers, flat, by_duration, linear",
                )
            )
        return self


class Bonus(Model):
    """A reward for exceeding a target."""

    objective: Name = Field(examples=["availability"])
    """Name of the objective."""
    window: ObjectiveWindow | None = None
    """Of which window, where several objectives have the same name."""
    better_than: Level = Field(examples=["99.999%"])
    """The measured value is better than this."""
    bonus: PositiveShare = Field(examples=["2%"])
    """Share of the base that the customer pays more."""


class Caps(Model):
    """Limits of what is credited."""

    per_month: PositiveShare | None = None
    """At most this share of a month's base."""
    per_year: PositiveShare | None = None
    """At most this share of a year's base (twelve months'), in a calendar year."""
    stacking: Literal["highest", "sum"] = "sum"
    """Whether several credits of one month add up, or the highest counts."""
    issued_above: float = Field(default=0.0, ge=0)
    """A credit is issued only if it is more than this, in the currency of the terms."""
    unit_worth: Credit | None = None
    """What one of the contract's own units is worth."""


class Claims(Model):
    """What a customer has to do for a credit."""

    automatic: bool = True
    """Credited without a claim."""
    within: Seconds | None = None
    """A claim has to come within this ..."""
    after: Literal["incident", "window"] = "window"
    """... after the end of the outage, or of the window."""
    ticket: bool = False
    """Only outages with a ticket can be claimed."""
    good_standing: bool = False
    """Only customers with a paid account can claim."""
    evidence: Literal["customer", "provider", "third_party"] = "provider"
    """Whose record counts as evidence."""
    customers_who_claim: Share = 1.0
    """Share of the claims that are made at all (a simulation draws it)."""

    @model_validator(mode="after")
    def _claimed(self) -> Self:
        troubles: list[Trouble] = [
            ((key,), "does nothing while credits are automatic; leave it out")
            for key in ("within", "ticket", "customers_who_claim")
            if self.automatic and key in self.model_fields_set
        ]
        if troubles:
            raise located(*troubles)
        return self


class Chronic(Model):
    """What follows when windows are broken again and again."""

    months: int = Field(ge=1, le=120, examples=[3])
    """So many months with a broken objective ..."""
    of: int = Field(ge=1, le=120, examples=[12])
    """... out of so many in a row; the same number: consecutive months."""
    objective: Name = "availability"
    """Which objective."""
    then: Literal["termination", "credit"] = "termination"
    """The customer may leave, or gets `credit`."""
    credit: Credit | None = None
    """For the month in which it happens."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.months > self.of:
            raise located((("months",), f"{self.months} of {self.of}; it has to be at most {self.of}"))
        if (self.then == "credit") != (self.credit is not None):
            raise located((("credit",), "goes with `then: credit`"))
        return self
