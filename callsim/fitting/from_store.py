"""What probes saw of carriers and trunks, as records of outages with bounds."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from pathlib import Path

import numpy as np

from callsim import figures
from callsim.errors import CallsimError
from callsim.fitting.log_csv import Span
from callsim.fitting.observed import Observed
from callsim.plan import Plan, load_plan
from callsim.reading.looking import DAY, look, month_of
from callsim.store_command import opened
from results.fitting.spells import Record
from results.sight import Sight

YEAR = 365 * DAY


def read_store(
    url: str | None, plan_file: Path, span: Span | None, names: tuple[str, ...], now: float | None = None
) -> Observed:
    """Read what a store has of a plan, of the last year unless a span is given.

    It is of the carriers, and of trunks where a carrier has several, or of `names`.
    """
    plan = load_plan(plan_file)
    now = time.time() if now is None else now
    if span is None:
        since, until = now - YEAR, now
        asked = "the last 365 days"
    else:
        since, until = month_of(plan, span, now)
        until = min(until, now)
        asked = f"{span[0]} to {span[1]}, as asked for"
    if since >= until:
        raise CallsimError(
            f"{plan_file}: {dt.datetime.fromtimestamp(since, dt.UTC):%Y-%m-%d} is still to come"
        )
    with opened(url) as store:
        looked = look(store, plan, since, until)
        source = f"{store.name}, plan {plan.name}"
    sights = looked.seen.whole
    wanted = names or tuple(name for name in _usual(plan) if name in sights)
    unknown = [name for name in wanted if name not in sights]
    if unknown:
        raise CallsimError(f"{unknown[0]}: not probed; there are {', '.join(sights)}")
    records: dict[str, tuple[Record, ...]] = {
        name: (record_of(sights[name]),) for name in wanted if sights[name].known > 0
    }
    if not records:
        raise CallsimError(f"{plan_file}: no probe tells of anything in this time")
    seen = max(sights[name].known for name in records)
    said = f"{asked}; {figures.plain_duration(seen)} of it seen"
    blind = tuple(f"{name}: never seen" for name in wanted if name not in records)
    return Observed(
        source, None, since, until, said, records, resolution=1.0, warnings=blind, unknown_mode=True
    )


def record_of(sight: Sight) -> Record:
    """Take what was seen of a subject as a record."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(outage, name) for outage in sight.outages], dtype=np.float64)

    ended = column("ended_latest")
    bounds = (column("began_earliest"), column("began_latest"), column("ended_earliest"), ended)
    return Record(sight.since, sight.until, *bounds, unseen=sight.unknown)


def _usual(plan: Plan) -> list[str]:
    """Give the carriers, and the trunks of those with several."""
    trunks = plan.trunk_names()
    many = Counter(name.rpartition("/")[0] for name in trunks)
    return [*many, *(name for name in trunks if many[name.rpartition("/")[0]] > 1)]
