"""Our own platform: sites, groups of units, the people who repair them, planned changes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from callsim.scenario.faults import GroupFailure, SiteFailure, check_window
from carriers.calendars import ALWAYS
from carriers.laws import Fixed
from carriers.units import format_duration
from documents.values import (
    Hours,
    Items,
    Model,
    Name,
    Seconds,
    SecondsOrZero,
    Share,
    Some,
    Time,
    TimeOrZero,
    located,
)
from documents.words import Trouble

Count = Annotated[int, Field(ge=1, le=1000)]


class Site(Model):
    """A place that takes all that stands on it when it fails."""

    name: Name = Field(examples=["east"])
    """What it is called."""
    failures: Items[SiteFailure] = ()
    """The ways in which it fails."""


class Switchover(Model):
    """A failover to a standby unit."""

    time: TimeOrZero | None = Field(default=None, examples=["30s"])
    """How long it takes, wherever the units stand."""
    within_site: TimeOrZero | None = None
    """How long it takes to a unit on the same site."""
    between_sites: TimeOrZero | None = None
    """How long it takes to a unit on another site."""
    success: Share = 1.0
    """Chance that it works by itself."""
    otherwise: Time | None = None
    """How long it takes when it does not work by itself."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        troubles: list[Trouble] = []
        if self.time is None and self.within_site is None and self.between_sites is None:
            troubles.append((("time",), "missing; write `time: 30s`, or `within_site` and `between_sites`"))
        if self.time is not None:
            troubles += [
                ((key,), "`time` holds for every distance; leave one of them out")
                for key in ("within_site", "between_sites")
                if getattr(self, key) is not None
            ]
        if self.success < 1.0 and self.otherwise is None:
            troubles.append((("otherwise",), "missing; `success` is below 100%, so write `otherwise: 12m`"))
        if self.success == 1.0 and self.otherwise is not None:
            troubles.append((("otherwise",), "does nothing while `success` is 100%; leave it out"))
        if troubles:
            raise located(*troubles)
        return self


def _units_form(value: object) -> str:
    return "<by site>" if isinstance(value, dict) else "<count>"


class Group(Model):
    """Units that back each other up; it works while `need` of them serve."""

    name: Name = Field(examples=["sbc"])
    """What it is called."""
    units: Annotated[
        Annotated[dict[Name, Count], Tag("<by site>")] | Annotated[Count, Tag("<count>")],
        Discriminator(_units_form),
    ] = Field(examples=[2])
    """How many units: on each site, or in all."""
    need: Count = Field(examples=[1])
    """How many units carry the busy hour."""
    standby: Literal["active", "hot", "warm", "cold"] = "active"
    """What the others do: share the load, or stand by."""
    switchover: Switchover | None = None
    """The failover to a standby unit; without it there is no gap."""
    standby_test: Seconds | None = None
    """Standby units are tested this often, which finds latent failures."""
    failures: Items[GroupFailure] = ()
    """The ways in which each unit fails."""

    @property
    def count(self) -> int:
        """Units in all."""
        return self.units if isinstance(self.units, int) else sum(self.units.values())

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        troubles: list[Trouble] = []
        if self.units == {}:
            troubles.append((("units",), "no units; write how many, like 2 or {east: 1, west: 1}"))
        elif self.need > self.count:
            have = "1 unit" if self.count == 1 else f"{self.count} units"
            troubles.append((("need",), f"{self.need} of {have}; it has to be at most {self.count}"))
        if self.standby == "active" and self.switchover is not None:
            troubles.append(
                (("switchover",), "does nothing while `standby` is active; make it hot, warm or cold")
            )
        if self.switchover is not None and self.standby != "active":
            troubles += self._distances(self.switchover)
        troubles += self._standing_by()
        if troubles:
            raise located(*troubles)
        return self

    def _distances(self, switchover: Switchover) -> list[Trouble]:
        if switchover.time is not None:
            return []
        if isinstance(self.units, int):
            return [
                (("switchover",), "the units stand on no sites, so there are no distances; write `time: 30s`")
            ]
        troubles: list[Trouble] = []
        if switchover.within_site is None and max(self.units.values()) > 1:
            troubles.append((("switchover", "within_site"), "missing; a site has several units"))
        if switchover.between_sites is None and len(self.units) > 1:
            troubles.append((("switchover", "between_sites"), "missing; there are several sites"))
        return troubles

    def _standing_by(self) -> list[Trouble]:
        troubles: list[Trouble] = []
        for index, failure in enumerate(self.failures):
            at = ("failures", index)
            if failure.standby_mtbf is not None and self.standby in ("active", "hot"):
                why = f"does nothing while `standby` is {self.standby}; make it warm or cold"
                troubles.append(((*at, "standby_mtbf"), why))
            if failure.standby_mtbf is None and self.standby == "warm":
                troubles.append(
                    ((*at, "standby_mtbf"), "missing; a warm unit ages, so write `standby_mtbf: 4y`")
                )
            if failure.latent and self.standby == "active":
                troubles.append(
                    ((*at, "latent"), "does nothing while `standby` is active; no unit stands by")
                )
            if failure.latent and self.standby == "cold" and failure.standby_mtbf is None:
                troubles.append(
                    ((*at, "latent"), "does nothing without a `standby_mtbf`; a cold unit never fails")
                )
        if self.standby_test is not None and not any(failure.latent for failure in self.failures):
            troubles.append((("standby_test",), "finds nothing; no failure of this group is `latent: true`"))
        return troubles


