"""How things fail, and how they are repaired."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from callsim.scenario.transit import Transit
from carriers.calendars import WeeklyHours
from carriers.laws import Law
from carriers.units import format_duration
from documents.values import (
    Hours,
    Lifetime,
    Model,
    Name,
    PositiveShare,
    Seconds,
    SecondsOrZero,
    Share,
    Some,
    Time,
    located,
)
from sla.terms import BlameName

Blamed = Literal["provider", BlameName]
"""Whose matter a cause is: the values of `results.ledger.Blame`."""


class StagedRepair(Model):
    """Hands on, after notice, response, spare, crew and travel."""

    time: Time = Field(examples=["2h"])
    """Hands-on time, without the stages before it."""
    crew: Name | None = None
    """Name of the crew that goes there; without one somebody is there already."""
    spare: Name | None = None
    """Name of the spare part it takes."""
    automatic: bool = False
    """Restarts by itself: no notice, response or crew."""

    @model_validator(mode="after")
    def _nobody_goes(self) -> Self:
        if self.automatic and (self.crew or self.spare):
            given = "crew" if self.crew else "spare"
            raise located(((given,), "does nothing in an automatic repair; leave it out"))
        return self


def _form(value: object) -> str:
    staged = isinstance(value, dict) and set(value) & set(StagedRepair.model_fields)
    return "<staged>" if staged or isinstance(value, StagedRepair) else "<law>"


Repair = Annotated[
    Annotated[Time, Tag("<law>")] | Annotated[StagedRepair, Tag("<staged>")], Discriminator(_form)
]
"""A law from fault to restored, whoever does it, or a repair in stages."""


class SiteFailure(Model):
    """One way in which a site fails."""

    mode: Name = Field(examples=["power"])
    """What it is called; the site's own choice."""
    mtbf: Lifetime = Field(examples=["4y"])
    """Operating time to failure."""
    repair: Repair = Field(examples=["2h"])
    """A law from fault to restored, or `{time: LAW, crew, spare, automatic}`."""
    blame: Blamed | None = None
    """Whose matter it is, as contracts tell causes apart; without it the provider's."""


class GroupFailure(SiteFailure):
    """One way in which each unit of a group fails."""

    common_cause: Share = 0.0
    """Share of these failures that take the whole group."""
    standby_mtbf: Lifetime | None = None
    """Time to failure while standing by (warm or cold)."""
    latent: bool = False
    """A failure while standing by is found only when the unit is called on or tested."""


class _CarrierFailure(Model):
    name: Name | None = None
    """What it is called, where a carrier fails in one mode in several ways."""
    trunk: int | None = Field(default=None, ge=1)
    """Takes only this trunk, counted from 1; else the carrier."""
    mtbf: Lifetime = Field(examples=["70d"])
    """Operating time to failure."""
    repair: Repair = Field(examples=["30m"])
    """A law from fault to restored, or `{time: LAW, crew, spare, automatic}`."""
    blame: Blamed | None = None
    """Whose matter it is, as contracts tell causes apart; without it the carrier's."""


class Silent(_CarrierFailure):
    """INVITE and OPTIONS vanish."""

    mode: Literal["silent"]


class TryingOnly(_CarrierFailure):
    """A 100 Trying, then nothing; OPTIONS are still answered."""

    mode: Literal["trying_only"]


class Refuses(_CarrierFailure):
    """A share of the INVITEs is refused."""

    mode: Literal["refuses"]
    status: int = Field(default=503, ge=400, le=699)
    """SIP status of the refusals."""
    share: PositiveShare = 1.0
    """Share of the INVITEs that are refused."""


class Slow(_CarrierFailure):
    """Calls connect late."""

    mode: Literal["slow"]
    post_dial_delay: Time = Field(examples=["9s"])
    """Post-dial delay meanwhile."""


class Capacity(_CarrierFailure):
    """Part of the channels is gone."""

    mode: Literal["capacity"]
    channels_left: Share = Field(examples=["50%"])
    """Share of the channels that is left."""


class PoorAudio(_CarrierFailure, Transit):
    """Calls connect, and their packets fare badly."""

    mode: Literal["poor_audio"]

    @model_validator(mode="after")
    def _harms(self) -> Self:
        if not self.harms:
            raise located(((), "spoils nothing; write `loss`, `jitter` or `delay` of it"))
        return self


class OneWayAudio(_CarrierFailure):
    """Calls connect, and one side hears nothing."""

    mode: Literal["one_way_audio"]


class Maintenance(Model):
    """Planned work: INVITE and OPTIONS are refused."""

    mode: Literal["maintenance"]
    name: Name | None = None
    """What it is called, where a carrier has several."""
    trunk: int | None = Field(default=None, ge=1)
    """Takes only this trunk, counted from 1; else the carrier."""
    every: Seconds = Field(examples=["30d"])
    """Time from one to the next; it waits for the first window after that."""
    window: Hours = Field(examples=["Tue 01:00-05:00"])
    """When it may be done."""
    lasts: Time = Field(examples=["45m"])
    """How long it takes."""
    notice: SecondsOrZero | None = None
    """Announced so long before; then the operator takes the trunks out for it."""
    blame: Blamed | None = None
    """Whose matter it is, as contracts tell causes apart; without it planned maintenance."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_window(self.every, self.window, self.lasts)
        return self


def check_window(every: float, window: WeeklyHours, lasts: Law) -> None:
    """Raise where planned work does not fit in its window, or in its period."""
    if lasts.mean > window.longest:
        longest = format_duration(window.longest)
        raise located(
            (("lasts",), f"longer than the longest `window`, {longest}; widen that or shorten this")
        )
    if lasts.mean >= every:
        raise located((("lasts",), f"not over before the next; `every` is {format_duration(every)}"))


CarrierFailure = Annotated[
    Silent | TryingOnly | Refuses | Slow | Capacity | PoorAudio | OneWayAudio | Maintenance,
    Discriminator("mode"),
]


class SharedRisk(Model):
    """A cause that takes several things at once."""

    name: Name = Field(examples=["meet-me-room"])
    """What it is called."""
    mode: Literal["outage", "silent", "trying_only", "refuses", "one_way_audio"] = "outage"
    """How the carriers among `takes` fail: silent, trying_only, refuses or one_way_audio."""
    takes: Some[Name] = Field(examples=[["atlantic", "boreal"]])
    """Names of carriers, sites and groups."""
    mtbf: Lifetime = Field(examples=["3y"])
    """Operating time to failure."""
    repair: Repair = Field(examples=["50m"])
    """A law from fault to restored, or `{time: LAW, crew, spare, automatic}`."""
    blame: Blamed | None = None
    """Whose matter it is, as contracts tell causes apart; without it the carrier's where it takes
    carriers only, else the provider's."""
