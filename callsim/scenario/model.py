"""The scenario as a whole."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from callsim.scenario.calls import Carrier, NumberBlocks, Routing, Service, Traffic
from callsim.scenario.faults import SharedRisk
from callsim.scenario.including import Include
from callsim.scenario.platform import Platform
from callsim.scenario.promises import Agreed, Customer, Simulation, in_zone
from callsim.scenario.support import Support
from callsim.scenario.uncertain import Parameter
from callsim.scenario.voice import Path
from documents.values import Items, Model, Month, Name, TimeZone
from sla.terms import Terms


class Scenario(Model):
    """A platform, the carriers behind it, and what is promised with them.

    Durations are seconds, shares are 0 to 1, laws are `carriers.laws` objects, hours are
    `carriers.calendars.WeeklyHours`.
    """

    format: Literal[1] = 1
    """Version of the scenario language."""
    name: Name = Field(examples=["five-nines"])
    """What it is called; results are kept under this name."""
    title: str | None = None
    """One line about it."""
    include: Items[Include] = ()
    """Carrier files that lie below the scenario: what it says itself wins."""
    starts: Month = Field(examples=["2026-01-01"])
    """First day of the first year; the first of a month."""
    timezone: TimeZone = "UTC"
    """IANA time zone of hours, windows, calendars and months."""
    traffic: Traffic | None = None
    """Calls that are offered."""
    service: Service = Service()
    """When the service is down."""
    path: Path | None = None
    """What packets meet besides the carrier."""
    platform: Platform | None = None
    """Our own platform and its backup systems."""
    support: Support | None = None
    """How soon somebody works on an incident; without it at once."""
    carriers: Items[Carrier] = ()
    """Whom we send calls to."""
    shared_risks: Items[SharedRisk] = ()
    """Causes that take several things at once."""
    numbers: NumberBlocks = ()
    """Our numbers, by the carrier where they live."""
    routing: Routing | None = None
    """Which carrier gets a call, and when the next is tried."""
    sla: Agreed | None = None
    """What is promised: terms, or the name of a file of them."""
    customers: Items[Customer] = ()
    """To whom it is promised; without them to one."""
    simulation: Simulation = Simulation()
    """How long is simulated."""
    uncertain: Items[Parameter] = ()
    """How well its laws are known; `--parameters-uncertain included` draws them."""

    @field_validator("sla")
    @classmethod
    def _in_local_time(cls, terms: Terms | None, info: ValidationInfo) -> Terms | None:
        """Measure what says no time zone of its own in the scenario's."""
        return in_zone(terms, info.data.get("timezone", "UTC"))

    @field_validator("customers")
    @classmethod
    def _in_local_time_each(
        cls, customers: tuple[Customer, ...], info: ValidationInfo
    ) -> tuple[Customer, ...]:
        zone = info.data.get("timezone", "UTC")
        return tuple(c.model_copy(update={"sla": in_zone(c.sla, zone)}) for c in customers)
