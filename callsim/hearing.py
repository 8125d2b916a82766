"""What callers met, as estimates: how calls sound, how each direction fares, what the busy hour is like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from carriers.calendars import DAY
from results.draws import Again
from results.estimates import Estimate
from results.hearing import SCALES, CallSums, Rated, Sound, busiest
from results.summary import Summary
from results.timeline import Floats

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MILLION = 1e6


@dataclass(frozen=True)
class CarrierVoice:
    """How the calls of one carrier and direction sound; `calls_share` is of the rated calls."""

    carrier: str
    direction: str
    mean: float
    poor_share: float
    calls_share: float


@dataclass(frozen=True)
class Voice:
    """How calls sound, by MOS of one scale."""

    scale: str
    """`MOS-CQE` or `MOS-CQEW`."""
    poor_below: float
    calls_share: float
    """Share of the connected calls that have a MOS of this scale."""
    mean: Estimate
    poor_share: Estimate
    distribution: Sequence[tuple[float, float]]
    """MOS and share of the calls from there up to 0.1 more, without the steps that have none."""
    by_carrier: Sequence[CarrierVoice]
    poor_by_cause: Sequence[tuple[str, float]]
    """What spoils calls, and its share of the poor ones; largest first."""
    other: Voice | None = None
    """The calls whose MOS is of the other scale: the two are not to be compared."""

    def to_json(self) -> dict[str, Any]:
        """Return the key `mos` of the JSON contract."""
        return {
            "mean": self.mean.to_json(),
            "poor_share": self.poor_share.to_json(),
            "poor_below": self.poor_below,
            "scale": self.scale,
            "calls_share": self.calls_share,
            "distribution": [{"mos": mos, "share": share} for mos, share in self.distribution],
            "by_carrier": [asdict(row) for row in self.by_carrier],
            "poor_by_cause": [{"cause": cause, "share": share} for cause, share in self.poor_by_cause],
            "other_scale": None if self.other is None else self.other.to_json(),
        }


@dataclass(frozen=True)
class Direction:
    """How calls from us, or calls to us, fare."""

    availability: Estimate
    """Share of the time that this direction is not down by the scenario's rule."""
    call_success: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return an entry of the key `directions`."""
        return {"availability": self.availability.to_json(), "call_success": self.call_success.to_json()}


@dataclass(frozen=True)
class BusyHour:
    """The hour of the week with the most calls, over all weeks; what is not known is None."""

    hour: str
    """Local time: `Mon 10:00`."""
    calls_per_hour: float
    call_success: float
    blocked_share: float
    mos_mean: float | None
    poor_share: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the key `busy_hour`."""
        return asdict(self)


@dataclass(frozen=True)
class CallFigures:
    """Everything estimated from calls; all None without traffic."""

    call_success: Estimate | None = None
    dpm: Estimate | None = None
    dropped_per_million: Estimate | None = None
    blocked_per_million: Estimate | None = None
    one_way_per_million: Estimate | None = None
    mos: Voice | None = None
    directions: dict[str, Direction] | None = None
    """By name, `outbound` and `inbound`; None where there are no calls to us."""
    busy_hour: BusyHour | None = None


def call_figures(
    summary: Summary, again: Again, calls_per_hour: Sequence[float], poor_below: float | None
) -> CallFigures:
    """Estimate from the calls of a run; `poor_below` is None where the scenario has no codec."""
    calls = summary.calls
    fails = _share(again, calls.failed, calls.offered)
    voices = [] if poor_below is None else _voices(summary, again, poor_below)
    voice = voices[0] if voices else None

    def per_million(column: Floats) -> Estimate:
        return _share(again, column, calls.offered).scaled(MILLION)

    return CallFigures(
        call_success=fails.scaled(-1.0, 1.0),
        dpm=fails.scaled(MILLION),
        dropped_per_million=per_million(summary.dropped),
        blocked_per_million=per_million(calls.blocked),
        one_way_per_million=per_million(calls.one_way),
        mos=voice,
        directions=_directions(summary, again) if calls.inbound.any() else None,
        busy_hour=_busy_hour(summary.busy_hour, calls_per_hour, voice),
    )


def _share(again: Again, part: Floats, whole: Floats) -> Estimate:
    """Estimate a share of calls, or of time.

    What is counted comes many at a time; the years that have some are events enough to count.
    """
    return again.ratio(part, whole, int(np.count_nonzero(part)))


