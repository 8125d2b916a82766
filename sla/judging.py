"""Objectives measured in their windows, and whether each window keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from results.ledger import CORE_VOICE, CallVolumes, Ledger
from results.stretches import inside
from results.timeline import Floats
from results.weekly import Index
from sla.answers import Answered, answer_times, kept_by, lacks
from sla.assessment import Customer, Flags, Judged, Windows
from sla.downtime import Counted, Found, count_downtime
from sla.failing import excused_share, failing_share, spoilers
from sla.objectives import Jitter, Latency, Ner, Notification, Objective, PostDialDelay
from sla.terms import RollingWindow, Terms
from sla.voice import SOUND, Voice, measured_of, sums_of
from sla.volumes import Volumes, added_up, late_percentile, ways_of
from sla.windows import windows_of, zone_around

View = Literal["eligible", "claimed"]
"""Whether all downtime after exclusions counts, or that which can be claimed."""
SLACK = {"share": 1e-11, "seconds": 1e-4, "number": 1e-9}
"""How far a value may miss a level by rounding alone; the record has times in milliseconds."""
_FINE = 1e-9
"""The same for means of times that packets take."""
_LATE_SHARE = 0.95
_NO_CALLS = "the record has no numbers of calls"


class CannotJudgeError(Exception):
    """An objective cannot be judged on this record; the text says why."""


@dataclass
class Case:
    """Terms and the record that they are applied to, with what was worked out of it so far."""

    terms: Terms
    ledger: Ledger
    customer: Customer
    span: tuple[float, float] | None = None
    _downtime: dict[str, Counted] = field(default_factory=dict)
    of_service: dict[tuple[Objective, View], tuple[Windows, Floats]] = field(default_factory=dict)
    """What was measured of objectives that are not about how calls sound."""

    def heard_by(self, customer: Customer, ledger: Ledger) -> Case:
        """Return the case of a customer for whom all is the same but how the calls sound.

        What was worked out here is taken over, unless the terms count calls that sound bad as failing.
        """
        if set(self.terms.measured.failing) - {"not_connected"}:
            return Case(self.terms, ledger, customer, self.span)
        return replace(self, customer=customer, ledger=ledger)

    def downtime(self, scope: str | None = None) -> Counted:
        """Downtime of a scope, by default that of the terms."""
        scope = scope or self.terms.scope
        if scope not in self._downtime:
            self._downtime[scope] = count_downtime(self.terms, self.ledger, self.customer, scope)
        return self._downtime[scope]

    @property
    def timezone(self) -> str:
        """Zone of windows and hours."""
        return self.terms.measured.timezone

    def settled(self) -> Windows:
        """Windows that credits are settled in: those of the terms, or months for rolling ones and events."""
        window = self.terms.measured.window
        if window == "event" or isinstance(window, RollingWindow):
            window = "calendar_month"
        made = windows_of(window, self.timezone, self.ledger.start, self.ledger.end)
        if self.span is not None:
            return Windows(made.kind, np.array([self.span[0]]), np.array([self.span[1]]))
        return made

    def windows(self, objective: Objective, found: Found | None = None) -> Windows:
        """Windows that keep or break an objective; `found` are the outages, which are the events."""
        measured = self.terms.measured.window
        kind = objective.window or measured
        same = kind == measured or (kind == "month" and measured == "calendar_month")
        if same and kind == "event":
            if found is None:
                raise CannotJudgeError("its windows are outages, and it is not about outages")
            low, high = self.span or (self.ledger.start, self.ledger.end)
            here = (found.begin >= low) & (found.begin < high)
            return Windows("event", found.begin[here], found.end[here])
        if same and self.span is not None:
            return self.settled()
        made = windows_of(kind, self.timezone, self.ledger.start, self.ledger.end)
        if self.span is not None:
            here = (made.end > self.span[0]) & (made.end <= self.span[1])
            made = Windows(made.kind, made.start[here], made.end[here])
        if not len(made):
            raise CannotJudgeError(f"the record holds no whole {_kind_words(made.kind)}")
        return made


def _kind_words(kind: str) -> str:
    return {"fixed": "window of that length", "rolling": "window of that length"}.get(
        kind, kind.replace("_", " ")
    )


def judge(case: Case, objective: Objective, view: View = "eligible") -> Judged:
    """Judge an objective on its windows."""
    try:
        windows, actual = _measured(case, objective, view)
    except CannotJudgeError as why:
        nowhere = Windows("event", np.empty(0), np.empty(0))
        return Judged(objective, nowhere, np.empty(0), np.empty(0, dtype=bool), str(why))
    return Judged(objective, windows, actual, ~_broken(objective, actual))


def _measured(case: Case, objective: Objective, view: View) -> tuple[Windows, Floats]:
    lacking = set(case.terms.requires) | ({objective.requires} if objective.requires else set())
    if missing := sorted(lacking - case.customer.has):
        raise CannotJudgeError(f"it holds only for a customer who has {' and '.join(missing)}")
    if objective.name == "asr":
        raise CannotJudgeError("the record has no answered calls")
    if isinstance(objective, Voice):
        return _of_voice(case, objective)
    if (objective, view) not in case.of_service:
        case.of_service[objective, view] = _of_service(case, objective, view)
    return case.of_service[objective, view]


def _of_service(case: Case, objective: Objective, view: View) -> tuple[Windows, Floats]:
    if isinstance(objective, Answered):
        return _of_requests(case, objective)
    if isinstance(objective, Ner):
        down = case.downtime(objective.scope)
        windows = _windows_of_calls(case, objective)
        return windows, call_success(case, down, getattr(down, view), windows, ("not_connected",))
    if isinstance(objective, PostDialDelay):
        return _of_delays(case, objective)
    return _of_outages(case, objective, view)


def _of_requests(case: Case, objective: Answered) -> tuple[Windows, Floats]:
    why, requests = lacks(objective, case.ledger), case.ledger.requests
    if why or requests is None:
        raise CannotJudgeError(why or "")
    windows = case.windows(objective)
    zone = zone_around(case.timezone, case.ledger.start, case.ledger.end)
    opened, taken = answer_times(objective, requests, zone, case.ledger.end)
    first, last = (np.searchsorted(opened, t) for t in (windows.start, windows.end))
    return windows, kept_by(taken, first, last, objective.share)


def _of_outages(case: Case, objective: Objective, view: View) -> tuple[Windows, Floats]:
    down = case.downtime(objective.scope)
    if down.unusable:
        raise CannotJudgeError(down.unusable)
    weight = getattr(down, view)
    found = down.outages(weight)
    windows = case.windows(objective, found)
    if objective.name == "availability":
        return windows, availability(case, down, weight, windows)
    if objective.name == "downtime":
        return windows, down_seconds(case, down, weight, windows)
    first, last = members(found, windows)
    if isinstance(objective, Notification):
        return windows, kept_by(_notified(case, found), first, last, objective.share)
    if objective.name == "mtbf":
        up = windows.end - windows.start - down_seconds(case, down, down.counted, windows)
        return windows, _ratio(up, last - first)
    return windows, _BY_OUTAGE[objective.name](found, first, last)


def availability(case: Case, down: Counted, weight: Floats, windows: Windows) -> Floats:
    """Share of each window that is not down, after what is excluded; NaN where nothing is left of it."""
    if case.terms.measured.by == "call_success":
        return call_success(case, down, weight, windows, case.terms.measured.failing)
    length = windows.end - windows.start
    seconds = down_seconds(case, down, weight, windows)
    left = length - excluded_seconds(case, down, windows)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(left > 0, 1 - seconds / left, np.nan))


def excluded_seconds(case: Case, down: Counted, windows: Windows) -> Floats:
    """Seconds of each window that are taken out of it."""
    if case.terms.excluded_time == "counts_as_up":
        return np.zeros(len(windows))
    weight = down.counted - down.eligible
    return down.before(weight, windows.end) - down.before(weight, windows.start)


def down_seconds(case: Case, down: Counted, weight: Floats, windows: Windows) -> Floats:
    """Weighted seconds down in each window, above a minimum that is of all of its outages together."""
    seconds = down.before(weight, windows.end) - down.before(weight, windows.start)
    measured = case.terms.measured
    if measured.continuous or not measured.min_outage:
        return seconds
    if measured.counts == "excess":
        return np.maximum(seconds - measured.min_outage, 0.0)
    return np.where(seconds >= measured.min_outage - SLACK["seconds"], seconds, 0.0)


def call_success(case: Case, down: Counted, weight: Floats, windows: Windows, kinds: Sequence[str]) -> Floats:
    """Share of the calls offered in each window that are not failing ones of these kinds.

    Calls of excluded time, or spoilt by what is excluded, are left out, or taken as good; failures of
    outages without `weight` are good.
    """
    calls = _calls(case)
    names = spoilers(case.terms.excludes, calls)
    volumes = _volumes(case, windows.start, windows.end, down.cells.start, down.cells.end)
    dropped = inside(down.where(down.counted * (weight == 0)), volumes.start)
    excluded = inside(down.where(down.counted * (down.eligible == 0)), volumes.start)
    failing = volumes.of([failing_share(condition, kinds, names) for condition in calls.conditions])
    failed = np.where(dropped, 0.0, failing)
    offered = volumes.offered()
    if case.terms.excluded_time == "out_of_both":
        left_out = volumes.of([excused_share(condition, kinds, names) for condition in calls.conditions])
        offered = np.where(excluded, 0.0, offered - left_out)
    lost, all_calls = (
        volumes.before(calls, windows.end) - volumes.before(calls, windows.start)
        for calls in (failed, offered)
    )
    return 1 - _ratio(lost, all_calls)


def gross_call_success(case: Case, windows: Windows) -> Floats:
    """Share of the calls offered in each window that were not failing ones by the scenario's own rule."""
    volumes = _volumes(case, windows.start, windows.end)
    failing = volumes.of([condition.failing for condition in _calls(case).conditions])
    lost, offered = (
        volumes.before(calls, windows.end) - volumes.before(calls, windows.start)
        for calls in (failing, volumes.offered())
    )
    return 1 - _ratio(lost, offered)


