"""The tables that a simulation plays: numbers and laws only, so that another engine could take them over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from carriers.calendars import WeeklyHours, Zone
from carriers.codecs import Codec
from carriers.faults import Fault
from carriers.laws import Fixed, Law
from carriers.path import AccessLink, JitterBuffer, Transit
from carriers.policy import Carrier, RoutingPolicy


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
    """Index of the fault that the trunks in `Unit.takes_trunks`, or the segment, show."""


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
    segment: int | None = None
    """Number of the path's segment that this is."""
    customer: int | None = None
    """Number of the customer whose own segment this is: `segment` is one of theirs, not of the path's."""
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
    inbound: float = 0.0
    """Share of them that are to us."""
    redial_share: float = 0.0
    """Share of the failed calls that are tried once more by the caller; only where calls are placed."""
    redial_after: Law | None = None


@dataclass(frozen=True)
class Forwarding:
    """What a home carrier does with calls to us that it cannot deliver."""

    to: int
    """Carrier."""
    after: float
    """Seconds after the failure."""
    success: float
    """Chance that it works, drawn for each failure."""


@dataclass(frozen=True)
class Numbers:
    """A block of our numbers, which lives at one carrier."""

    name: str
    home: int
    share: float
    """Of the calls to us."""
    forwards: Forwarding | None = None


@dataclass(frozen=True)
class Devices:
    """Phones that register with a group, and do so anew after its failover."""

    group: int
    every: float
    """Seconds between two registrations of a phone; within so long all are back."""
    kept_within_site: bool
    """Whether a failover to a unit of the same site keeps the registrations."""


@dataclass(frozen=True)
class Segment:
    """A part of the path that every call crosses, besides the carrier."""

    name: str
    transit: Transit
    link: AccessLink | None = None
    """The link's queue, besides `transit`."""


@dataclass(frozen=True)
class Mobile:
    """The leg to a mobile at the far end, which a share of the calls has."""

    share: float
    transit: Transit
    codec: Codec | None
    """What the leg transcodes to; None: no transcoding."""


@dataclass(frozen=True)
class Voice:
    """What speech meets besides the carrier."""

    codec: Codec
    packet: float
    """Seconds of speech in a packet."""
    buffer: JitterBuffer
    segments: tuple[Segment, ...]
    mobile: Mobile | None
    poor_below: float
    """MOS below which a call is poor."""


@dataclass(frozen=True)
class OwnPath:
    """A customer's own segments in place of the path's of the same name."""

    customer: str
    segments: tuple[Segment, ...]
    calls_per_hour: tuple[float, ...]
    """(168,) calls of theirs, which are what their access link carries."""


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
    numbers: tuple[Numbers, ...] = ()
    devices: Devices | None = None
    voice: Voice | None = None
    """None: the scenario names no codec, so that nothing is known of how calls sound."""
    own_paths: tuple[OwnPath, ...] = ()
    failing: frozenset[str] = frozenset({"not_connected"})
    """What makes a call a failing one: not_connected, one_way_audio, poor_audio."""
    down_above: float = 0.05
    """Service is down where the chance that an offered call fails is above this."""
    warm_up: float = 0.0
    """Seconds simulated before the record begins, so that it starts in equilibrium."""


def untimed(tables: Tables) -> Tables:
    """Set aside how often things fail and how soon they are repaired: no call's fate depends on it."""
    never = Fixed(1.0)
    units = tuple(
        replace(
            unit,
            modes=tuple(replace(m, mtbf=never, repair=Repair(never), standby_mtbf=None) for m in unit.modes),
            calendar=None,
        )
        for unit in tables.units
    )
    return replace(tables, units=units, crews=(), spares=(), support=None, changes=())
