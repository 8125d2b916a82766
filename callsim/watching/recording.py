"""Makes the store's entries of what the watch loop tells."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from callgen.guarding.caps import billed_minutes
from callgen.guarding.counters import Counted
from callsim.live.judging import loss_of
from callsim.live.probing import Leg, Probed, Try
from callsim.plan.model import Plan
from callsim.watching.events import Event, PingDone, ProbeDone, Reloaded, SlotMissed, Ticked
from results.store.entries import (
    Attempt,
    Call,
    Entry,
    GuardUse,
    Heartbeat,
    Incident,
    Missed,
    Ping,
    Recording,
    Trace,
    new_id,
)

DAY = 86400.0
BEAT_EVERY = 30.0
COUNT_EVERY = 300.0
"""Seconds from one count of what the guard has let through to the next."""
COLUMNS = (
    *("to", "outcome", "sip_status", "q850_cause", "reason", "attempts", "pdd_s", "setup_s", "talk_s"),
    *("hung_up_by", "codec", "trace", "started_at"),
)
"""Parts of a call's record that have a column, or a table, of their own."""


def carrier_of(trunk: str | None) -> str | None:
    """Give the carrier of a trunk."""
    return None if trunk is None else trunk.partition("/")[0]


def trunk_of(plan: Plan, leg: Leg) -> str | None:
    """Give the trunk that a leg is about; None: whichever the router says."""
    if leg.test.direction == "inbound":
        return plan.trunk_names()[plan.trunks_of(leg.test.at or "")[0]]
    return None if leg.trunk is None else leg.over


@dataclass(frozen=True)
class Books:
    """What entries say of where they were made."""

    location: str
    offset: Callable[[], float | None]
    """How far the clock is ahead, in seconds; None: not known."""
    recordings: Path | None = None
    """Folder of the recordings, each called by its probe's id with the number of its try."""

    def entries(
        self, plan: Plan, probe: str, due: float | None, probed: Probed, counts: bool
    ) -> tuple[Entry, ...]:
        """Make the entries of a probe: each try with its attempts; of one that failed its trace.

        The call that counts comes last, before what belongs to it; with `counts` False none does, and none
        says anything of a carrier.
        """
        ordered = sorted(enumerate(probed.tries, 1), key=lambda one: one[1] is probed.counted)
        return tuple(
            entry
            for number, one in ordered
            for entry in self._try(
                plan, probe, due, probed.leg, number, one, counts, counts and one is probed.counted
            )
        )

    def _try(
        self,
        plan: Plan,
        probe: str,
        due: float | None,
        leg: Leg,
        number: int,
        one: Try,
        says: bool,
        last: bool,
    ) -> Iterator[Entry]:
        call = one.call
        key = probe if number == 1 else new_id(one.started)
        attempts: Sequence[Mapping[str, Any]] = call["attempts"]
        trunk = attempts[-1]["trunk"].partition("@")[0] if attempts else trunk_of(plan, leg)
        mos, rtp = call["mos"] or {}, call["rtp"] or {}
        yield Call(
            id=key,
            probe=probe,
            attempt_no=number,
            last=last,
            location=self.location,
            plan=plan.name,
            test=leg.test.name,
            over=leg.over,
            trunk=trunk,
            carrier=carrier_of(trunk),
            direction=leg.test.direction,
            number=call["to"],
            due_at=due,
            started_at=one.started,
            ended_at=one.ended,
            outcome=call["outcome"],
            sip_status=call["sip_status"],
            q850=call["q850_cause"],
            reason=call["reason"],
            passed=one.passed if says and one.tested else None,
            checks=tuple(check.to_json() for check in one.checks),
            pdd_s=call["pdd_s"],
            setup_s=call["setup_s"],
            talk_s=call["talk_s"],
            hung_up_by=call["hung_up_by"],
            codec=call.get("codec"),
            mos=mos.get("value"),
            mos_source=mos.get("source"),
            loss_share=loss_of(call),
            jitter_ms=rtp.get("jitter_ms"),
            rtt_ms=rtp.get("rtt_ms"),
            two_way=(call["audio"] or {}).get("two_way"),
            cost=cost_of(plan, trunk, call["talk_s"]),
            clock_offset_s=self.offset(),
            record={name: value for name, value in call.items() if name not in COLUMNS},
        )
        yield from attempts_of(call, key, one.started)
        if call["trace"] and not one.passed:
            yield Trace(id=key, sip=call["trace"])
        if self.recordings is not None and leg.test.audio.record:
            yield from recordings(self.recordings / f"{probe}-{number}", key, one.started)


def attempts_of(call: Mapping[str, Any], key: str, at: float) -> Iterator[Attempt]:
    """Give the attempts of a call; what is known of its end is said of the last."""
    attempts: Sequence[Mapping[str, Any]] = call["attempts"]
    for place, attempt in enumerate(attempts, 1):
        last = place == len(attempts)
        yield Attempt(
            id=new_id(at),
            call=key,
            no=place,
            trunk=attempt["trunk"],
            carrier=carrier_of(attempt["trunk"]),
            sip_status=attempt["sip_status"],
            reason=attempt["reason"],
            pdd_s=attempt["pdd_s"],
            seconds=attempt["seconds"],
            q850=call["q850_cause"] if last else None,
            sip_call_id=call["call_id"] if last else None,
        )


