"""The calls: traffic, numbers, carriers, routing."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from callsim.scenario.faults import CarrierFailure
from callsim.scenario.transit import Quality
from carriers import codecs
from carriers.profiles import PROFILES
from carriers.units import format_duration, format_share
from documents.values import (
    Above,
    CodecName,
    Items,
    Lifetime,
    Model,
    Name,
    PositiveShare,
    Profile,
    Seconds,
    SecondsOrZero,
    SipUri,
    Some,
    Time,
    TimeOrZero,
    located,
    wrong,
)

Status = Annotated[int, Field(ge=300, le=599)]
Mos = Annotated[float, Field(ge=1.0, le=4.5)]
"""A mean opinion score as the E-model gives it."""


class Redial(Model):
    """Callers who try once more when their call fails; acts only where calls are placed (`run --calls`)."""

    share: PositiveShare = Field(examples=["60%"])
    """Share of the failed calls that are tried once more."""
    after: Time = Field(examples=["30s"])
    """How long the caller waits."""


class Traffic(Model):
    """Calls that are offered."""

    busy_hour_calls: float = Field(gt=0, examples=[1800])
    """Call attempts in the busiest hour of the week."""
    hold_time: Lifetime = Field(examples=["3m10s"])
    """How long a call lasts; a bare duration is the mean of an exponential law."""
    profile: Profile = PROFILES["flat"]
    """Shape of the week: flat, office_hours or 168 hourly weights, Monday 00:00 first."""
    inbound: PositiveShare = 0.0
    """Share of the calls that are to us; they follow `numbers`, not `routing`."""
    codec: CodecName | None = None
    """What speech is coded with; without it nothing is known of how calls sound."""
    packet: Seconds | None = Field(default=None, examples=["20ms"])
    """Speech in a packet; without it what is usual with the codec."""
    redial: Redial | None = None
    """Callers who try once more; acts only where calls are placed (`run --calls`)."""

    @model_validator(mode="after")
    def _whole_frames(self) -> Self:
        if self.codec is not None and self.packet is not None:
            frame = codecs.codec(self.codec).frame
            frames = self.packet / frame
            if round(frames) < 1 or not math.isclose(frames, round(frames), rel_tol=1e-6):
                each = format_duration(frame)
                why = f"no whole number of frames; one of {self.codec} is {each} long"
                raise located((("packet",), why))
        return self


class DownWhen(Model):
    """The rule of what is down."""

    failing_calls: Above = Field(default=0.05, examples=['">5%"'])
    """Down where more than this share of the calls offered would fail."""


class Service(Model):
    """When the service is down (gross availability)."""

    down_when: DownWhen = DownWhen()
    """The rule of what is down."""
    failing: Some[Literal["not_connected", "one_way_audio", "poor_audio"]] = ("not_connected",)
    """What makes a call a failing one: not_connected, one_way_audio, poor_audio."""
    poor_below: Mos = 3.6
    """MOS below which a call is poor."""


class Carrier(Model):
    """Whom we send calls to."""

    name: Name = Field(examples=["atlantic"])
    """What it is called."""
    trunks: Some[SipUri] = Field(examples=[["sip:sbc1.example.com"]])
    """SIP URIs, tried in turn."""
    channels: int | None = Field(default=None, ge=1, le=1_000_000)
    """Calls at once over all its trunks; without it there is no limit."""
    calls_per_second: float | None = Field(default=None, gt=0)
    """Call attempts a second that it takes; without it there is no limit."""
    cost_per_minute: float = Field(default=0.0, ge=0)
    """Price of a minute, in any currency."""
    post_dial_delay: TimeOrZero | None = None
    """From INVITE to ringing or answer."""
    quality: Quality | None = None
    """What packets meet from us to the callee's network; without it nothing."""
    failures: Items[CarrierFailure] = ()
    """The ways in which it fails."""


class Forwards(Model):
    """What a carrier does with calls to us that it cannot deliver."""

    to: Name = Field(examples=["boreal"])
    """Name of the carrier that they are forwarded to."""
    after: SecondsOrZero = Field(examples=["15m"])
    """From the failure until they are forwarded."""
    success: PositiveShare = 1.0
    """Chance that it works."""


