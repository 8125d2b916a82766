"""The folder that a run leaves: its answer, what happened in the years that are kept, plots."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from callsim.ledgers.outage_csv import outages_text
from callsim.ledgers.own_path import with_own_path
from callsim.ledgers.plan import plan_of
from callsim.ledgers.stream import customer_ledger, ledger_of
from callsim.records import INCIDENTS, OUTAGES, TIMELINE, incident_rows, outage_rows, timeline_rows
from callsim.result import Result
from callsim.scenario.companions import companions
from callsim.writing import json_text, writing
from results.ledger_file import ledger_text


class Draft:
    """A folder under a temporary name, until it is kept."""

    def __init__(self, out: Path, name: str) -> None:
        self.out = out
        self.name = name
        self.path = out / f".{name}.{os.getpid()}"

    def keep(self, now: datetime) -> Path:
        """Give it its lasting name, which nothing has yet: `NAME-YYYYMMDD-HHMMSS[-n]`."""
        stamp = f"{self.name}-{now:%Y%m%d-%H%M%S}"
        with writing(self.out):
            for number in count(1):
                final = self.out / (stamp if number == 1 else f"{stamp}-{number}")
                if not final.exists():
                    return self.path.rename(final)
        raise AssertionError("there is always a next number")


@contextmanager
def draft(out: Path, name: str) -> Iterator[Draft]:
    """Make a folder that vanishes unless it is kept; raises WriteError where it cannot be written."""
    made = Draft(out, name)
    with writing(out):
        made.path.mkdir(parents=True)
    try:
        yield made
    finally:
        shutil.rmtree(made.path, ignore_errors=True)


def write_run(
    folder: Path, result: Result, scenario: Path, overrides: Sequence[str], timing: dict[str, Any]
) -> None:
    """Write everything of one run into `folder`, plots included."""
    with writing(folder.parent):
        (folder / "result.json").write_text(json_text(result.to_json()), encoding="utf-8")
        (folder / "timing.json").write_text(json_text(timing), encoding="utf-8")
        given = "".join(f"# --set {override}\n" for override in overrides)
        (folder / "scenario.yaml").write_bytes(given.encode() + scenario.read_bytes())
        _bring_along(folder, scenario)
        kept = result.study.kept
        tables = result.study.tables
        _write_csv(folder / "timeline.csv", TIMELINE, (row for k in kept for row in timeline_rows(k, tables)))
        _write_csv(folder / "outages.csv", OUTAGES, (row for k in kept for row in outage_rows(k, tables)))
        _write_csv(
            folder / "incidents.csv", INCIDENTS, (row for k in kept for row in incident_rows(k, tables))
        )
        result.plot.save(folder)
        if result.scenario.sla is not None or result.scenario.customers:
            _write_year(folder, result)


def _bring_along(folder: Path, scenario: Path) -> None:
    """Copy the files that the scenario names to their places beside its copy, if they lie below it."""
    home = scenario.parent.resolve()
    for named in companions(scenario):
        source = named.resolve()
        if source.is_relative_to(home):
            copy = folder / source.relative_to(home)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())


def _write_year(folder: Path, result: Result) -> None:
    """Write the year that the plot shows as agreements are judged on it: outages as CSV, all of it as JSON.

    A customer with devices or segments of their own gets a ledger of their own.
    """
    from callsim.plots import bad_year  # noqa: PLC0415 - matplotlib is slow to import

    found = bad_year(result)
    if found is None:
        return
    stretch, begin, end = found
    seed = result.study.seed
    plan = plan_of(result.scenario, result.study.tables)
    start, stop = plan.posix(np.array([begin, end])).tolist()
    stream = ledger_of(plan, stretch, seed)
    year = stream.between(start, stop)
    (folder / "year-outages.csv").write_text(outages_text(year, plan.zone.timezone), encoding="utf-8")
    (folder / "ledger.json").write_text(ledger_text(year), encoding="utf-8")
    tables = result.study.tables
    for name in dict.fromkeys([*plan.handsets, *(path.customer for path in tables.own_paths)]):
        own = customer_ledger(plan, stream, name, seed, stretch.stream)
        own = with_own_path(tables, plan, own, name, stretch.incidents).between(start, stop)
        (folder / f"ledger-{name}.json").write_text(ledger_text(own), encoding="utf-8")


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
