"""The plan as a whole."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from callsim.plan.references import SecretReference
from callsim.plan.values import (
    Address,
    Beginning,
    Country,
    Digits,
    HeaderName,
    HeaderValue,
    Listened,
    LiveCodec,
    NameServer,
    Number,
    Played,
    TrunkUri,
)
from callsim.plan.watching import Alert, Date, HostPort, Keep, Sla
from callsim.scenario.calls import Mos, Routing
from carriers.calendars import ALWAYS
from documents.values import (
    Hours,
    Items,
    Model,
    Name,
    PositiveShare,
    Seconds,
    SecondsOrZero,
    Share,
    Some,
    TimeZone,
    located,
    wrong,
)
from documents.words import Trouble, show

TRUNK_NAME = r"[A-Za-z][A-Za-z0-9_-]*(?:/[1-9][0-9]*)?"
ROUTE = "route"
OUTSIDE = "outside"


def _trunk_name(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(TRUNK_NAME, value) is None:
        raise wrong(
            f"{show(value)} names no trunk; write a carrier, like atlantic, or one trunk, like atlantic/1"
        )
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


TrunkName = Annotated[str, BeforeValidator(_trunk_name)]
"""A carrier's name for its trunks, `NAME/NUMBER` for one of several."""


class Trunk(Model):
    """A SIP peer that calls are sent to, with the account there."""

    carrier: Name = Field(examples=["atlantic"])
    """Name of the carrier; its trunks are called atlantic/1, atlantic/2 in the order of the list."""
    uri: TrunkUri = Field(examples=['"sip:sbc1.example.com:5061;transport=tls"'])
    """Its SIP URI; a name without a port is resolved by RFC 3263: NAPTR, SRV, A.

    UDP unless it ends in ;transport=tcp or ;transport=tls, or NAPTR records say so.
    """
    srtp: Literal["off", "optional", "required"] = "off"
    """Whether media is encrypted (RFC 4568)."""
    username: SecretReference | None = None
    """User for digest authentication."""
    password: SecretReference | None = None
    """Password for digest authentication."""
    realm: str = "*"
    """Realm of that account; any, unless it is given."""
    register_: bool = Field(default=False, alias="register")
    """Whether to register there (RFC 3261, 10)."""
    caller_id: Number | None = None
    """Number that calls are from; it has to be one of yours."""
    caller_id_by: Literal["pai", "from"] = "pai"
    """Told by From and P-Asserted-Identity (RFC 3325), or by From alone."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Headers that every INVITE has besides."""
    cost_per_minute: float | None = Field(default=None, ge=0)
    """Price of a minute, in the currency of `guard.spend_per_day`."""
    repair: Seconds | None = None
    """Time in which the carrier usually repairs; alerts tell it."""


class Audio(Model):
    """What a call plays, and what it listens for."""

    play: Played = "tone"
    """tone, speech, silence or the name of a WAV file."""
    hear: Listened = "anything"
    """echo, anything, nothing or the name of a WAV file."""
    record: bool = False
    """Whether both directions are kept as WAV files, with `consent: recorded`; by `callsim watch`."""


class Expect(Model):
    """What has to be so for a test to pass; what is not measured is not kept."""

    status: int = Field(default=200, ge=200, le=699)
    """Final SIP status."""
    ringing_within: Seconds | None = None
    """From INVITE to ringing or the answer (post-dial delay)."""
    answered_within: Seconds | None = None
    """From INVITE to its 200."""
    mos_at_least: Mos | None = None
    """MOS by the E-model."""
    mos_lqo_at_least: Mos | None = None
    """MOS-LQO by ViSQOL, of what comes back; the far end has to echo speech."""
    loss_at_most: Share | None = None
    """Share of the packets to us that are lost or come too late."""
    jitter_at_most: Seconds | None = None
    """Interarrival jitter of what we receive (RFC 3550)."""
    two_way_audio: bool | None = None
    """Whether both sides hear each other."""
    silence_at_most: Share | None = None
    """Share of the call without any sound."""
    echo_within: Seconds | None = None
    """From our tone to its return."""
    dtmf: Digits | None = None
    """Digits that are sent, and have to come back (RFC 4733)."""
    caller_id: Number | None = None
    """The caller's number as it reached us; of inbound tests."""

    @model_validator(mode="after")
    def _heard(self) -> Self:
        given = self.model_fields_set - {"status", "ringing_within"}
        if not 200 <= self.status < 300 and given:
            why = f"does nothing; `status` is {self.status}, and then there is no call"
            raise located(*(((key,), why) for key in sorted(given)))
        return self


