"""A plan's state and month on one screen."""

from __future__ import annotations

import datetime as dt
import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from callsim import figures
from callsim.reading.looking import DAY, Looked
from callsim.reading.standing import SLOTS, Standing
from callsim.report import columns
from results.incidents import INBOUND, Episode, State
from results.verdicts import Verdict
from results.visibility import probes_to_show

FORMAT = 1
NAME = 16
"""Most characters of a name."""
WORDS = {State.BLIND: "not seen", State.UP: "up", State.PARTIAL: "up in part", State.DOWN: "DOWN"}
NOTE = (
    "down: as short .. as long as the outages that were found can have been, of the time that is seen. at "
    "least: the longest, and what outages between the probes can take besides (95 %)."
)


@dataclass(frozen=True)
class Status:
    """What is told of a plan."""

    looked: Looked
    standings: tuple[Standing, ...]
    blind: Mapping[str, float | None]
    """Locations that see nothing, with since when."""
    month: tuple[float, float]
    strip: tuple[float, float]

    @property
    def zone(self) -> ZoneInfo:
        """The plan's time zone."""
        return ZoneInfo(self.looked.plan.timezone)

    @property
    def breached(self) -> bool:
        """Whether the service breaks its promise for certain."""
        return any(
            one.verdict is Verdict.BREACHED for one in self.standings if one.sight.subject.level == "service"
        )


def terminal(status: Status, width: int = 80) -> str:
    """Return it as text."""
    shown = list(_shown(status.standings))
    parts = [_head(status, width), _strips(status, shown, width), _month(status, shown, width)]
    promise = (textwrap.wrap(text, width, subsequent_indent="    ") for text in _promise(status, shown))
    parts.append([line for lines in promise for line in lines])
    parts.append(textwrap.wrap(NOTE, width))
    return "\n\n".join("\n".join(part) for part in parts if part)


def to_json(status: Status) -> dict[str, Any]:
    """Return it all; times are POSIX seconds, durations seconds."""
    looked = status.looked
    return {
        "format": FORMAT,
        "plan": looked.plan.name,
        "since": looked.since,
        "until": looked.until,
        "blind": dict(status.blind),
        "missed": dict(looked.missed),
        "promised": looked.plan.sla.availability if looked.plan.sla else None,
        "subjects": [
            {**_standing_json(one), "partial_s": _length(looked.seen.partial(one.name))}
            for one in status.standings
        ],
        "locations": {
            location: {
                "alive": looked.alive.get(location),
                "own_faults_s": _length(looked.seen.own_side.get(location)),
                "subjects": {
                    name: {"state": sight.state.name.lower(), "known_s": sight.known}
                    for name, sight in sights.items()
                },
            }
            for location, sights in looked.seen.by_location.items()
        },
    }


def outage_json(outage: Episode) -> dict[str, Any]:
    """Return an outage; null is what is not known, or has not happened."""
    return {
        "subject": outage.subject,
        "level": outage.level,
        "began_earliest": _finite(outage.began_earliest),
        "began_latest": outage.began_latest,
        "ended_earliest": outage.ended_earliest if outage.over else None,
        "ended_latest": _finite(outage.ended_latest),
        "probes": outage.probes,
        "failed": outage.failed,
    }


def _standing_json(one: Standing) -> dict[str, Any]:
    sight = one.sight
    return {
        "name": one.name,
        "level": sight.subject.level,
        "state": sight.state.name.lower(),
        "probes": one.told,
        "failed": one.failed,
        "known_s": sight.known,
        "down_s": [one.down("shortest"), one.down("longest")],
        "availability": [sight.availability("longest"), sight.availability("shortest")],
        "availability_at_least": one.at_least,
        "budget_s": one.budget,
        "verdict": None if one.verdict is None else one.verdict.value,
        "mos": one.mos,
        "outages": [outage_json(outage) for outage in sight.outages],
    }


def _length(stretches: Any) -> float:  # noqa: ANN401 - Stretches, or nothing
    return 0.0 if stretches is None else float((stretches.end - stretches.start).sum())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# ---- the parts of the screen


def _shown(standings: tuple[Standing, ...]) -> Iterator[Standing]:
    """Leave out what says the same twice: carriers of one trunk, legs of a trunk that agree."""
    partly = {
        leg
        for one in standings
        if one.sight.subject.level == "trunk" and one.sight.state is State.PARTIAL
        for leg in one.sight.subject.legs
    }
    for one in sorted(standings, key=lambda one: ("trunk", "leg", "carrier", "service").index(_level(one))):
        subject = one.sight.subject
        inbound = any(INBOUND in leg.over for leg in subject.legs)
        if subject.level == "leg" and not inbound and partly.isdisjoint(subject.legs):
            continue
        if subject.level == "carrier" and len(subject.parts) < 2:
            continue
        yield one