class NumberBlock(Model):
    """Our numbers that live at one carrier."""

    block: Name = Field(examples=["main"])
    """What it is called."""
    home: Name = Field(examples=["atlantic"])
    """Name of the carrier where they live."""
    share: PositiveShare = Field(examples=["100%"])
    """Share of the calls to us that are to these numbers."""
    forwards: Forwards | None = None
    """What the carrier does with calls that it cannot deliver; without it they are lost."""


def _whole(blocks: tuple[NumberBlock, ...]) -> tuple[NumberBlock, ...]:
    total = math.fsum(block.share for block in blocks)
    # Thirds, written with as many digits as one likes, pass.
    if blocks and abs(total - 1.0) > 1e-6:
        raise wrong(f"the shares add up to {format_share(total)}; they have to add up to 100%")
    return blocks


NumberBlocks = Annotated[Items[NumberBlock], AfterValidator(_whole)]
"""Blocks of numbers, whose shares add up to the whole."""


def _route(value: object) -> object:
    return {"carrier": value} if isinstance(value, str) else value


class Route(Model):
    """A carrier to try."""

    carrier: Name = Field(examples=["atlantic"])
    """Name of the carrier."""
    weight: float = Field(default=1.0, ge=0)
    """How often it is the first, against the others, with `order: weighted`; 0 for a backup."""


class Health(Model):
    """Health of a trunk by OPTIONS pings."""

    ping_every: Seconds = Field(examples=["30s"])
    """Time from one ping to the next."""
    ping_timeout: Seconds = Field(examples=["2s"])
    """A ping without an answer by then is a miss."""
    down_after: int = Field(ge=1, le=1000, examples=[3])
    """So many misses in a row mark a trunk down."""
    up_after: int = Field(ge=1, le=1000, examples=[2])
    """So many answers in a row bring it back."""
    hold_down: SecondsOrZero = 0.0
    """It comes back no sooner than this after it was marked down."""
    any_answer_counts: bool = False
    """Whether any final answer is good; else only a 2xx."""

    @model_validator(mode="after")
    def _in_turn(self) -> Self:
        if self.ping_timeout > self.ping_every:
            raise located((("ping_timeout",), "longer than `ping_every`; it has to be at most as long"))
        return self


class FailingCalls(Model):
    """A trunk is taken out by its calls, though its pings are answered."""

    of_last: int = Field(ge=1, le=100_000, examples=[20])
    """Calls that are looked at."""
    share: PositiveShare = Field(examples=["60%"])
    """Share of them that fail."""
    hold: Seconds = Field(alias="for", examples=["2m"])
    """How long it is taken out."""


class PoorAudioCalls(FailingCalls):
    """A trunk is taken out by calls over it that sound poor."""

    mos_below: Mos = Field(examples=[3.4])
    """MOS below which a call counts."""
    share: PositiveShare = Field(examples=["60%"])
    """Share of them that sound poor."""


class Routing(Model):
    """Which carrier gets a call, and when the next is tried."""

    order: Literal["priority", "weighted", "least_cost"] = Field(examples=["priority"])
    """Which carrier is tried first."""
    routes: Some[Annotated[Route, BeforeValidator(_route, json_schema_input_type=Name | Route)]] = Field(
        examples=[["atlantic", "boreal"]]
    )
    """Carriers, in order; names, or `{carrier, weight}`."""
    advance_on: Items[Status] = (408, 500, 502, 503, 504)
    """SIP statuses after which the next trunk is tried."""
    no_reply_timeout: Seconds = 4.0
    """No response at all: a local 408."""
    progress_timeout: Seconds = 8.0
    """A 100, then neither ringing nor an answer: CANCEL, and a local 408."""
    ring_timeout: Seconds = 60.0
    """Ringing without an answer; the callee's business."""
    max_attempts: int = Field(default=4, ge=1, le=100)
    """INVITEs for one call."""
    health: Health | None = None
    """Health by pings; without it no trunk is marked down by pings."""
    failing_calls: FailingCalls | None = None
    """Health by calls; without it no trunk is taken out by its calls."""
    poor_calls: PoorAudioCalls | None = None
    """Health by how calls sound; without it no trunk is taken out by that."""