class Again(Model):
    """Repeats of a test that failed, before it counts."""

    after: SecondsOrZero = Field(examples=["20s"])
    """How long to wait."""
    times: int = Field(ge=1, le=10, examples=[1])
    """So many repeats at most."""


class Test(Model):
    """A call that is placed and judged."""

    __test__ = False
    """None of pytest's."""

    name: Name = Field(examples=["echo-number"])
    """What it is called."""
    direction: Literal["outbound", "inbound"] = "outbound"
    """Whether the number is somebody else's, or ours: then the call is judged where it arrives."""
    to: Number = Field(examples=['"+12025550100"'])
    """Number that is called."""
    over: (
        Annotated[
            Some[TrunkName], BeforeValidator(_listed, json_schema_input_type=TrunkName | list[TrunkName])
        ]
        | None
    ) = Field(default=None, examples=[["atlantic", "boreal"]])
    """Trunks, each by itself; `route` goes through the router. Of outbound tests."""
    at: TrunkName | None = None
    """Trunk on which the number reaches us. Of inbound tests."""
    from_: TrunkName | None = Field(default=None, alias="from")
    """Trunk over which we place it, or `outside` where somebody else does. Of inbound tests."""
    within: Seconds = 60.0
    """How long a call from outside is waited for. Of inbound tests."""
    every: Seconds | None = None
    """Time from one to the next; the pre-flight counts with it."""
    jitter: SecondsOrZero = 0.0
    """Each is up to so much earlier or later, so that they do not beat in step with a fault."""
    hours: Hours = ALWAYS
    """When it runs, in the plan's time zone."""
    not_on: Items[Date] = ()
    """Days on which it does not run."""
    talk: Seconds = 12.0
    """From the answer to our BYE."""
    codec: LiveCodec | None = None
    """The only codec that is offered; without it the plan's."""
    audio: Audio = Audio()
    """What it plays, and what it listens for."""
    expect: Expect = Expect()
    """What has to be so."""
    again: Again | None = None
    """Repeats when it fails."""

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        inbound = {"at", "from_", "within"}
        spoken = {"from_": "from"}
        if self.direction == "outbound":
            troubles: list[Trouble] = [
                ((spoken.get(key, key),), "does nothing; it is of tests with `direction: inbound`")
                for key in sorted(inbound & self.model_fields_set)
            ]
            if self.over is None:
                troubles.append(
                    (("over",), "missing; write for example `over: [atlantic]`, or `over: route`")
                )
            if self.expect.caller_id is not None:
                troubles.append((("expect", "caller_id"), "does nothing; only an inbound call tells it"))
        else:
            troubles = [
                ((spoken.get(key, key),), f"missing; write for example `{spoken.get(key, key)}: {example}`")
                for key, example in (("at", "atlantic"), ("from_", "boreal"))
                if getattr(self, key) is None
            ]
            if self.over is not None:
                troubles.append((("over",), "does nothing; an inbound test says `from`"))
            if self.from_ != OUTSIDE and "within" in self.model_fields_set:
                troubles.append((("within",), "does nothing; only a call from outside is waited for"))
        if self.expect.mos_lqo_at_least is not None:
            troubles += self._without_lqo()
        if self.every is not None and self.jitter >= self.every:
            troubles.append((("jitter",), "has to be shorter than `every`"))
        if self.every is None and self.jitter:
            troubles.append((("jitter",), "does nothing without `every`"))
        if self.every is None:
            idle = {"hours", "not_on"} & self.model_fields_set
            troubles += [((key,), "does nothing without `every`") for key in sorted(idle)]
        if troubles:
            raise located(*troubles)
        return self

    def _without_lqo(self) -> list[Trouble]:
        """Find what leaves ViSQOL nothing to compare."""
        if self.direction == "inbound":
            return [(("expect", "mos_lqo_at_least"), "is of outbound tests; an inbound call has no echo")]
        troubles: list[Trouble] = []
        if self.audio.play in {"tone", "silence"}:
            why = "mos_lqo_at_least needs `play: speech`, or a WAV file of speech"
            troubles.append((("audio", "play"), why))
        if self.audio.hear != "echo":
            troubles.append((("audio", "hear"), "mos_lqo_at_least needs `hear: echo`"))
        return troubles


