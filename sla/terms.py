"""The language of an agreement's terms: what is measured, excluded, promised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator

from carriers.units import DURATION, parse_duration
from documents.values import (
    Hours,
    Items,
    Model,
    Name,
    PositiveShare,
    Seconds,
    SecondsOrZero,
    Some,
    TimeZone,
    located,
    wrong,
)
from documents.words import Trouble, show
from results.ledger import CORE_VOICE
from sla.consistency import inconsistencies
from sla.objectives import Objective
from sla.remedies import Base, Bonus, Caps, Chronic, Claims, CreditRule

BlameName = Literal[
    "maintenance", "emergency_maintenance", "carrier", "third_party", "customer", "access", "equipment",
    "capacity", "attack", "force_majeure", "suspended",
]  # fmt: skip
"""Causes that may be excluded: the values of `results.ledger.Blame`, `provider` apart."""


class BillingCycle(Model):
    """A month that starts on another day."""

    billing_cycle: int = Field(ge=1, le=28, examples=[15])
    """Day of the month on which it starts."""


class FixedWindow(Model):
    """A stretch of fixed length, one after the other from the start of the record."""

    fixed: Seconds = Field(examples=["720h"])
    """Its length, whatever the month."""


class RollingWindow(Model):
    """The stretch before each midnight."""

    rolling: Seconds = Field(examples=["30d"])
    """Its length."""


WINDOWS = ("calendar_month", "quarter", "year", "event")
_FORMS = ("billing_cycle", "fixed", "rolling")


def _window_form(value: object) -> str | None:
    if isinstance(value, dict):
        return next((f"<{key}>" for key in _FORMS if key in value), None)
    if isinstance(value, BillingCycle | FixedWindow | RollingWindow):
        return f"<{next(iter(value.model_fields_set))}>"
    return "<name>" if value in WINDOWS else None


Window = Annotated[
    Annotated[Literal["calendar_month", "quarter", "year", "event"], Tag("<name>")]
    | Annotated[BillingCycle, Tag("<billing_cycle>")]
    | Annotated[FixedWindow, Tag("<fixed>")]
    | Annotated[RollingWindow, Tag("<rolling>")],
    Discriminator(_window_form, custom_error_type="window", custom_error_message="no window"),
]
"""What a promise is kept or broken in; `event`: each outage by itself."""


@dataclass(frozen=True)
class Quota:
    """So much time in each window of a kind."""

    seconds: float
    per: str
    """`month`, `quarter` or `year`."""


def _currency(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch("[A-Z]{3}", value) is None:
        raise wrong(f"{show(value)} is not a currency; write its ISO 4217 code, like EUR")
    return value


Currency = Annotated[
    str,
    PlainValidator(_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]}),
]
_QUOTA = re.compile(r"(.+)/(month|quarter|year)")


def _quota(value: object) -> Quota:
    found = _QUOTA.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(f"{show(value)} is not a quota; write one like 12h/year")
    return Quota(parse_duration(found[1]), found[2])


QuotaText = Annotated[
    Quota,
    PlainValidator(_quota),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(?:{DURATION})/(?:month|quarter|year)$",
            "examples": ["12h/year"],
        }
    ),
]
_ATTEMPTS = re.compile(r"([0-9]+) attempts?")


def _attempts(value: object) -> int:
    found = _ATTEMPTS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(f"{show(value)} is not a number of attempts; write one like 10 attempts")
    return int(found[1])


class Clock(Model):
    """From when to when an outage counts."""

    from_: Literal["fault", "detected", "ticket_opened", "notice_given"] = Field(
        default="fault", alias="from"
    )
    """Its start."""
    to: Literal["restored", "ticket_closed"] = "restored"
    """Its end."""


class Measured(Model):
    """How downtime is measured."""

    window: Window = "calendar_month"
    """What a promise is kept or broken in."""
    timezone: TimeZone = "UTC"
    """IANA time zone of windows and hours."""
    by: Literal["time", "call_success", "user_minutes", "error_rate"] = "time"
    """Time down; calls that failed; minutes weighted by affected users; minutes with many failing calls."""
    over: Seconds | None = Field(default=None, examples=["1m"])
    """error_rate: counted over stretches of this length."""
    down_above: PositiveShare | None = None
    """error_rate: a stretch is down when more than this share of its attempts fail."""
    at_least: Annotated[
        int,
        PlainValidator(_attempts),
        WithJsonSchema({"type": "string", "pattern": f"^{_ATTEMPTS.pattern}$", "examples": ["10 attempts"]}),
    ] = 1
    """error_rate: with fewer attempts the stretch before decides."""
    partial: Literal["kept", "dropped"] = "kept"
    """error_rate: what becomes of a minute at either end that is down only in part."""
    failing: Some[Literal["not_connected", "one_way_audio", "poor_audio"]] = ("not_connected",)
    """error_rate, call_success: what makes a call a failing one; poor by the scenario's own limit."""
    min_outage: SecondsOrZero = 0.0
    """Shorter ones do not count."""
    counts: Literal["whole", "excess"] = "whole"
    """Longer ones count whole, or what is over `min_outage`."""
    continuous: bool = True
    """`min_outage` is of each outage; else of all outages of a window together."""
    clock: Clock = Clock()
    """From when to when an outage counts."""
    measured_by: Literal["provider", "customer", "third_party"] = "provider"
    """Whose record counts."""
    disputes: Literal["provider", "customer", "third_party", "lower", "higher"] | None = None
    """Whose record counts where they differ; `lower` and `higher` are availabilities."""

    @model_validator(mode="after")
    def _error_rate(self) -> Self:
        keys = ("over", "down_above", "at_least", "partial")
        troubles: list[Trouble] = []
        if self.by == "error_rate":
            for key, example in (("over", "1m"), ("down_above", "5%")):
                if getattr(self, key) is None:
                    troubles.append(
                        ((key,), f"missing; an error rate needs it, write for example `{key}: {example}`")
                    )
        else:
            troubles += [
                ((key,), "does nothing unless `by` is error_rate; leave it out")
                for key in keys
                if key in self.model_fields_set
            ]
        if self.counts == "excess" and not self.min_outage:
            troubles.append((("counts",), "does nothing without a `min_outage`; leave it out"))
        if troubles:
            raise located(*troubles)
        return self


