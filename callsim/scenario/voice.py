"""The path of a call besides the carrier: segments, the mobile leg, the jitter buffer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from callsim.scenario.faults import SiteFailure
from callsim.scenario.transit import Transit
from carriers import path
from carriers.units import format_duration
from documents.values import (
    BitRate,
    BitRateOrZero,
    CodecName,
    Items,
    Model,
    PositiveShare,
    Risk,
    Seconds,
    located,
)
from documents.words import Trouble


class SegmentFailure(SiteFailure, Transit):
    """One way in which a segment spoils calls."""

    @model_validator(mode="after")
    def _harms(self) -> Self:
        if not self.harms:
            raise located(((), "spoils nothing; write `loss`, `jitter` or `delay` of it"))
        return self


class AccessFailure(SiteFailure, Transit):
    """One way in which an access link spoils calls."""

    data: BitRateOrZero = Field(default=0.0, examples=["90Mbit/s"])
    """Data besides the usual."""

    @model_validator(mode="after")
    def _harms(self) -> Self:
        if not (self.harms or self.data):
            raise located(((), "spoils nothing; write `data`, `loss`, `jitter` or `delay` of it"))
        return self


class Segment(Transit):
    """A part of the path that every call crosses."""

    failures: Items[SegmentFailure] = ()
    """The ways in which it spoils calls."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise located(((), "nothing in it; write `loss`, `jitter`, `delay` or `failures`"))
        return self


class Access(Transit):
    """The line that calls share with data."""

    bandwidth: BitRate | None = None
    """Of the direction that has less room; without it calls and data never fill the line."""
    data: BitRateOrZero = Field(default=0.0, examples=["40Mbit/s"])
    """Usual data traffic."""
    reserved: PositiveShare | None = None
    """Share of the bandwidth that QoS keeps for voice; without it there is no QoS."""
    buffer: Seconds = Field(default=0.1, examples=["100ms"])
    """How long the queue in front of it gets at most."""
    failures: Items[AccessFailure] = ()
    """The ways in which it spoils calls."""

    @property
    def link(self) -> path.AccessLink | None:
        """Its queue, where its bandwidth is known."""
        if self.bandwidth is None:
            return None
        return path.AccessLink(self.bandwidth, self.data, self.reserved, self.buffer)

    @model_validator(mode="after")
    def _has_a_width(self) -> Self:
        if not self.model_fields_set:
            raise located(((), "nothing in it; write `bandwidth`, `loss`, `jitter`, `delay` or `failures`"))
        if self.bandwidth is None:
            idle: list[Trouble] = [
                ((key,), "does nothing without `bandwidth`; write that, or leave this out")
                for key in ("data", "reserved", "buffer")
                if key in self.model_fields_set
            ]
            idle += [
                (("failures", index, "data"), "does nothing; the link has no `bandwidth`, so write that")
                for index, failure in enumerate(self.failures)
                if failure.data
            ]
            if idle:
                raise located(*idle)
        return self


class Mobile(Transit):
    """The far end's mobile leg."""

    share: PositiveShare = Field(examples=["30%"])
    """Share of the calls that have it."""
    codec: CodecName | None = None
    """What speech is transcoded to there; without it nothing is transcoded."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.harms and self.codec is None:
            raise located(((), "does nothing; write its `loss`, `jitter`, `delay` or `codec`"))
        return self


class JitterBuffer(Model):
    """The adaptive playout buffer at the receiver."""

    nominal: Seconds = Field(default=0.04, examples=["40ms"])
    """Its depth where there is little jitter."""
    maximum: Seconds = Field(default=0.2, examples=["200ms"])
    """Its greatest depth."""
    late: Risk = 0.005
    """Share of late packets that it aims at."""

    @model_validator(mode="after")
    def _deep_enough(self) -> Self:
        if self.maximum < self.nominal:
            key = "maximum" if "maximum" in self.model_fields_set else "nominal"
            other = "nominal" if key == "maximum" else "maximum"
            than = f"`{other}`, {format_duration(getattr(self, other))}"
            why = (
                "shorter than {}; it has to be at least as long"
                if key == "maximum"
                else ("longer than {}; it has to be at most as long")
            )
            raise located(((key,), why.format(than)))
        return self


class OwnPath(Model):
    """Segments in place of those of the scenario's path."""

    endpoint: Segment | None = None
    """The device at our end of the call."""
    lan: Segment | None = None
    """The local network."""
    access: Access | None = None
    """The line to the internet."""
    internet: Segment | None = None
    """From the line to our platform."""

    @property
    def segments(self) -> Iterator[tuple[str, Segment | Access]]:
        """Those that are written, by name, in the order in which packets cross them."""
        for name in SEGMENTS:
            segment: Segment | Access | None = getattr(self, name, None)
            if segment is not None:
                yield name, segment

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise located(((), "nothing in it; write for example `lan: {loss: 0.02%, jitter: 2ms}`"))
        return self


class Path(OwnPath):
    """What packets meet besides the carrier."""

    platform: Segment | None = None
    """Our own media servers."""
    mobile: Mobile | None = None
    """The far end's mobile leg, which a share of the calls has."""
    jitter_buffer: JitterBuffer = JitterBuffer()
    """The playout buffer at the receiver."""


SEGMENTS = ("endpoint", "lan", "access", "internet", "platform")
"""Names of the segments, in the order in which packets cross them."""