class GuardRules(Model):
    """What may be called at all, and how much."""

    allow: Items[Beginning] = Field(examples=[['"+120255501"']])
    """First digits of numbers that may be called; an empty list allows nothing."""
    country: Country | None = None
    """Where we are, for its emergency numbers."""
    at_once: int = Field(ge=1, examples=[2])
    """Calls at once."""
    calls_per_second: float | None = Field(default=None, gt=0)
    """INVITEs a second."""
    calls_per_hour: int | None = Field(default=None, ge=1)
    """INVITEs in any hour."""
    calls_per_day: int = Field(ge=1, examples=[200])
    """INVITEs in any 24 hours."""
    minutes_per_day: float | None = Field(default=None, gt=0)
    """Minutes in any 24 hours, each begun minute as a whole one."""
    spend_per_day: float | None = Field(default=None, ge=0)
    """Spend in any 24 hours, in the currency of `cost_per_minute`."""
    short_calls_at_most: PositiveShare | None = None
    """Share of the answered calls that may be short ones, for which carriers fine."""
    short_call: Seconds | None = None
    """A call is short below this; 6 s unless it is given."""


class RtpPorts(Model):
    """UDP ports for media, as a firewall lets them through."""

    first: int = Field(ge=1024, le=65534, examples=[20000])
    """The first port."""
    count: int = Field(ge=8, le=60000, examples=[400])
    """How many; a call takes two."""

    @model_validator(mode="after")
    def _there(self) -> Self:
        if self.first + self.count > 65536:
            raise located((("count",), f"ends at {self.first + self.count - 1}; the last port is 65535"))
        return self


class Plan(Model):
    """Real calls over real trunks, and the limits that hold for them.

    Durations are seconds, shares are 0 to 1; secrets are references, read when calls are placed.
    """

    format: Literal[1] = 1
    """Version of the plan language."""
    name: Name = Field(examples=["production-trunks"])
    """What it is called; what the guard has counted is kept under this name."""
    title: str | None = None
    """One line about it."""
    trunks: Some[Trunk]
    """Where calls can be sent."""
    routing: Routing | None = None
    """Which carrier gets a call, and when the next is tried; as in a scenario."""
    codecs: Some[LiveCodec] = ("PCMU",)
    """Codecs that calls offer, the first preferred."""
    ca_file: str | None = None
    """Certificates (PEM) that trunks over TLS are checked with, instead of the system's."""
    nameservers: Items[NameServer] = Field(default=(), examples=[["127.0.0.1:5353"]])
    """Name servers for trunks that are written as names; without them this machine's."""
    bind: Address | None = None
    """Address of this machine to send from; without it any."""
    rtp_ports: RtpPorts | None = None
    """Ports for media; without it any that are free."""
    tests: Items[Test] = ()
    """Calls that are placed and judged."""
    guard: GuardRules
    """What may be called at all, and how much."""
    timezone: TimeZone = "UTC"
    """Where hours and months are local time."""
    own_network: Items[HostPort] = ()
    """TCP ports that answer while our own network works; asked when all trunks fail at once."""
    sla: Sla | None = None
    """What is promised."""
    alerts: Items[Alert] = ()
    """Whom to tell of what."""
    keep: Keep | None = None
    """How long records are kept; without it for ever."""
    numbers: Literal["plain", "hashed"] = "plain"
    """How numbers that are called are kept."""
    consent: Literal["recorded"] | None = None
    """Whether those who are called have agreed to be recorded."""

    @model_validator(mode="after")
    def _acted_on(self) -> Self:
        troubles: list[Trouble] = []
        if self.consent is None:
            recorded = [n for n, test in enumerate(self.tests) if test.audio.record]
            why = "needs `consent: recorded` in the plan"
            troubles += [(("tests", n, "audio", "record"), why) for n in recorded]
        if self.sla is None:
            burning = [n for n, alert in enumerate(self.alerts) if alert.when == "budget_burning"]
            why = "budget_burning needs `sla: {availability: 99.95%}` in the plan"
            troubles += [(("alerts", n, "when"), why) for n in burning]
        if troubles:
            raise located(*troubles)
        return self

    def trunk_names(self) -> tuple[str, ...]:
        """Names of the trunks, in the order of the list: `atlantic/1`."""
        seen: dict[str, int] = {}
        names = []
        for trunk in self.trunks:
            seen[trunk.carrier] = seen.get(trunk.carrier, 0) + 1
            names.append(f"{trunk.carrier}/{seen[trunk.carrier]}")
        return tuple(names)

    def trunks_of(self, name: str) -> tuple[int, ...]:
        """Positions of the trunks that a carrier's or a trunk's name means; empty where there is none."""
        names = self.trunk_names()
        return tuple(n for n, full in enumerate(names) if name in {full, self.trunks[n].carrier})
