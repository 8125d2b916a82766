"""How a call that is placed sounds, by what its path shows when it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carriers.faults import EFFECTS, Media
from results.timeline import Heard
from sim.draws import Draw

if TYPE_CHECKING:
    from sim.stream import Stream

ONE_WAY = Heard(None, "", 0.0, 0.0, 0.0, one_way=True)
"""A call without a codec, one side of which hears nothing."""


class Ears:
    """Numbers the ways in which calls sound, each worked out once.

    A call keeps what it has at its set-up: the fault that its trunk shows then, those of the segments, the
    number of calls then up on the link.
    """

    def __init__(self, stream: Stream) -> None:
        assert stream.trunks is not None  # calls are placed over trunks only
        voice = stream.tables.voice
        self._faults = stream.tables.faults
        self._trunks = stream.trunks
        self._codes = stream.around.codes
        self._hearing = stream.conditions.hearing
        self._segments = 0 if voice is None else len(voice.segments)
        self._linked = voice is not None and any(segment.link is not None for segment in voice.segments)
        self._mobile = 0.0 if voice is None or voice.mobile is None else voice.mobile.share
        self._far_end: Draw = stream.random.uniform("calls/far_end")
        self._numbers: dict[Heard, int] = {}
        self._heard: list[Heard] = []
        self._known: dict[tuple[object, ...], int] = {}

    @property
    def sounds(self) -> tuple[Heard, ...]:
        """What the numbers stand for."""
        return tuple(self._heard)

    def sound(self, number: int) -> Heard:
        """Return what a number stands for."""
        return self._heard[number]

    def hear(self, trunk: int, up: int) -> int:
        """Return how a call sounds that is set up now, as the `up`th on the link; -1: nothing is known."""
        shown = self._trunks.shown[trunk]
        if self._hearing is None:
            if shown < 0 or EFFECTS[self._faults[shown].kind].media is not Media.ONE_WAY:
                return -1
            return self._number(ONE_WAY)
        to_mobile = self._mobile > 0.0 and self._far_end() < self._mobile
        key = (trunk, shown, up if self._linked else 0, to_mobile, *self._codes[: self._segments])
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._number(self._sound(trunk, up, to_mobile=to_mobile))
        return number

    def _number(self, heard: Heard) -> int:
        if heard not in self._numbers:
            self._numbers[heard] = len(self._heard)
            self._heard.append(heard)
        return self._numbers[heard]

    def _sound(self, trunk: int, up: int, *, to_mobile: bool) -> Heard:
        assert self._hearing is not None  # checked by the caller
        codes = self._codes[: self._segments]
        faults = [self._faults[code - 1] if code else None for code in codes]
        link = self._hearing.link_transit(faults, up)
        carrier = self._trunks.policy.trunks[trunk].carrier
        return self._hearing.sound(
            None, carrier, self._trunks.fault(trunk), faults, link, to_mobile=to_mobile
        )
