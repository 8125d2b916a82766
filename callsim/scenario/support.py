"""Support: how soon somebody answers an incident or a request."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from carriers.calendars import ALWAYS
from documents.values import Hours, Items, Model, Name, Seconds, Time, TimeOrZero, located


class Priority(Model):
    """How soon somebody works on an incident."""

    notice: TimeOrZero = Field(examples=["2m"])
    """From fault to a person who knows."""
    respond: TimeOrZero = Field(examples=["15m"])
    """From there to a person who works on it, in `hours`."""
    hours: Hours = ALWAYS
    """When incidents of this priority are responded to."""


class PriorityOf(Model):
    """Which priority an incident gets."""

    service_down: Name = Field(examples=["P1"])
    """While the service is down."""
    redundancy_lost: Name = Field(examples=["P3"])
    """While it is not."""


class Requests(Model):
    """Requests of one kind, which come at random (a Poisson process)."""

    kind: Literal["ticket", "change", "defect", "exchange"]
    """A support ticket, a move, add or change (MAC), a fault of the software, a device to be exchanged."""
    priority: Name | None = None
    """Priority, as objectives name it."""
    every: Seconds = Field(examples=["2d"])
    """Mean time from one to the next."""
    respond: TimeOrZero | None = Field(default=None, examples=["30m"])
    """From opened to the first response, in `hours`; of tickets only."""
    resolve: Time = Field(examples=["8h"])
    """From opened to resolved, in `hours`."""
    hours: Hours = ALWAYS
    """When they are worked on."""
    waits_for_customer: TimeOrZero | None = None
    """How much longer it takes because the customer is waited for, in `hours`."""

    @model_validator(mode="after")
    def _answered(self) -> Self:
        if self.kind == "ticket" and self.respond is None:
            raise located(
                (("respond",), "missing; a ticket gets a response, so write for example `respond: 30m`")
            )
        if self.kind != "ticket" and self.respond is not None:
            raise located((("respond",), f"does nothing with `kind: {self.kind}`; leave it out"))
        return self


class Support(Model):
    """Priorities by name, which incident gets which, the requests of customers."""

    priorities: dict[Name, Priority] = Field(alias="<priorities>")
    """The priorities, by name."""
    priority: PriorityOf
    """Which incident gets which."""
    notify: TimeOrZero | None = None
    """From knowing of an outage to telling the customers; without it nothing says whether they are told."""
    requests: Items[Requests] = ()
    """What customers ask for, besides tickets about outages."""

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        named = {key: item for key, item in value.items() if key not in KEYS}
        return {"<priorities>": named} | {key: value[key] for key in KEYS if key in value}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Priorities stand beside the other keys, under any name."""
        written = handler.resolve_ref_schema(handler(schema))
        names = written["properties"].pop("<priorities>")
        written.update(
            additionalProperties=next(iter(names["patternProperties"].values())), required=["priority"]
        )
        return written


KEYS = ("priority", "notify", "requests")
"""Keys of `support` that are no priority's name."""
