"""What `callsim watch` makes of a plan's tests: alerts, and how long records are kept."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from callsim.plan.references import SecretReference
from callsim.scenario.calls import Mos
from documents.values import Hours, Model, Risk, Seconds, Some, located, wrong
from documents.words import Trouble, show

HOST_PORT = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"


def _date(value: object) -> dt.date:
    try:
        return dt.date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise wrong(f"{show(value)} is not a date; write one like 2026-12-25") from None


def _host_port(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if re.fullmatch(HOST_PORT, text) is None or not 1 <= int(text.rpartition(":")[2]) <= 65535:
        raise wrong(f"{show(value)} is no host with a port; write one like gateway.example.com:443")
    return text


Date = Annotated[
    dt.date,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-12-25"]}),
]
"""A day of the local calendar."""
HostPort = Annotated[
    str,
    BeforeValidator(_host_port),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{HOST_PORT})$", "examples": ["192.0.2.1:443"]}),
]
"""A host with a TCP port."""


class Alert(Model):
    """Whom to tell of what."""

    when: Literal["trunk_failing", "poor_audio", "prober_blind", "budget_burning"]
    """A test that fails, audio below `mos_below`, a prober that cannot probe, an error budget that burns."""
    after: int | None = Field(default=None, ge=1, examples=[2])
    """So many times over the same trunk..."""
    within: Seconds | None = Field(default=None, examples=["15m"])
    """...within this time."""
    mos_below: Mos | None = None
    """What counts as poor; of `poor_audio`."""
    to: Some[SecretReference] | None = None
    """Where a URL of Apprise is: mail, chat, webhook (needs callsim[notify])."""
    command: Some[str] | None = Field(default=None, examples=[["/usr/local/bin/page"]])
    """A program with its arguments, which gets the alert as JSON on its standard input."""
    say_when_over: bool = False
    """Whether to tell of the end, too."""
    quiet: Hours | None = None
    """Hours in which nothing is sent; what is still so when they end is told then."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        troubles: list[Trouble] = []
        counted = self.when != "budget_burning"
        for key, example in (("after", "2"), ("within", "15m")):
            if counted and getattr(self, key) is None:
                troubles.append(((key,), f"missing; write for example `{key}: {example}`"))
            if not counted and getattr(self, key) is not None:
                troubles.append(((key,), "does nothing; budget_burning has windows of its own"))
        if self.when == "poor_audio" and self.mos_below is None:
            troubles.append((("mos_below",), "missing; write for example `mos_below: 3.6`"))
        if self.when != "poor_audio" and self.mos_below is not None:
            troubles.append((("mos_below",), "does nothing; it is of `when: poor_audio`"))
        if self.to is None and self.command is None:
            troubles.append((("to",), "missing; write `to: [env:NAME]`, or a `command`"))
        if troubles:
            raise located(*troubles)
        return self


class Keep(Model):
    """How long records are kept."""

    records: Seconds = Field(examples=["400d"])
    """Calls, pings and missed probes."""
    failures: Seconds | None = None
    """Calls that failed, incidents; twice as long as `records` unless it is given."""
    traces: Seconds | None = None
    """SIP traces; as long as their calls unless it is given."""
    recordings: Seconds | None = None
    """Recordings; as long as their calls unless it is given."""

    @model_validator(mode="after")
    def _longer(self) -> Self:
        if self.failures is not None and self.failures < self.records:
            raise located((("failures",), "has to be at least as long as `records`"))
        return self


class Sla(Model):
    """What is promised, for the error budget."""

    availability: Risk = Field(examples=["99.95%"])
    """Share of a calendar month."""