def _mean(again: Again, total: Floats, calls: Floats) -> Estimate:
    """Estimate a mean MOS; one-sided bounds, which take sizes to be exponential, do not hold for it."""
    found = _share(again, total, calls)
    return found if found.low is not None else replace(found, lower=None, upper=None)


def _voices(summary: Summary, again: Again, poor_below: float) -> list[Voice]:
    """Return what there is of each scale, that of most calls first; it holds the other one."""
    rated = summary.calls.rated.sum(axis=0)
    found: list[Voice] = []
    for scale in np.argsort(rated, kind="stable").tolist():
        if rated[scale] > 0.0:
            found.insert(0, _voice(summary, again, poor_below, scale, found[0] if found else None))
    return found


def _voice(summary: Summary, again: Again, poor_below: float, scale: int, other: Voice | None) -> Voice:
    calls, name = summary.calls, SCALES[scale]
    rated = calls.rated[:, scale]
    own = {sound: row for sound, row in summary.sounds.items() if sound.scale == name}
    return Voice(
        scale=name,
        poor_below=poor_below,
        calls_share=float(rated.sum()) / sum(summary.connected.values()),
        mean=_mean(again, calls.mos[:, scale], rated),
        poor_share=_share(again, calls.poor[:, scale], rated),
        distribution=list(distribution(own.items())),
        by_carrier=_by_carrier(own),
        poor_by_cause=_by_cause(own),
        other=other,
    )


def distribution(sounds: Iterable[tuple[Sound, Rated]]) -> list[tuple[float, float]]:
    """Return shares of the rated calls by steps of 0.1 of MOS: (lower end, share), without empty steps."""
    steps: dict[int, float] = {}
    for sound, row in sounds:
        step = round(sound.mos * 100) // 10
        steps[step] = steps.get(step, 0.0) + row.calls
    total = sum(steps.values())
    return [(step / 10, steps[step] / total) for step in sorted(steps)]


def _by_carrier(sounds: dict[Sound, Rated]) -> list[CarrierVoice]:
    total = sum(row.calls for row in sounds.values())
    found = []
    for carrier, inbound in sorted({(sound.carrier, sound.inbound) for sound in sounds}):
        own = [(s, row) for s, row in sounds.items() if (s.carrier, s.inbound) == (carrier, inbound)]
        calls = sum(row.calls for _, row in own)
        found.append(
            CarrierVoice(
                carrier=carrier,
                direction="inbound" if inbound else "outbound",
                mean=sum(row.mos for _, row in own) / calls,
                poor_share=sum(row.calls for sound, row in own if sound.spoilt_by) / calls,
                calls_share=calls / total,
            )
        )
    return found


def _by_cause(sounds: dict[Sound, Rated]) -> list[tuple[str, float]]:
    causes: dict[str, float] = {}
    for sound, row in sounds.items():
        if sound.spoilt_by:
            causes[sound.spoilt_by] = causes.get(sound.spoilt_by, 0.0) + row.calls
    total = sum(causes.values())
    return sorted(((cause, calls / total) for cause, calls in causes.items()), key=lambda c: (-c[1], c[0]))


def _directions(summary: Summary, again: Again) -> dict[str, Direction]:
    calls, seconds = summary.calls, summary.year_seconds
    offered = {"outbound": calls.offered - calls.inbound, "inbound": calls.inbound}
    # What is left of a difference by rounding is no call.
    failed = {
        "outbound": np.maximum(calls.failed - calls.inbound_failed, 0.0),
        "inbound": calls.inbound_failed,
    }
    return {
        name: Direction(
            availability=_share(again, calls.down[:, n], seconds).scaled(-1.0, 1.0),
            call_success=_share(again, failed[name], offered[name]).scaled(-1.0, 1.0),
        )
        for n, name in enumerate(("outbound", "inbound"))
    }


def _busy_hour(sums: CallSums, calls_per_hour: Sequence[float], voice: Voice | None) -> BusyHour | None:
    offered = float(sums.offered[0])
    if not offered:
        return None
    hour = busiest(calls_per_hour)
    day, time = divmod(hour, int(DAY // 3600))
    scale = None if voice is None else SCALES.index(voice.scale)
    rated = 0.0 if scale is None else float(sums.rated[0, scale])
    return BusyHour(
        hour=f"{DAYS[day]} {time:02}:00",
        calls_per_hour=float(calls_per_hour[hour]),
        call_success=1.0 - float(sums.failed[0]) / offered,
        blocked_share=float(sums.blocked[0]) / offered,
        mos_mean=float(sums.mos[0, scale]) / rated if rated else None,
        poor_share=float(sums.poor[0, scale]) / rated if rated else None,
    )
