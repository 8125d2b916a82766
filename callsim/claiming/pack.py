"""Makes the files of a claim's folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from callsim.claiming.claim import Claim, Question, total
from callsim.claiming.objecting import Objection
from callsim.claiming.page import page
from callsim.claiming.reckoning import plan_text
from callsim.claiming.written import outages_csv, probes_csv, to_json
from callsim.ledgers.outage_csv import read_outages
from callsim.scenario.companions import companions
from callsim.writing import json_text
from results.store.store import Store
from sla.assess import assess
from sla.crediting import GapError

ODD = re.compile("[^A-Za-z0-9._-]+")
"""What a file's name here has not."""


def folder_name(question: Question) -> str:
    """Give the name of a claim's folder: terms, subject, time."""
    return "-".join(named(part) for part in (question.terms.name, question.subject, question.period))


def named(text: str) -> str:
    """Make a file's name of a text."""
    return ODD.sub("-", text).strip(".-") or "unnamed"


def files_of(store: Store, claim: Claim, found: Sequence[Objection]) -> dict[str, bytes]:
    """Give the files by their names, all but the sums."""
    question = claim.question
    traces = {
        one.call.id: one.trace for o in claim.outages for one in o.evidence.shown if one.trace is not None
    }
    paths = {call: f"traces/{named(call)}.txt" for call in traces}
    table = outages_csv(claim)
    share = share_by_csv(claim, table)
    files = {
        "claim.json": json_text(to_json(claim, found, share, paths)),
        "claim.html": page(claim, found, share, paths),
        "outages.csv": table,
        "probes.csv": probes_csv(claim.outages, paths),
        "plan.yaml": plan_text(store, question.plan, question.plan_file),
        **{paths[call]: sip for call, sip in traces.items()},
    }
    raw = _terms(question.terms_file)
    if claim.known is not None:
        raw["tickets.csv"] = claim.known.file.read_bytes()
    return {**{name: text.encode() for name, text in files.items()}, **raw}


def share_by_csv(claim: Claim, table: str) -> float | None:
    """Judge `outages.csv` as a reader would; None where its columns are not enough for these terms."""
    question = claim.question
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outages.csv"
        path.write_text(table, "utf-8")
        between = question.since, question.until
        ledger, _ = read_outages(path, between, claim.terms.measured.timezone)
    try:
        made = assess(claim.terms, ledger, claim.shortest.customer)
    except GapError:
        return None
    judged = [one.not_assessed is None for one in made.judged]
    before = [one.not_assessed is None for one in claim.shortest.judged]
    return total(made) if judged == before else None


def _terms(file: Path) -> dict[str, bytes]:
    """Give the terms with those that they extend, placed to each other as they are."""
    paths = [path.resolve() for path in (file, *companions(file))]
    home = paths[0].parent
    while not all(path.is_relative_to(home) for path in paths):
        home = home.parent
    return {f"terms/{path.relative_to(home).as_posix()}": path.read_bytes() for path in paths}