def _level(one: Standing) -> str:
    return one.sight.subject.level


def _head(status: Status, width: int) -> list[str]:
    looked = status.looked
    zone = dt.datetime.fromtimestamp(looked.until, status.zone).tzname()
    title = f"{looked.plan.name}, {_clock(status, looked.until, day=True)} {zone}"
    lines = textwrap.wrap(f"{title}, seen from {', '.join(looked.seen.by_location) or 'nowhere'}", width)
    for location, since in status.blind.items():
        when = "has seen nothing at all" if since is None else f"blind since {_clock(status, since)}"
        lines += textwrap.wrap(f"{location}: {when}; that is no outage.", width)
    return lines


def _name(one: Standing) -> str:
    return one.name if len(one.name) <= NAME else f"{one.name[: NAME - 2]}.."


def _strips(status: Status, shown: list[Standing], width: int) -> list[str]:
    begin, end = status.strip
    span = "the last 24 h" if end - begin == DAY else "the month"
    rows: list[tuple[str, ...]] = [
        ("", f"{span}, {figures.plain_duration((end - begin) / SLOTS)} a mark", "")
    ]
    rows += [(_name(one), one.strip, _now(status, one)) for one in shown]
    widths = [max(len(row[n]) for row in rows) for n in range(2)]
    return [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip()[:width] for a, b, c in rows]


def _now(status: Status, one: Standing) -> str:
    word = WORDS[one.sight.state]
    going_on = [outage for outage in one.sight.outages if not outage.over]
    if one.sight.state is State.DOWN and going_on:
        return f"{word} {_clock(status, going_on[-1].began_latest)}"
    if one.sight.state is State.BLIND and going_on:
        return f"{word}, was DOWN"
    return word


def _month(status: Status, shown: list[Standing], width: int) -> list[str]:
    month = dt.datetime.fromtimestamp(status.month[0], status.zone)
    head = (f"{month:%Y-%m}", "seen", "failed", "outages", "down", "availability", "at least")
    rows: list[tuple[str, ...]] = [head]
    for one in shown:
        short, long = one.down("shortest"), one.down("longest")
        bounds = [one.sight.availability(bound) for bound in ("longest", "shortest")]
        rows.append(
            (
                _name(one),
                "all" if one.seen_share > 0.9995 else f"{100.0 * one.seen_share:.1f} %",
                f"{one.failed}/{one.told}",
                str(len(one.sight.outages)),
                _between(short, long),
                "nothing seen" if None in bounds else _percents(*bounds),
                "" if one.at_least is None else f"{100.0 * one.at_least:.3f} %",
            )
        )
    lines = columns(rows, width)
    if status.looked.missed:
        missed = ", ".join(f"{why.replace('_', ' ')} {n}" for why, n in sorted(status.looked.missed.items()))
        lines += textwrap.wrap(f"Slots without a probe: {missed}.", width)
    return lines


def _between(short: float, long: float) -> str:
    if long == 0.0:
        return "none"
    unit, size = figures.scale(long)
    return f"{figures.significant(short / size)}..{figures.significant(long / size)} {unit}"


def _percents(low: float | None, high: float | None) -> str:
    assert low is not None  # checked by the caller
    assert high is not None
    if low == high:
        return figures.plain_percent(round(low, 6))
    return f"{100.0 * low:.3f}..{100.0 * high:.3f} %"


def _promise(status: Status, shown: list[Standing]) -> Iterator[str]:
    sla = status.looked.plan.sla
    if sla is None:
        return
    (budget,) = {one.budget for one in shown}
    assert budget is not None  # there is a promise
    level = figures.plain_percent(sla.availability)
    yield f"Promised: {level}, which leaves {figures.plain_duration(budget)} of the month."
    for one in shown:
        left = [max(budget - one.down(bound), 0.0) for bound in ("longest", "shortest")]
        rest = f"{figures.plain_duration(left[0])} left" if left[0] else "none left"
        if left[1] > left[0]:
            rest = f"{_between(*left)} left"
        assert one.verdict is not None  # there is a promise
        yield f"{one.name}: {one.verdict.value}, {rest}{_why(one, sla.availability)}"


def _why(one: Standing, promised: float) -> str:
    if one.verdict is not Verdict.INCONCLUSIVE:
        return ""
    takes = probes_to_show(promised)
    if not one.told:
        return "; no probe says anything of it"
    if not one.failed and one.told < takes:
        return f"; {one.told:,} probes are too few to say, it takes {takes:,} without a failure"
    return "; what was not seen can still be more than that"


def _clock(status: Status, at: float, *, day: bool = False) -> str:
    when = dt.datetime.fromtimestamp(at, status.zone)
    today = dt.datetime.fromtimestamp(status.looked.until, status.zone).date()
    return f"{when:%Y-%m-%d %H:%M}" if day or when.date() != today else f"{when:%H:%M}"