class Exclusion(Model):
    """Downtime that does not count, if its conditions are met."""

    cause: BlameName
    """Whose matter it is."""
    notice: SecondsOrZero | None = None
    """Only if the customer was told so long before."""
    hours: Hours | None = None
    """Only within these hours of the week."""
    quota: QuotaText | None = None
    """Only so much of it; the earliest counts first."""


class Source(Model):
    """Where published terms were read."""

    documents: Some[str] = Field(examples=[["https://sla.example/terms"]])
    """Addresses."""
    effective: str | None = None
    """Date of the terms."""
    trust: str | None = None
    """How near the copy is to the contract."""
    caution: str = Field(examples=["Read the contract again before relying on this copy."])
    """What to do before anyone relies on it."""


class Terms(Model):
    """The terms of one agreement."""

    format: Literal[1] = 1
    """Version of the language."""
    name: Name = "sla"
    """What it is called."""
    title: str | None = None
    """One line about it."""
    provider: str | None = None
    """Who promises."""
    source: Source | None = None
    """Where it was read."""
    unknown: Items[str] = ()
    """What the copy that was read does not say; never filled in."""
    assumed: Items[str] = ()
    """What was assumed to make it computable."""
    level: Literal["corporate", "customer", "service"] = "service"
    """Whose level it stands on; a lower one overrides a higher one."""
    extends: str | None = None
    """File of the terms of the level above."""
    currency: Currency = "USD"
    """ISO 4217 code."""
    base: Base = "monthly_recurring"
    """What credits are a share of."""
    scope: Name = CORE_VOICE
    """What is promised about."""
    requires: Items[Name] = ()
    """Holds only for a customer who has all of these, like geo_redundant."""
    measured: Measured = Measured()
    """How downtime is measured."""
    excludes: Items[Exclusion] = ()
    """Downtime that does not count."""
    excluded_time: Literal["out_of_both", "counts_as_up"] = "out_of_both"
    """With A all time, B all downtime, C excluded downtime: (A-B)/(A-C), or (A-B+C)/A."""
    objectives: Items[Objective] = Field(default=(), examples=[["{name: availability, at_least: 99.99%}"]])
    """What is promised."""
    credits: Items[CreditRule] = ()
    """What a broken promise is worth; none: a commitment without a remedy (SLC)."""
    bonus: Items[Bonus] = ()
    """What exceeding is worth."""
    caps: Caps = Caps()
    """Limits of what is credited."""
    claims: Claims = Claims()
    """What a customer has to do for a credit."""
    chronic: Chronic | None = None
    """What follows when windows are broken again and again."""
    duties: Items[str] = ()
    """Compliance duties: a checklist, printed and never computed."""

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        troubles = tuple(inconsistencies(self))
        if troubles:
            raise located(*troubles)
        return self
