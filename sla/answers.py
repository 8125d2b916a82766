"""How long requests waited for an answer, on the calendar that terms count."""

from __future__ import annotations

import numpy as np

from carriers.calendars import WeeklyHours, Zone
from results.ledger import Kind, Ledger, Requests
from results.open_time import OpenTime
from results.timeline import Floats
from results.weekly import Index
from sla.objectives import (
    ChangeRequest,
    DefectFix,
    HardwareExchange,
    SupportResolution,
    SupportResponse,
)

Answered = SupportResponse | SupportResolution | ChangeRequest | DefectFix | HardwareExchange
KINDS = {
    "support_response": Kind.TICKET,
    "support_resolution": Kind.TICKET,
    "change_request": Kind.CHANGE,
    "defect_fix": Kind.DEFECT,
    "hardware_exchange": Kind.EXCHANGE,
}
"""What each objective is about."""


def lacks(objective: Answered, ledger: Ledger) -> str | None:
    """Say why the record cannot tell, if so."""
    kind, priority, requests = KINDS[objective.name], objective.priority, ledger.requests
    if requests is None or kind not in requests.kinds:
        return f"the record has no {_WORDS[kind]}"
    if priority is not None and priority not in requests.priorities:
        return f"the record knows no priority {priority}"
    those = requests.priority[requests.kind == kind]
    if priority is not None and len(those) and (those == -1).all():
        return f"the record does not tell priorities of {_WORDS[kind]}"
    return None


_WORDS = {
    Kind.TICKET: "support tickets",
    Kind.CHANGE: "change requests",
    Kind.DEFECT: "software defects",
    Kind.EXCHANGE: "hardware exchanges",
}


def answer_times(objective: Answered, requests: Requests, zone: Zone, end: float) -> tuple[Floats, Floats]:
    """Return when requests were opened (sorted, POSIX s) and how many counted seconds each took.

    What is not answered yet has waited until `end`, the end of the record.
    """
    which = requests.kind == KINDS[objective.name]
    if objective.priority is not None:
        which &= requests.priority == requests.priorities.index(objective.priority)
    opened = requests.opened[which]
    first = objective.name == "support_response"
    answered = (requests.responded if first else requests.resolved)[which]
    answered = np.maximum(np.where(np.isnan(answered), end, answered), opened)
    taken = open_seconds(objective.hours, zone, opened, answered)
    if objective.stops_while_waiting and not first:
        taken = np.maximum(taken - np.nan_to_num(requests.waiting[which]), 0.0)
    return opened, taken


def open_seconds(hours: WeeklyHours, zone: Zone, start: Floats, end: Floats) -> Floats:
    """Seconds within the hours between instants, POSIX seconds."""
    if hours.always:
        return end - start
    # Differences of large sums: to the millisecond that the record has.
    open_time = OpenTime(zone, hours)
    return np.round(open_time.before(end - zone.origin) - open_time.before(start - zone.origin), 3)


def kept_by(values: Floats, first: Index, last: Index, share: float) -> Floats:
    """Return for each window what a share of its values, those from `first` to before `last`, keeps to.

    It is the smallest value that at least this share does not exceed; NaN for a window without values.
    """
    many = last - first
    window = np.repeat(np.arange(len(first)), many)
    index = np.repeat(first, many) + np.arange(len(window)) - np.repeat(np.cumsum(many) - many, many)
    order = np.lexsort((values[index], window))
    ranks = np.maximum(np.ceil(share * many - 1e-9), 1).astype(np.intp)
    found = np.full(len(first), np.nan)
    real = many > 0
    at = (np.cumsum(many) - many + ranks - 1)[real]
    found[real] = values[index][order][at]
    return found
