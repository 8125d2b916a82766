"""From what a scenario says of voice, inbound calls, devices, to the tables that a simulation plays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from callsim.ledgers.causes import cause_name
from callsim.scenario import voice
from callsim.scenario.model import Scenario
from callsim.scenario.promises import Customer
from carriers import codecs
from carriers.faults import Fault, Kind
from carriers.path import JitterBuffer
from sim import tables

AddMode = Callable[[str, voice.SegmentFailure | voice.AccessFailure, Fault], tables.Mode]
"""Makes the mode of an owner's failure, which shows this fault."""


def numbers_of(scenario: Scenario) -> tuple[tables.Numbers, ...]:
    """Make the blocks of numbers."""
    carriers = {carrier.name: n for n, carrier in enumerate(scenario.carriers)}
    # Written thirds add up to a little less than the whole.
    whole = math.fsum(block.share for block in scenario.numbers)
    found = []
    for block in scenario.numbers:
        spec = block.forwards
        forwards = tables.Forwarding(carriers[spec.to], spec.after, spec.success) if spec else None
        found.append(tables.Numbers(block.block, carriers[block.home], block.share / whole, forwards))
    return tuple(found)


def devices_of(scenario: Scenario) -> tables.Devices | None:
    """Make the phones that register, where there are some."""
    platform = scenario.platform
    if platform is None or platform.devices is None:
        return None
    spec = platform.devices
    group = [group.name for group in platform.groups].index(spec.registered_at)
    return tables.Devices(group, spec.every, spec.kept == "within_site")


def traffic_of(scenario: Scenario) -> tables.Traffic | None:
    """Make the calls that are offered, where there are some."""
    spec = scenario.traffic
    if spec is None:
        return None
    return tables.Traffic(
        calls_per_hour=tuple(spec.busy_hour_calls * share for share in spec.profile),
        hold_time=spec.hold_time,
        inbound=spec.inbound,
        redial_share=spec.redial.share if spec.redial else 0.0,
        redial_after=spec.redial.after if spec.redial else None,
    )


def voice_of(scenario: Scenario) -> tables.Voice | None:
    """Make what speech meets besides the carrier, where the codec is known."""
    traffic = scenario.traffic
    if traffic is None or traffic.codec is None:
        return None
    coded = codecs.codec(traffic.codec)
    path = scenario.path
    buffer = path.jitter_buffer if path else voice.JitterBuffer()
    return tables.Voice(
        codec=coded,
        packet=coded.packet if traffic.packet is None else traffic.packet,
        buffer=JitterBuffer(buffer.nominal, buffer.maximum, buffer.late),
        segments=_segments(path.segments) if path else (),
        mobile=_mobile(path.mobile) if path and path.mobile else None,
        poor_below=scenario.service.poor_below,
    )


def _mobile(spec: voice.Mobile) -> tables.Mobile:
    return tables.Mobile(spec.share, spec.transit, codecs.codec(spec.codec) if spec.codec else None)


def own_paths_of(scenario: Scenario) -> tuple[tables.OwnPath, ...]:
    """Make the paths of customers who have segments of their own."""
    return tuple(
        tables.OwnPath(customer.name, _segments(_crossed(scenario, customer)), _on_access(scenario, customer))
        for customer in _with_path(scenario)
    )


def segment_units(scenario: Scenario, add_mode: AddMode) -> Iterator[tables.Unit]:
    """Make the units of the segments that fail: those of the scenario, then those of customers."""
    if scenario.path is not None:
        for index, (name, segment) in enumerate(scenario.path.segments):
            if segment.failures:
                modes = _modes(name, segment.failures, add_mode)
                yield tables.Unit(name, modes, segment=index)
    for number, customer in enumerate(_with_path(scenario)):
        assert customer.path is not None  # they are those who have one
        own = dict(customer.path.segments)
        for index, (name, segment) in enumerate(_crossed(scenario, customer)):
            if name in own and segment.failures:
                owner = f"{customer.name}/{name}"
                modes = _modes(owner, segment.failures, add_mode)
                yield tables.Unit(owner, modes, segment=index, customer=number)


def _modes(
    owner: str, failures: Sequence[voice.SegmentFailure | voice.AccessFailure], add_mode: AddMode
) -> tuple[tables.Mode, ...]:
    return tuple(add_mode(owner, failure, _fault(owner, failure)) for failure in failures)


def _fault(owner: str, failure: voice.SegmentFailure | voice.AccessFailure) -> Fault:
    data = failure.data if isinstance(failure, voice.AccessFailure) else 0.0
    return Fault(
        name=failure.mode,
        kind=Kind.CONGESTION if data else Kind.POOR_AUDIO,
        transit=failure.transit if failure.harms else None,
        data=data,
        cause=cause_name(owner, failure),
    )


def _segments(named: Iterator[tuple[str, voice.Segment | voice.Access]]) -> tuple[tables.Segment, ...]:
    return tuple(
        tables.Segment(name, part.transit, part.link if isinstance(part, voice.Access) else None)
        for name, part in named
    )


def _with_path(scenario: Scenario) -> list[Customer]:
    return [customer for customer in scenario.customers if customer.path is not None]


def _crossed(scenario: Scenario, customer: Customer) -> Iterator[tuple[str, voice.Segment | voice.Access]]:
    """Give all segments that a customer's calls cross, their own in place of the scenario's."""
    assert customer.path is not None  # asked only of those who have one
    segments = dict(scenario.path.segments) if scenario.path else {}
    segments |= customer.path.segments
    return ((name, segments[name]) for name in voice.SEGMENTS if name in segments)


def _on_access(scenario: Scenario, customer: Customer) -> tuple[float, ...]:
    """Calls in each hour on a customer's access link: theirs, or everybody's where it is the scenario's."""
    assert scenario.traffic is not None  # there is a codec
    busiest = customer.busy_hour_calls or scenario.traffic.busy_hour_calls
    return tuple(busiest * share for share in scenario.traffic.profile)
