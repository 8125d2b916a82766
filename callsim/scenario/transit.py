"""What packets meet on a part of their path, as a scenario writes it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from carriers import path
from documents.values import Model, SecondsOrZero, Share, located


class Transit(Model):
    """What packets meet on a part of their path, each way."""

    loss: Share = Field(default=0.0, examples=["0.1%"])
    """Share of the packets that are lost."""
    burst_ratio: float = Field(default=1.0, ge=1.0)
    """Mean length of loss runs over that of random loss (ITU-T G.107)."""
    jitter: SecondsOrZero = Field(default=0.0, examples=["4ms"])
    """Interarrival jitter (RFC 3550)."""
    delay: SecondsOrZero = Field(default=0.0, examples=["35ms"])
    """Least one-way delay, without what jitter adds."""

    @property
    def transit(self) -> path.Transit:
        """The same in the terms of `carriers`."""
        return path.Transit(self.loss, self.burst_ratio, self.jitter, self.delay)

    @property
    def harms(self) -> bool:
        """Whether packets meet anything at all."""
        return bool(self.loss or self.jitter or self.delay)

    @model_validator(mode="after")
    def _bursts_of_something(self) -> Self:
        if "burst_ratio" in self.model_fields_set and not self.loss:
            raise located((("burst_ratio",), "does nothing without `loss`; write that, or leave this out"))
        return self


class Quality(Transit):
    """What packets meet from us to the callee's network."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise located(((), "nothing in it; write for example `{loss: 0.1%, jitter: 4ms, delay: 35ms}`"))
        return self