def members(found: Found, windows: Windows) -> tuple[Index, Index]:
    """First outage that begins in each window, and the first after it."""
    first = np.searchsorted(found.begin, windows.start)
    return first, first + 1 if windows.kind == "event" else np.searchsorted(found.begin, windows.end)


def highest_of(values: Floats, first: Index, last: Index) -> Floats:
    """Return the highest value from `first` to before `last`, for each window; NaN where there is none."""
    return kept_by(values, first, last, 1.0)


def slack_of(objective: Objective) -> float:
    """How far a value of an objective may miss a level by rounding alone."""
    return _FINE if isinstance(objective, Latency | Jitter) else SLACK[objective.unit]


def worse(value: Floats, level: float, objective: Objective) -> Flags:
    """Whether values lie on the wrong side of a level by more than rounding; NaN does not."""
    slack = slack_of(objective)
    return np.asarray(value < level - slack if objective.higher_is_better else value > level + slack)


def _broken(objective: Objective, actual: Floats) -> Flags:
    """Whether each window is the n-th in a row, or a later one, that misses the target."""
    missed = worse(actual, objective.target, objective)
    so_far = np.arange(1, len(missed) + 1)
    kept = np.maximum.accumulate(np.where(missed, 0, so_far)) if len(missed) else so_far
    return np.asarray(so_far - kept >= objective.consecutive)


