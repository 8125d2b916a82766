"""What callers met, as rows of the report."""

from __future__ import annotations

from callsim import figures
from callsim.hearing import MILLION, BusyHour, Voice
from callsim.result import Result
from results.estimates import Estimate

Row = tuple[str, str]

MOST_SPOILERS = 3
"""Causes of poor calls that are named."""
MUCH_WORSE = 1.5
"""The busy hour is told where its calls are blocked, or sound poor, so many times as often as all."""
SMALLEST = 0.01
"""Blocked and one-way calls that are fewer than this share of the failing ones are left to `result.json`."""
NEARLY_ALL = 0.999


def direction_rows(result: Result) -> list[Row]:
    """Write the availability of each direction, where there are two."""
    if result.directions is None:
        return []
    told = [f"{name} {figures.percent(found.availability)}" for name, found in result.directions.items()]
    return [("  by direction", ", ".join(told))]


def call_rows(result: Result, brief: bool = False) -> list[Row]:
    """Write how calls connect and how they sound, values alone if `brief`; nothing without traffic."""
    if result.call_success is None:
        return []
    success = figures.percent(result.call_success)
    if brief:
        value = success.partition(" (")[0]
        rows = [("Call success", f"{value}; per million {_per_million(result, brief)}")]
        return rows if result.mos is None else [*rows, ("Voice", _brief_voice(result.mos))]
    rows = [("Call success", success), ("Per million", _per_million(result))]
    if result.directions is not None:
        told = [f"{name} {figures.percent(found.call_success)}" for name, found in result.directions.items()]
        rows.insert(1, ("  of calls", ", ".join(told)))
    if result.mos is not None:
        rows.append(("Voice", _voice(result.mos)))
    if result.busy_hour is not None and _worth_telling(result, result.busy_hour):
        rows.append(("Busy hour", _busy_hour(result.busy_hour)))
    return rows


def _per_million(result: Result, brief: bool = False) -> str:
    blocked, one_way = result.blocked_per_million, result.one_way_per_million
    told = [
        (result.dpm, "calls fail", True),
        (blocked, "of them blocked", not brief and _matter(result, blocked)),
        (result.dropped_per_million, "are dropped", True),
        (one_way, "have one-way audio", not brief and _matter(result, one_way)),
    ]
    return ", ".join(
        f"{figures.significant(estimate.value or 0.0) if brief else figures.number(estimate)} {what}"
        for estimate, what, shown in told
        if estimate is not None and shown
    )


def _matter(result: Result, found: Estimate | None) -> bool:
    """Say whether calls are not too few, beside those that fail, to be told on a screen."""
    if found is None or not found.value or result.dpm is None:
        return False
    return found.value >= SMALLEST * (result.dpm.value or 0.0)


def _voice(voice: Voice) -> str:
    mean, poor = figures.mos(voice.mean), figures.percent(voice.poor_share)
    text = f"{voice.scale} {mean} mean, {poor} of calls poor (below {voice.poor_below:g})"
    shown, rest = voice.poor_by_cause[:MOST_SPOILERS], voice.poor_by_cause[MOST_SPOILERS:]
    named = [f"{cause} {_share(share)}" for cause, share in shown]
    if rest:
        named.append(f"{len(rest)} more {_share(sum(share for _, share in rest))}")
    if named:
        text += f": {', '.join(named)}"
    rated = voice.calls_share
    if voice.other is not None:
        other = voice.other
        rated += other.calls_share
        text += (
            f"; {other.scale} {figures.mos(other.mean)} mean, {figures.percent(other.poor_share)} poor, "
            f"in {_share(other.calls_share)} of calls"
        )
    return text if rated >= NEARLY_ALL else f"{text}; {_share(rated)} of calls are rated"


def _brief_voice(voice: Voice) -> str:
    poor = _share(voice.poor_share.value or 0.0)
    most = "".join(f", most by {cause}" for cause, _ in voice.poor_by_cause[:1])
    return f"{voice.scale} {voice.mean.value or 0.0:.2f}, {poor} of calls poor{most}"


def _worth_telling(result: Result, busy: BusyHour) -> bool:
    """Say whether the busy hour is much worse than the rest; failed calls would say so by chance alone."""
    pairs = []
    if result.blocked_per_million is not None and _matter(result, result.blocked_per_million):
        pairs.append((busy.blocked_share, (result.blocked_per_million.value or 0.0) / MILLION))
    if result.mos is not None:
        pairs.append((busy.poor_share or 0.0, result.mos.poor_share.value or 0.0))
    return any(own > 0.0 and own >= MUCH_WORSE * overall for own, overall in pairs)


def _busy_hour(busy: BusyHour) -> str:
    lost = 1.0 - busy.call_success
    text = f"{busy.hour}, {busy.calls_per_hour:,.0f} calls: {_share(lost)} fail"
    if busy.blocked_share >= SMALLEST * lost and busy.blocked_share:
        text += f", {_share(busy.blocked_share)} are blocked"
    if busy.mos_mean is not None and busy.poor_share is not None:
        text += f", MOS {busy.mos_mean:.2f}, {_share(busy.poor_share)} poor"
    return text


def _share(share: float) -> str:
    return f"{figures.significant(share * 100)} %"
