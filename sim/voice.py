"""How calls sound in each state of what they cross: a mixture over the calls on the link, the far end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from carriers.codecs import CODECS, Codec, coding_delay
from carriers.faults import EFFECTS, Fault, Kind, Media
from carriers.path import CLEAR, AccessLink, Addends, Transit, addends, joined, summed
from carriers.quality import Leg, Rated, rate
from results.timeline import HOURS_PER_WEEK, Heard
from sim.tables import Segment, Tables, Voice

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Part = tuple[str, Addends]
"""A piece of the path by the name that is blamed for it."""

PLAIN = CODECS["G.711_with_PLC"]
"""What a codec is compared with where it is the reason that a call is poor."""
SPREAD = 8.0
"""Standard deviations above its mean that the number of calls on a link is followed."""
MOS_STEP = 0.02
"""Calls whose MOS differs by less are told together, by their mean."""
NEVER = 1e-9
"""Calls that are rarer than this in every hour are left out."""
LOSS_STEP, WAIT_STEP = 0.002, 0.001
"""States of a link that differ by less sound alike; the share of packets, seconds."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """How calls of one kind sound, some so and others so."""

    chance: Floats
    """(n, 168) in each hour of the week; the sum over the n is 1."""
    heard: tuple[Heard | None, ...]
    """None: the scenario has no codec."""

    @classmethod
    def alike(cls, heard: Heard | None) -> Mixture:
        """Have all calls sound the same."""
        return cls(np.ones((1, HOURS_PER_WEEK)), (heard,))

    def __iter__(self) -> Iterator[tuple[Floats, Heard | None]]:
        """Give each chance, (168,), with its sound."""
        return zip(self.chance, self.heard, strict=True)

    @cached_property
    def one_way(self) -> Flags:
        """Tell those in which one side hears nothing, (n,)."""
        return np.array([heard is not None and heard.one_way for heard in self.heard])

    @cached_property
    def spoilt(self) -> Flags:
        """Tell those that are poor for the scenario, (n,)."""
        return np.array([heard is not None and heard.spoilt_by != "" for heard in self.heard])

    @cached_property
    def mos(self) -> Floats:
        """Tell the MOS of each, (n,); NaN: it has none."""
        rated = (None if heard is None else heard.mos for heard in self.heard)
        return np.array([np.nan if mos is None else mos for mos in rated])


UNHEARD = Mixture.alike(None)
ONE_WAY = Mixture.alike(Heard(None, "", 0.0, 0.0, 0.0, one_way=True))


def unheard(fault: Fault | None) -> Mixture:
    """Say how calls sound over a trunk that shows `fault`, in a scenario without a codec."""
    return ONE_WAY if fault is not None and EFFECTS[fault.kind].media is Media.ONE_WAY else UNHEARD


@dataclass(frozen=True)
class LinkState:
    """Numbers of calls on a link that sound alike: their chance by hour, what packets meet."""

    chance: Floats
    transit: Transit


class Hearing:
    """How calls of a scenario sound; every state is worked out once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: dict[tuple[object, ...], Mixture] = {}
        self._links: dict[tuple[int | None, float], tuple[LinkState, ...]] = {}
        self._sounds: dict[tuple[object, ...], Heard] = {}
        self._met: dict[tuple[float, int], Transit] = {}

    def mixture(self, carrier: int, fault: Fault | None, faults: Sequence[Fault | None]) -> Mixture:
        """Rate calls over a carrier whose trunk shows `fault`, with `faults` on the path's segments."""
        return self.own(None, carrier, fault, faults)

    def own(
        self, customer: int | None, carrier: int, fault: Fault | None, faults: Sequence[Fault | None]
    ) -> Mixture:
        """Do as `mixture`, for a customer's own segments with `faults`; None: those of the scenario."""
        key = (customer, carrier, fault, *faults)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._mixture(customer, carrier, fault, faults)
        return found

    def link_states(self, customer: int | None, more_data: float) -> tuple[LinkState, ...]:
        """Return what calls meet on the link, by how many others are up: a Poisson number (PASTA).

        Without a link there is one state, in which nothing happens.
        """
        key = (customer, more_data)
        if key not in self._links:
            self._links[key] = self._link(customer, more_data)
        return self._links[key]

    def segments(self, customer: int | None) -> tuple[Segment, ...]:
        """Return the segments that calls cross."""
        voice = self._voice
        return voice.segments if customer is None else self._tables.own_paths[customer].segments

    @property
    def _voice(self) -> Voice:
        voice = self._tables.voice
        assert voice is not None  # asked only where there is a codec
        return voice

    def _link(self, customer: int | None, more_data: float) -> tuple[LinkState, ...]:
        link = next((s.link for s in self.segments(customer) if s.link is not None), None)
        traffic = self._tables.traffic
        if link is None or traffic is None:
            return (LinkState(np.ones(HOURS_PER_WEEK), CLEAR),)
        hourly = traffic.calls_per_hour
        if customer is not None:
            hourly = self._tables.own_paths[customer].calls_per_hour
        load = np.asarray(hourly) / 3600.0 * traffic.hold_time.mean
        most = float(load.max())
        others = np.arange(int(most + SPREAD * np.sqrt(most)) + 20)
        log = special.xlogy(others, load[:, None]) - load[:, None] - special.gammaln(others + 1.0)
        chance = np.exp(log)
        chance /= chance.sum(axis=1, keepdims=True)
        return self._alike(link, np.asarray(others + 1.0, dtype=np.float64), more_data, chance)

    def _alike(
        self, link: AccessLink, calls: Floats, more_data: float, chance: Floats
    ) -> tuple[LinkState, ...]:
        voice = self._voice
        figures = np.stack(link.transit(calls, voice.codec, voice.packet, more_data), axis=1)
        steps = np.round(figures / (LOSS_STEP, WAIT_STEP, WAIT_STEP))
        _, which = np.unique(steps, axis=0, return_inverse=True)
        found = []
        for group in range(int(which.max()) + 1):
            mine = which == group
            weight = chance[:, mine]
            mean = np.average(figures[mine], axis=0, weights=weight.sum(axis=0) + 1e-300)
            loss, jitter, delay = (float(figure) for figure in mean)
            found.append(LinkState(weight.sum(axis=1), Transit(loss, 1.0, jitter, delay)))
        return tuple(found)

    def link_transit(self, faults: Sequence[Fault | None], calls: int) -> Transit:
        """Return what packets meet on the path's link with `calls` up, this one among them."""
        key = (_data(faults), calls)
        met = self._met.get(key)
        if met is None:
            link = next((s.link for s in self.segments(None) if s.link is not None), None)
            met = CLEAR
            if link is not None:
                voice = self._voice
                figures = link.transit(np.asarray([float(calls)]), voice.codec, voice.packet, key[0])
                loss, jitter, delay = (float(figure[0]) for figure in figures)
                met = Transit(loss, 1.0, jitter, delay)
            self._met[key] = met
        return met

    def _mixture(
        self, customer: int | None, carrier: int, fault: Fault | None, faults: Sequence[Fault | None]
    ) -> Mixture:
        mobile = self._voice.mobile
        ends = [(1.0, False)] if mobile is None else [(mobile.share, True), (1.0 - mobile.share, False)]
        if fault is not None and EFFECTS[fault.kind].media is Media.ONE_WAY:
            heard = self.sound(customer, carrier, fault, faults, CLEAR, to_mobile=False)
            return Mixture.alike(heard)
        found: dict[tuple[object, ...], list[tuple[Floats, Heard]]] = {}
        for state in self.link_states(customer, _data(faults)):
            for share, to_mobile in ends:
                chance = share * state.chance
                if chance.max() > NEVER:
                    heard = self.sound(customer, carrier, fault, faults, state.transit, to_mobile=to_mobile)
                    step = None if heard.mos is None else round(heard.mos / MOS_STEP)
                    found.setdefault((step, heard.spoilt_by, heard.scale), []).append((chance, heard))
        chances, sounds = zip(*(_together(alike) for alike in found.values()), strict=True)
        return Mixture(np.stack(chances), sounds)

    def sound(
        self,
        customer: int | None,
        carrier: int,
        fault: Fault | None,
        faults: Sequence[Fault | None],
        link: Transit,
        *,
        to_mobile: bool,
    ) -> Heard:
        """Rate one call; `link` is what its packets meet on the link, besides the segments."""
        key = (customer, carrier, fault, *faults, link, to_mobile)
        heard = self._sounds.get(key)
        if heard is None:
            parts = self._parts(customer, carrier, fault, faults, link)
            heard = self._sounds[key] = self._heard(parts, fault, to_mobile=to_mobile)
        return heard

    def _parts(
        self,
        customer: int | None,
        carrier: int,
        fault: Fault | None,
        faults: Sequence[Fault | None],
        link: Transit,
    ) -> list[Part]:
        spec = self._tables.carriers[carrier]
        parts: list[tuple[str, Transit]] = [(spec.name, spec.quality)]
        if fault is not None and fault.transit is not None:
            parts.append((fault.cause, fault.transit))
        for segment, trouble in zip(self.segments(customer), faults, strict=True):
            parts.append((segment.name, segment.transit))
            if segment.link is not None:
                congested = trouble is not None and trouble.kind is Kind.CONGESTION
                parts.append((trouble.cause if trouble is not None and congested else segment.name, link))
            if trouble is not None and trouble.transit is not None:
                parts.append((trouble.cause, trouble.transit))
        return [(name, addends(transit)) for name, transit in parts]

    def _heard(self, parts: list[Part], fault: Fault | None, *, to_mobile: bool) -> Heard:
        voice = self._voice
        mobile = voice.mobile if to_mobile else None
        if mobile is not None:
            parts = [*parts, ("mobile", addends(mobile.transit))]
        whole = summed([part for _, part in parts])
        late = voice.buffer.late_share(whole.jitter)
        lost = 1.0 - (1.0 - whole.loss) * (1.0 - late)
        delay = self._delay(whole, to_mobile=to_mobile)
        if fault is not None and EFFECTS[fault.kind].media is Media.ONE_WAY:
            return Heard(None, "", lost, whole.jitter, delay, one_way=True)
        rated = self._rated(parts, voice.codec, to_mobile=to_mobile)
        if rated is None:
            return Heard(None, "", lost, whole.jitter, delay)
        spoilt_by = ""
        if rated.mos < voice.poor_below:
            spoilt_by = self._culprit(parts, to_mobile=to_mobile)
        return Heard(rated.mos, rated.scale, lost, whole.jitter, delay, spoilt_by=spoilt_by)

    def _delay(self, whole: Transit, *, to_mobile: bool) -> float:
        voice = self._voice
        delay = whole.delay + voice.buffer.depth(whole.jitter) + coding_delay(voice.codec, voice.packet)
        if to_mobile and voice.mobile is not None and voice.mobile.codec is not None:
            delay += coding_delay(voice.mobile.codec, voice.mobile.codec.packet)
        return delay

    def _rated(self, parts: Sequence[Part], codec: Codec, *, to_mobile: bool) -> Rated | None:
        """Rate a path; where the far end transcodes, its loss is that of a second leg."""
        voice = self._voice
        far = voice.mobile.codec if to_mobile and voice.mobile is not None else None
        whole = summed([part for _, part in parts])
        ours = whole if far is None else summed([part for name, part in parts if name != "mobile"])
        late = Transit(voice.buffer.late_share(whole.jitter))
        heard = joined([ours, late])
        legs = [Leg(codec, heard.loss, heard.burst_ratio)]
        if far is not None:
            beyond = summed([part for name, part in parts if name == "mobile"])
            legs.append(Leg(far, beyond.loss, beyond.burst_ratio))
        return rate(legs, self._delay(whole, to_mobile=to_mobile))

    def _culprit(self, parts: Sequence[Part], *, to_mobile: bool) -> str:
        """Name the fault, segment or codec without which the call would sound best."""
        codec = self._voice.codec
        found: dict[str, float] = {}
        for name in dict.fromkeys(name for name, _ in parts):
            rest = [part for part in parts if part[0] != name]
            rated = self._rated(rest, codec, to_mobile=to_mobile and name != "mobile")
            if rated is not None:
                found[name] = rated.r
        plain = None if codec.wideband else self._rated(parts, PLAIN, to_mobile=to_mobile)
        if plain is not None:
            found[f"codec {codec.name}"] = plain.r
        return max(found, key=lambda name: found[name])


def _together(alike: Sequence[tuple[Floats, Heard]]) -> tuple[Floats, Heard]:
    """Join what sounds alike: the chances add up, the figures are means."""
    if len(alike) == 1:
        return alike[0]
    chance = np.sum([part for part, _ in alike], axis=0)
    weights = [float(part.sum()) for part, _ in alike]
    first = alike[0][1]
    loss, jitter, delay = (
        float(np.average([getattr(heard, name) for _, heard in alike], weights=weights))
        for name in ("loss", "jitter", "delay")
    )
    mos = None
    if first.mos is not None:
        mos = float(np.average([heard.mos for _, heard in alike if heard.mos is not None], weights=weights))
    return chance, first._replace(mos=mos, loss=loss, jitter=jitter, delay=delay)


def _data(faults: Sequence[Fault | None]) -> float:
    """Data that congestion adds, in bit/s."""
    return sum(fault.data for fault in faults if fault is not None)