def _windows_of_calls(case: Case, objective: Ner | PostDialDelay | Voice) -> Windows:
    if (scope := objective.scope or case.terms.scope) != CORE_VOICE:
        raise CannotJudgeError(f"the record has no calls of {scope}")
    return case.windows(objective)


def _of_delays(case: Case, objective: PostDialDelay) -> tuple[Windows, Floats]:
    windows = _windows_of_calls(case, objective)
    ways, shares = ways_of(_calls(case))
    calls = _in_windows(case, objective, windows, shares, slice(None))
    delay = late_percentile(ways, calls, _LATE_SHARE, objective.target)
    if delay is None:
        raise CannotJudgeError("the record does not tell how long all calls took to ring")
    return windows, delay


def _of_voice(case: Case, objective: Voice) -> tuple[Windows, Floats]:
    """Measure how the connected calls of each window sounded."""
    windows, calls, terms = _windows_of_calls(case, objective), case.ledger.calls, case.terms
    sums = None
    if calls is not None:
        names, as_good = spoilers(terms.excludes, calls), terms.excluded_time == "counts_as_up"
        sums = sums_of(objective, calls, names, as_good)
    if sums is None:
        raise CannotJudgeError(f"the record has no {SOUND[objective.name]}")
    return windows, measured_of(objective, _in_windows(case, objective, windows, *sums))


def _in_windows(
    case: Case, objective: Objective, windows: Windows, shares: Floats, left_out: slice
) -> Floats:
    """Add up shares of the calls offered in each window, (w, p); columns `left_out` without excluded time."""
    ledger, down = case.ledger, case.downtime(objective.scope)
    excluded = down.where(down.counted * (down.eligible == 0))
    edges = np.clip(np.concatenate((excluded.start, excluded.end)), ledger.start, ledger.end)
    at = np.unique(np.concatenate((windows.start, windows.end, edges)))
    before = added_up(_calls(case), ledger.start, ledger.end, at, shares)
    if len(edges):
        pieces = np.diff(before, axis=0)
        pieces[inside(excluded, at[:-1]), left_out] = 0.0
        before[1:] = before[:1] + np.cumsum(pieces, axis=0)
    found = before[np.searchsorted(at, windows.end)] - before[np.searchsorted(at, windows.start)]
    return np.maximum(found, 0.0)


def _calls(case: Case) -> CallVolumes:
    if case.ledger.calls is None:
        raise CannotJudgeError(_NO_CALLS)
    return case.ledger.calls


def _volumes(case: Case, *at: Floats) -> Volumes:
    return Volumes(_calls(case), case.ledger.start, case.ledger.end, np.unique(np.concatenate(at)))


def _notified(case: Case, found: Found) -> Floats:
    """Seconds until the customer was told of each outage; as long as the record goes where never."""
    if "notice_given" not in case.ledger.known or not case.ledger.notifies:
        raise CannotJudgeError("the record does not say when customers were told of outages")
    told = np.where(np.isnan(found.notified), np.maximum(case.ledger.end, found.begin), found.notified)
    return np.maximum(told - found.begin, 0.0)


def _ratio(part: Floats, whole: Floats | Index) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _mttr(found: Found, first: Index, last: Index) -> Floats:
    total = np.concatenate(([0.0], np.cumsum(found.length)))
    return _ratio(total[last] - total[first], last - first)


_BY_OUTAGE: dict[str, Callable[[Found, Index, Index], Floats]] = {
    "mttr": _mttr,
    "time_to_restore": lambda found, first, last: highest_of(found.length, first, last),
    "outages": lambda found, first, last: (last - first).astype(np.float64),
}
