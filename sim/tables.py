"""The tables that a simulation plays: numbers and laws only, so that another engine could take them over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from carriers.calendars import WeeklyHours, Zone
from carriers.faults import Fault
from carriers.laws import Law
from carriers.routing import Carrier, RoutingPolicy


class Standby(Enum):
    """How the units of a group back each other up."""

    ACTIVE = "active"
    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


@dataclass(frozen=True)
class Repair:
    """From fault to restored; `staged` repairs pass notice, respond, spare, crew and travel first."""

    time: Law
    staged: bool = False
    crew: int | None = None
    spare: int | None = None


@dataclass(frozen=True)
class Mode:
    """One way a unit fails."""

    name: str
    cause: str
    """Name in cause sets: `atlantic/silent`, `sbc/software`, `east/power`."""
    mtbf: Law
    """Operating time to failure while in service."""
    repair: Repair
    common_cause: float = 0.0
    """Share of the failures that take the unit's whole group."""
    standby_mtbf: Law | None = None
    """Time to failure while standing by; None: does not fail then."""
    latent: bool = False
    """A failure while standing by is found only when the unit is called on or tested."""
    fault: int | None = None
    """Index of the fault that the trunks in `Unit.takes_trunks` show."""


@dataclass(frozen=True)
class Unit:
    """Something that fails by its own clock: hardware, a site, a carrier, a trunk, a shared risk."""

    name: str
    modes: tuple[Mode, ...]
    group: int | None = None
    site: int | None = None
    """Number of the site that this hardware stands on."""
    takes_units: tuple[int, ...] = ()
    """Units out of service while this one is failed, besides itself."""
    takes_trunks: tuple[int, ...] = ()
    calendar: Calendar | None = None
    """Planned unavailability on top of the failure modes (a carrier's maintenance)."""


@dataclass(frozen=True)
class Calendar:
    """Planned work: every `every` seconds, in the first window after that."""

    name: str
    cause: str
    every: float
    window: WeeklyHours
    lasts: Law
    fault: int | None = None
    notice: float = 0.0


@dataclass(frozen=True)
class Switchover:
    """A failover: its time by distance, the chance that it works by itself, and what it takes otherwise."""

    within_site: Law
    between_sites: Law
    success: float
    otherwise: Law


@dataclass(frozen=True)
class Group:
    """Units that back each other up: the group works while `need` of them serve."""

    name: str
    units: tuple[int, ...]
    need: int
    standby: Standby = Standby.ACTIVE
    switchover: Switchover | None = None
    test_every: float | None = None
    """Latent faults of standby units are looked for this often; None: never."""


@dataclass(frozen=True)
class Works:
    """A node of the reliability block diagram: works while at least `at_least` of its parts do.

    Exactly one of `parts` (sub-diagrams), `groups` (each meets its need) and `units_of` (working units,
    counted over those groups) is not empty.
    """

    at_least: int
    parts: tuple[Works, ...] = ()
    groups: tuple[int, ...] = ()
    units_of: tuple[int, ...] = ()


@dataclass(frozen=True)
class Crew:
    """People who go and repair: first come first served, service-affecting incidents first."""

    name: str
    size: int
    hours: WeeklyHours
    call_out: Law | None
    """None: nobody is called out, everything waits for the opening."""
    travel: Law


@dataclass(frozen=True)
class Spare:
    """Parts in stock; each one used is ordered again."""

    name: str
    stock: int
    replacement: Law


@dataclass(frozen=True)
class Priority:
    """How soon somebody works on an incident; `respond` counts in `hours` only."""

    notice: Law
    respond: Law
    hours: WeeklyHours


@dataclass(frozen=True)
class Support:
    """Which priority an incident gets."""

    service_down: Priority
    redundancy_lost: Priority


@dataclass(frozen=True)
class Change:
    """A planned change of a group's units, which can go wrong."""

    name: str
    cause: str
    group: int
    every: float
    window: WeeklyHours
    lasts: Law
    one_at_a_time: bool
    goes_wrong: float
    rollback: Law


@dataclass(frozen=True)
class Traffic:
    """Calls offered in each hour of the local week."""

    calls_per_hour: tuple[float, ...]
    """168 values, Monday 00:00 first."""
    hold_time: Law


@dataclass(frozen=True)
class Tables:
    """Everything one stream needs."""

    zone: Zone
    """The scenario's start instant and its local time."""
    units: tuple[Unit, ...]
    groups: tuple[Group, ...] = ()
    works: Works | None = None
    """None: every group has to meet its need."""
    crews: tuple[Crew, ...] = ()
    spares: tuple[Spare, ...] = ()
    support: Support | None = None
    changes: tuple[Change, ...] = ()
    faults: tuple[Fault, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    routing: RoutingPolicy | None = None
    traffic: Traffic | None = None
    down_above: float = 0.05
    """Service is down where the chance that an offered call fails is above this."""
    warm_up: float = 0.0
    """Seconds simulated before the record begins, so that it starts in equilibrium."""
