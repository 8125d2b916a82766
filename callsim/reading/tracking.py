"""Keeps the incidents of a prober up to date while it probes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from callsim.live.probing import Leg, Probed
from callsim.plan.model import Plan
from callsim.reading.legs import reaches_of, subjects_in
from callsim.watching.events import Event, PingDone, ProbeDone, Reloaded, SlotMissed, Ticked, TrunkBelieved
from results.incidents import Blindness, Episode, Lookout
from results.probes import Probes, Series
from results.store.entries import Incident, Missed

MINE = ("outage", "poor_audio", "blind")
UNWATCHED = "no longer watched"


class IncidentTracker:
    """Makes incidents of what the watch loop tells; a listener, with `keep` to hand them on."""

    def __init__(
        self, plan: Plan, location: str, keep: Callable[..., None] = lambda *incidents: None
    ) -> None:
        self._location, self._keep = location, keep
        self._revision = 0
        self._blindness = Blindness()
        self._adopt(plan)

    def _adopt(self, plan: Plan) -> None:
        self._plan = plan
        self._reaches = reaches_of(plan, [self._location])
        subjects = subjects_in(plan, list(self._reaches))
        self._outages = Lookout(subjects, self._reaches)
        self._audio = Lookout([s for s in subjects if s.level == "leg"], self._reaches, "poor_audio")
        self._poor_below = poor_below(plan)

    def __call__(self, event: Event) -> None:
        """Take in an event, and hand on what it changed."""
        if changed := self.observe(event):
            self._keep(*changed)

    def observe(self, event: Event) -> list[Incident]:
        """Take in an event; gives the incidents that it began, changed or ended."""
        match event:
            case ProbeDone():
                return self._told(self._probed(event), event.ended)
            case SlotMissed():
                series = self._series(event.leg)
                reach = self._reaches.get(series, math.inf)
                return self._told(self._blindness.miss(event.due, reach, event.count), event.due)
            case Reloaded(ok=True, plan=Plan() as plan):
                return self._reloaded(plan, event.at)
            case Ticked(at) | PingDone(at=at) | TrunkBelieved(at=at):
                return self._told(self._tick(at), at)
        return []

    def _series(self, leg: Leg) -> Series:
        return Series(self._location, leg.test.name, leg.over)

    def _probed(self, event: ProbeDone) -> list[Episode]:
        series, counted = self._series(event.leg), event.probed.counted
        if series not in self._reaches:
            return []
        mos = (counted.call["mos"] or {}).get("value") if counted.tested else None
        passed = counted.passed if counted.tested else None
        touched = self._look(series, counted.started, counted.ended, passed, mos)
        if passed is False:
            for episode in touched:
                if episode.kind == "outage" and not episode.over:
                    episode.cause = cause_of(event.probed)
        return touched

    def _look(
        self, series: Series, started: float, ended: float, passed: bool | None, mos: float | None
    ) -> list[Episode]:
        touched = self._tick(ended)
        if passed is None:
            touched += self._outages.told_nothing(series, ended)
            return touched + self._blindness.miss(ended, self._reaches[series])
        touched += self._outages.look(series, started, ended, passed)
        if mos is not None and self._poor_below is not None:
            touched += self._audio.look(series, started, ended, mos >= self._poor_below)
        return touched + self._blindness.look(started, ended, started + self._reaches[series])

    def _tick(self, at: float) -> list[Episode]:
        return self._outages.tick(at) + self._audio.tick(at) + self._blindness.tick(at)

    def _reloaded(self, plan: Plan, at: float) -> list[Incident]:
        """Follow another plan; what it no longer tests has ended as far as anybody will know."""
        outages, audio = self._outages, self._audio
        self._adopt(plan)
        left = self._outages.take_over(outages) + self._audio.take_over(audio)
        for episode in left:
            episode.ended_latest, episode.cause = at, UNWATCHED
        return self._told(left, at)

    def _told(self, touched: Iterable[Episode], at: float) -> list[Incident]:
        found = list(dict.fromkeys(touched))
        if found:
            self._revision = max(self._revision + 1, int(at * 1000))
        return [incident_of(one, self._plan.name, self._location, self._revision) for one in found]

    # ---- after a restart

    def wanted_since(self, going_on: Iterable[Incident], now: float) -> float:
        """Say from when on `restore` needs probes, so that the incidents that go on are found again."""
        begins = [one.began_latest if one.began_earliest is None else one.began_earliest for one in going_on]
        reach = max((reach for reach in self._reaches.values() if reach < math.inf), default=0.0)
        return min([*begins, now]) - 2.0 * reach - 1.0

    def restore(
        self, probes: Probes, missed: Iterable[Missed], incidents: Sequence[Incident], now: float
    ) -> list[Incident]:
        """Go through what was before `now`; hands on, and gives, what the store lacks or has otherwise.

        `incidents` are those of this plan and location that the store has of this time.
        """
        known = {one.id: one for one in incidents if one.kind in MINE}
        self._revision = max((one.revision for one in known.values()), default=0)
        past = self._replayed(probes, missed, now)
        found = self._told(past, now)
        changed = []
        for episode, made in zip(past, found, strict=True):
            before = known.pop(made.id, None)
            if before is None:
                # Whose beginning lies before what was gone through is known by another id.
                changed += [made] if episode.began_earliest > -math.inf else []
                continue
            episode.cause = before.cause
            same = replace(made, cause=before.cause)
            if before.ended_latest is None and replace(same, revision=before.revision) != before:
                changed.append(same)
        for one in known.values():
            if one.ended_latest is None:
                ended = max(now, one.began_latest)
                changed.append(
                    replace(
                        one,
                        ended_earliest=one.began_latest,
                        ended_latest=ended,
                        cause=UNWATCHED,
                        revision=self._revision,
                    )
                )
        if changed:
            self._keep(*changed)
        return changed

    def _replayed(self, probes: Probes, missed: Iterable[Missed], now: float) -> list[Episode]:
        """Go through probes and missed slots; gives the episodes there were."""
        rows: list[tuple[float, Callable[[], list[Episode]]]] = []
        columns = (probes.series, probes.started, probes.ended, probes.passed, probes.mos)
        for number, started, ended, passed, mos in zip(*(c.tolist() for c in columns), strict=True):
            series = probes.of[number]
            if series in self._reaches:
                told = None if passed < 0 else passed == 1
                heard = None if math.isnan(mos) else mos
                rows.append((ended, partial(self._look, series, started, ended, told, heard)))
        for one in missed:
            reach = self._reaches.get(Series(one.location, one.test, one.over), math.inf)
            rows.append((one.due_at, partial(self._blindness.miss, one.due_at, reach, one.count)))
        rows.sort(key=lambda row: row[0])
        past: dict[Episode, None] = {}
        for _, look in rows:
            past |= dict.fromkeys(look())
        return list(past | dict.fromkeys(self._tick(now)))


def incident_of(episode: Episode, plan: str, location: str, revision: int) -> Incident:
    """Make an entry of an episode; its id is made of what it is about and when it began."""
    about = f"{plan}\n{location}\n{episode.kind}\n{episode.level}\n{episode.subject}"
    digest = hashlib.sha256(about.encode()).hexdigest()[:20]
    return Incident(
        id=f"{int(episode.began_latest * 1000):012x}{digest}",
        location=location,
        plan=plan,
        kind=episode.kind,
        subject=episode.subject,
        began_earliest=None if math.isinf(episode.began_earliest) else episode.began_earliest,
        began_latest=episode.began_latest,
        ended_earliest=episode.ended_earliest if episode.over else None,
        ended_latest=episode.ended_latest if episode.over else None,
        probes=episode.probes,
        failed=episode.failed,
        cause=episode.cause,
        detail={"level": episode.level, "seen_at": episode.ended_earliest},
        revision=revision,
    )


def cause_of(probed: Probed) -> str | None:
    """Say what the probe that failed met: its status, or what was expected of its call."""
    counted = probed.counted
    broken = next((check for check in counted.checks if not check.kept), None)
    if broken is None:
        return None
    if broken.name != "status":
        return f"{broken.name}: wanted {broken.wanted}, found {broken.found}"
    call = counted.call
    return " ".join(str(part) for part in (call["sip_status"] or call["outcome"], call["reason"]) if part)


def poor_below(plan: Plan) -> float | None:
    """Give the MOS below which a call is poor by the plan's alerts; None where none says."""
    return max((alert.mos_below for alert in plan.alerts if alert.mos_below is not None), default=None)