class Crew(Model):
    """People who go and repair."""

    name: Name = Field(examples=["field"])
    """What it is called."""
    size: Count = Field(examples=[1])
    """How many repairs it can do at once."""
    hours: Hours = ALWAYS
    """When it works without being called out."""
    call_out: TimeOrZero | None = None
    """How long it takes to be ready outside its hours, for what is urgent; without it nobody comes then."""
    travel: TimeOrZero = Fixed(0.0)
    """How long it takes to get there."""


class Spare(Model):
    """Parts in stock; each one used is ordered again."""

    name: Name = Field(examples=["server"])
    """What it is called."""
    stock: int = Field(ge=0, le=1000, examples=[1])
    """How many are there when none is on order."""
    replacement: Time = Field(examples=["3d"])
    """How long an order takes."""


class Change(Model):
    """Moves, adds and changes: planned work on a group."""

    name: Name = Field(examples=["sbc-upgrade"])
    """What it is called."""
    every: Seconds = Field(examples=["60d"])
    """Time from one to the next; it waits for the first window after that."""
    window: Hours = Field(examples=["Sun 02:00-04:00"])
    """When it may be done."""
    lasts: Time = Field(examples=["25m"])
    """How long a unit is out for it."""
    takes: Name = Field(examples=["sbc"])
    """Name of the group."""
    one_at_a_time: bool = True
    """One unit after the other; else all at once."""
    goes_wrong: Share = 0.0
    """Chance that it goes wrong."""
    rollback: Time | None = None
    """How much longer it takes when it goes wrong."""
    notice: SecondsOrZero | None = None
    """Customers are told so long before; without it they are not told."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_window(self.every, self.window, self.lasts)
        if self.goes_wrong > 0 and self.rollback is None:
            raise located((("rollback",), "missing; the change can go wrong, so write `rollback: 20m`"))
        if self.goes_wrong == 0 and self.rollback is not None:
            raise located((("rollback",), "does nothing while `goes_wrong` is 0%; leave it out"))
        return self


class Devices(Model):
    """Phones that register with a group, and are called there."""

    registered_at: Name = Field(examples=["sbc"])
    """Name of the group."""
    every: Seconds = Field(examples=["2m"])
    """Time from one registration of a phone to the next; so long it may be unreachable after a failover."""
    kept: Literal["within_site", "never"] = "never"
    """Which failovers keep the registrations: those to a unit of the same site, or none."""


class AllOf(Model):
    """Works while all of its parts do."""

    all: Some[Works] = Field(examples=[["sbc", "media"]])
    """Groups, or diagrams."""


class AnyOf(Model):
    """Works while one of its parts does."""

    any: Some[Works] = Field(examples=[["sbc", "backup"]])
    """Groups, or diagrams."""


class AtLeastOf(Model):
    """Works while so many of its parts do."""

    at_least: Count = Field(examples=[1])
    """How many."""
    of: Some[Works] = Field(examples=[["sbc", "backup"]])
    """Groups, or diagrams."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.at_least > len(self.of):
            raise located(
                (("at_least",), f"{self.at_least} of {len(self.of)}; it has to be at most {len(self.of)}")
            )
        return self


class AtLeastUnits(Model):
    """Works while so many units of these groups, counted together, do."""

    at_least: Count = Field(examples=[4])
    """How many."""
    units_of: Some[Name] = Field(examples=[["north", "south"]])
    """Groups."""


def _works_form(value: object) -> str | None:
    if isinstance(value, str):
        return "<group>"
    if not isinstance(value, dict):
        return None
    for key, tag in (("units_of", "<units>"), ("of", "<at least>"), ("any", "<any>"), ("all", "<all>")):
        if key in value:
            return tag
    return "<at least>" if "at_least" in value else None


Works = Annotated[
    Annotated[Name, Tag("<group>")]
    | Annotated[AllOf, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[AtLeastOf, Tag("<at least>")]
    | Annotated[AtLeastUnits, Tag("<units>")],
    Discriminator(_works_form, custom_error_type="works", custom_error_message="no node"),
]
"""A node of the reliability block diagram: a group's name, or a rule over nodes."""

for _node in (AllOf, AnyOf, AtLeastOf):
    _node.model_rebuild()


class Platform(Model):
    """Our own platform and its backup systems."""

    sites: Items[Site] = ()
    """Places that units stand on."""
    groups: Some[Group]
    """Units that back each other up."""
    crews: Items[Crew] = ()
    """People who go and repair."""
    spares: Items[Spare] = ()
    """Parts in stock."""
    changes: Items[Change] = ()
    """Planned work."""
    devices: Devices | None = None
    """Phones that register with a group; without them calls to us need no registration."""
    works_when: Works | None = None
    """Reliability block diagram over the groups; without it all of them have to work."""

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        counts = {group.name: group.count for group in self.groups}
        troubles: list[Trouble] = []
        for index, change in enumerate(self.changes):
            count = counts.get(change.takes, 0)
            if change.one_at_a_time and count * change.lasts.mean > change.window.longest:
                each, window = format_duration(change.lasts.mean), format_duration(change.window.longest)
                why = f"{count} units one after the other take {each} each; the longest `window` is {window}"
                troubles.append((("changes", index, "lasts"), why))
        if troubles:
            raise located(*troubles)
        return self
