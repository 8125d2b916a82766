"""The language of what an agreement promises: one model for each kind of objective."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field

from carriers.calendars import ALWAYS
from documents.values import Hours, Model, Name, PositiveShare, Risk, Seconds

ObjectiveWindow = Literal["month", "quarter", "year"]
ASSUMED_RISK = 0.05
"""Of an objective that does not say its `risk`."""


Unit = Literal["share", "seconds", "number"]
"""What a target is given in: a share of one, a duration, or a bare number (a MOS, a count)."""


class _Objective(Model):
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[Unit] = "seconds"

    window: ObjectiveWindow | None = None
    """Calendar window that keeps it or breaks it; without it the window of `measured`."""
    risk: Risk = Field(default=ASSUMED_RISK, examples=["1%"])
    """Met when at most this share of the windows break it."""
    scope: Name | None = None
    """What it is about; without it the scope of the terms."""
    consecutive: int = Field(default=1, ge=1, le=36)
    """Broken only by so many broken windows in a row."""
    requires: Name | None = None
    """Holds only for a customer who has this, like geo_redundant."""


class _ShareAtLeast(_Objective):
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[Unit] = "share"

    at_least: PositiveShare = Field(examples=["99.99%"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, a share."""
        return self.at_least


class _SecondsAtMost(_Objective):
    at_most: Seconds = Field(examples=["30m"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, in seconds."""
        return self.at_most


class _ShareAtMost(_Objective):
    unit: ClassVar[Unit] = "share"

    at_most: PositiveShare = Field(examples=["1%"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, a share."""
        return self.at_most


class Availability(_ShareAtLeast):
    """Share of the window in which the service is not down, after exclusions."""

    name: Literal["availability"]


class Mttr(_SecondsAtMost):
    """Mean length of the window's outages; a window without one keeps it."""

    name: Literal["mttr"]


class TimeToRestore(_SecondsAtMost):
    """Length of each single outage: the longest of the window."""

    name: Literal["time_to_restore"]


class Mtbf(_Objective):
    """Mean time up between outages; a window without one keeps it."""

    higher_is_better: ClassVar[bool] = True

    name: Literal["mtbf"]
    at_least: Seconds = Field(examples=["60d"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, in seconds."""
        return self.at_least


class Downtime(_SecondsAtMost):
    """Time down in the window, after exclusions."""

    name: Literal["downtime"]


class OutageCount(_Objective):
    """How many outages begin in the window."""

    unit: ClassVar[Unit] = "number"

    name: Literal["outages"]
    at_most: int = Field(ge=0, le=1_000_000, examples=[2])
    """The target."""

    @property
    def target(self) -> float:
        """The target, a count."""
        return float(self.at_most)


class PostDialDelay(_Objective):
    """Post-dial delay that a share of the connected calls does not exceed (RFC 6076 SRD)."""

    name: Literal["post_dial_delay"]
    p95_at_most: Seconds = Field(examples=["6s"])
    """The target: of 95 % of the calls."""

    @property
    def target(self) -> float:
        """The target, in seconds."""
        return self.p95_at_most


class MosAverage(_Objective):
    """Mean MOS of the window's calls."""

    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[Unit] = "number"

    name: Literal["mos"]
    at_least: float = Field(ge=1, le=4.5, examples=[4.0])
    """The target, on the scale of MOS-CQE."""

    @property
    def target(self) -> float:
        """The target, a MOS."""
        return self.at_least


class PoorCalls(_ShareAtMost):
    """Share of the window's calls with a MOS below a limit."""

    name: Literal["poor_calls"]
    mos_below: float = Field(ge=1, le=4.5, examples=[3.6])
    """A call is poor below this MOS."""


class Asr(_ShareAtLeast):
    """Answer-seizure ratio (ITU-T E.411)."""

    name: Literal["asr"]


class Ner(_ShareAtLeast):
    """Network effectiveness ratio (ITU-T E.425): calls that the network did not fail."""

    name: Literal["ner"]


class PacketLoss(_ShareAtMost):
    """Mean packet loss."""

    name: Literal["packet_loss"]


class Latency(_SecondsAtMost):
    """Mean latency."""

    name: Literal["latency"]
    direction: Literal["round_trip", "one_way"] = "round_trip"
    """Which latency."""


class Jitter(_SecondsAtMost):
    """Mean jitter."""

    name: Literal["jitter"]


class _Answered(_SecondsAtMost):
    share: PositiveShare = 1.0
    """Share of them that has to keep it."""
    hours: Hours = ALWAYS
    """Business calendar: only these hours count."""
    priority: Name | None = Field(default=None, examples=["P1"])
    """Only those of this priority."""
    stops_while_waiting: bool = False
    """The clock stops while the customer is waited for."""


class SupportResponse(_Answered):
    """Time to the first response to a ticket."""

    name: Literal["support_response"]


class SupportResolution(_Answered):
    """Time to the resolution of a ticket."""

    name: Literal["support_resolution"]


class ChangeRequest(_Answered):
    """Time to complete a move, add or change (MAC)."""

    name: Literal["change_request"]


class DefectFix(_Answered):
    """Time to fix a fault of the software."""

    name: Literal["defect_fix"]


class HardwareExchange(_Answered):
    """Time to exchange a broken device."""

    name: Literal["hardware_exchange"]


class Notification(_SecondsAtMost):
    """Time from the start of an outage to the customer's being told."""

    name: Literal["notification"]
    share: PositiveShare = 1.0
    """Share of the outages that has to keep it."""


Objective = Annotated[
    Availability | Mttr | TimeToRestore | Mtbf | Downtime | OutageCount | PostDialDelay | MosAverage
    | PoorCalls | Asr | Ner | PacketLoss | Latency | Jitter | SupportResponse | SupportResolution
    | ChangeRequest | DefectFix | HardwareExchange | Notification,
    Discriminator("name"),
]  # fmt: skip