def cost_of(plan: Plan, trunk: str | None, talked: float) -> float | None:
    """Price a call over a trunk in the plan's currency; None where that is not known."""
    names = plan.trunk_names()
    if trunk not in names:
        return None
    price = plan.trunks[names.index(trunk)].cost_per_minute
    return None if price is None else price * billed_minutes(talked)


def recordings(stem: Path, call: str, at: float) -> Iterator[Recording]:
    """Give the recordings of a call that are there."""
    for direction in ("sent", "heard"):
        path = stem.with_name(f"{stem.name}-{direction}.wav")
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield Recording(
                id=new_id(at), call=call, direction=direction, path=str(path.resolve()), sha256=digest
            )


@dataclass(eq=False)
class Recorder:
    """A listener that writes everything down by `put`, which never blocks."""

    plan: Plan
    location: str
    started: float
    """When the prober was started, POSIX seconds."""
    version: str
    offset: Callable[[], float | None]
    put: Callable[..., None]
    calls_since: Callable[[float], Sequence[Counted]] = lambda start: ()
    """Gives the calls that the guard has let through since an instant."""
    _beaten: float = field(default=0.0, init=False)
    _counted: float = field(default=0.0, init=False)
    _refused: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)
    _plan_refused: Incident | None = field(default=None, init=False)

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        match event:
            case ProbeDone():
                self.put(*event.entries)
            case SlotMissed():
                self._missed(event)
            case PingDone():
                self.put(
                    Ping(
                        id=new_id(event.at),
                        location=self.location,
                        plan=self.plan.name,
                        trunk=event.trunk,
                        carrier=event.carrier,
                        at=event.at,
                        status=event.status,
                        seconds=event.seconds,
                    )
                )
            case Reloaded():
                self._reloaded(event)
            case Ticked(at):
                if at - self._beaten >= BEAT_EVERY or at < self._beaten:
                    self.beat(at)
                if at - self._counted >= COUNT_EVERY or at < self._counted:
                    self.count(at)

    def beat(self, at: float) -> None:
        """Write down that the prober lives."""
        self._beaten = at
        self.put(
            Heartbeat(
                location=self.location,
                plan=self.plan.name,
                at=at,
                started_at=self.started,
                version=self.version,
                clock_offset_s=self.offset(),
            )
        )

    def count(self, at: float) -> None:
        """Write down what the guard has let through on this day (UTC), by trunk; of a day just over, too."""
        before, self._counted = self._counted, at
        for day in sorted({_day(before) if at - before < DAY else _day(at), _day(at)}):
            self._count(day, at)
        self._refused = Counter({key: count for key, count in self._refused.items() if key[0] >= _day(at)})

    def _count(self, day: str, at: float) -> None:
        begins = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp()
        calls = [call for call in self.calls_since(begins) if call.at < begins + DAY]
        refused = {trunk for on, trunk in self._refused if on == day}
        for trunk in sorted({call.trunk for call in calls} | refused):
            mine = [call for call in calls if call.trunk == trunk]
            self.put(
                GuardUse(
                    id=new_id(at),
                    location=self.location,
                    plan=self.plan.name,
                    day=day,
                    trunk=trunk,
                    at=at,
                    calls=len(mine),
                    minutes=sum(call.minutes for call in mine),
                    spend=sum(call.spend for call in mine),
                    refused=self._refused[day, trunk],
                )
            )

    def _missed(self, event: SlotMissed) -> None:
        leg, trunk = event.leg, trunk_of(self.plan, event.leg)
        if event.reason == "guard":
            self._refused[_day(event.due), leg.over] += event.count
        self.put(
            *event.entries,
            Missed(
                id=new_id(event.due),
                location=self.location,
                plan=self.plan.name,
                test=leg.test.name,
                over=leg.over,
                trunk=trunk,
                carrier=carrier_of(trunk),
                due_at=event.due,
                reason=event.reason,
                count=event.count,
            ),
        )

    def _reloaded(self, event: Reloaded) -> None:
        """Keep a refused plan as an incident, which ends when a good one comes."""
        before = self._plan_refused
        if event.plan is not None:
            self.plan = event.plan
        if event.ok and before is None:
            return
        if event.ok and before is not None:
            self._plan_refused = None
            known = replace(before, ended_earliest=event.at, ended_latest=event.at)
        elif before is None:
            key, plan = new_id(event.at), self.plan.name
            known = Incident(
                id=key,
                location=self.location,
                plan=plan,
                kind="plan_refused",
                subject=plan,
                began_earliest=event.at,
                began_latest=event.at,
                cause=event.why,
            )
            self._plan_refused = known
        else:
            self._plan_refused = known = replace(before, cause=event.why)
        self.put(replace(known, revision=int(event.at * 1000)))


def _day(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()
