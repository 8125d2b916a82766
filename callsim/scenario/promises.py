"""What is promised, and how long is simulated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field

from documents.values import Model, Name, PositiveShare, Risk, Seconds, Some


class _Objective(Model):
    window: Literal["month", "year"] = "month"
    """Calendar window that keeps it or breaks it."""
    risk: Risk = Field(examples=["1%"])
    """Met when at most this share of the windows break it."""


class Availability(_Objective):
    """Share of the time in which the service is not down."""

    name: Literal["availability"]
    at_least: PositiveShare = Field(examples=["99.99%"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, a share."""
        return self.at_least


class Mttr(_Objective):
    """Mean length of an outage; a window without one keeps it."""

    name: Literal["mttr"]
    at_most: Seconds = Field(examples=["30m"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, in seconds."""
        return self.at_most


class Mtbf(_Objective):
    """Mean time up between outages."""

    name: Literal["mtbf"]
    at_least: Seconds = Field(examples=["60d"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, in seconds."""
        return self.at_least


class Downtime(_Objective):
    """Time down in the window."""

    name: Literal["downtime"]
    at_most: Seconds = Field(examples=["5m"])
    """The target."""

    @property
    def target(self) -> float:
        """The target, in seconds."""
        return self.at_most


Objective = Annotated[Availability | Mttr | Mtbf | Downtime, Discriminator("name")]


class Sla(Model):
    """An agreement: what is promised."""

    name: Name = "sla"
    """What it is called."""
    objectives: Some[Objective]
    """What it promises."""


class Simulation(Model):
    """How long is simulated."""

    years: int = Field(default=2000, ge=1, le=10_000_000, examples=[2000])
    """Simulated years."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of the random numbers."""
    confidence: Risk = 0.95
    """Confidence of the intervals."""
    precision: Risk | None = None
    """Stop when the interval on unavailability is within this share of it."""
    max_time: Seconds | None = None
    """Stop after this much real time."""
    keep_years: int = Field(default=200, ge=0, le=10_000_000)
    """Years whose whole timeline is written."""
