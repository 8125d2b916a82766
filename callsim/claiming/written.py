"""Writes a claim as JSON and as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from callsim import __version__
from callsim.agreements import assessing
from callsim.claiming.claim import Claim, Outage, plain, utc
from callsim.claiming.evidence import Shown
from callsim.claiming.objecting import Objection
from callsim.ledgers.outage_csv import outages_text

FORMAT = 1
PROBE_COLUMNS = (
    *("outage", "role", "id", "try", "counts", "location", "test", "over", "trunk", "number"),
    *("due_at", "started_at", "ended_at", "outcome", "sip_status", "q850", "reason", "passed", "broken"),
    *("pdd_s", "setup_s", "mos", "sip_call_id", "clock_offset_s", "trace"),
)
FREE = ("outcome", "reason", "broken", "sip_call_id", "test", "over", "trunk", "location")
"""Columns with text that others may have chosen."""
FORMULA = ("=", "+", "-", "@")
"""What spreadsheets take for the beginning of a formula."""


def to_json(
    claim: Claim, found: Sequence[Objection], csv_share: float | None, traces: Mapping[str, str]
) -> dict[str, Any]:
    """Return all of a claim; times are UTC, durations seconds, shares of a month's fee.

    `csv_share` is what `outages.csv` comes to, `traces` has the file of each call that has one.
    """
    question, terms = claim.question, claim.terms
    fee = claim.shortest.customer.fee
    return {
        "format": FORMAT,
        "callsim": __version__,
        "made_at": utc(question.now),
        "standing": claim.standing.value,
        "customer": question.customer,
        "agreement": terms.name,
        "provider": terms.provider,
        "subject": question.subject,
        "plan": question.plan.name,
        "period": question.period,
        "from": utc(question.since),
        "to": utc(question.until),
        "seen_until": utc(question.seen_until),
        "timezone": terms.measured.timezone,
        "credit": {
            "share": claim.due,
            "amount": None if fee is None else claim.due * fee,
            "share_longest": claim.due_longest,
            "amount_longest": None if fee is None else claim.due_longest * fee,
            "fee": fee,
            "currency": terms.currency,
            "base": terms.base,
            "clauses": [question.clauses[number] for number in claim.rules],
            "share_by_outages_csv": csv_share,
        },
        "claim_by": None if claim.claim_by is None else utc(claim.claim_by),
        "days_left": None if claim.days_left is None else round(claim.days_left, 3),
        "automatic": terms.claims.automatic,
        "unknown_s": round(claim.sight.until - claim.sight.since - claim.sight.known, 3),
        "missed": dict(claim.looked.missed),
        "outages": [outage_json(one, traces) for one in claim.outages],
        "objections": [
            {"name": o.name, "says": o.says, "answer": o.answer, "open": o.open, "outages": list(o.outages)}
            for o in found
        ],
        "shortest": assessing.to_json(claim.shortest),
        "longest": assessing.to_json(claim.longest),
    }


def outage_json(outage: Outage, traces: Mapping[str, str]) -> dict[str, Any]:
    """Return an outage; null is what is not known."""
    episode, evidence = outage.episode, outage.evidence
    began = episode.began_earliest
    return {
        "number": outage.number,
        "subject": episode.subject,
        "level": episode.level,
        "began_earliest": None if began == float("-inf") else utc(began),
        "began_latest": utc(episode.began_latest),
        "ended_earliest": utc(episode.ended_earliest),
        "ended_latest": utc(episode.ended_latest) if episode.over else None,
        "certain_s": round(outage.certain, 3),
        "longest_s": round(outage.possible, 3),
        "claimed_s": round(outage.counts, 3),
        "excluded": [
            {"start": utc(start), "end": utc(end), "reason": reason} for start, end, reason in outage.excluded
        ],
        "terms_say": list(outage.says),
        "claim_by": None if outage.claim_by is None else utc(outage.claim_by),
        "locations": list(evidence.locations),
        "failed_probes": len(evidence.failed),
        "longest_gap_s": None if evidence.gap is None else round(evidence.gap, 3),
        "missed": dict(evidence.missed),
        "good_over_other_trunks": evidence.beside,
        "probes": [_probe_json(one, traces) for one in evidence.shown],
    }


def _probe_json(one: Shown, traces: Mapping[str, str]) -> dict[str, Any]:
    call = one.call
    return {
        "role": one.role,
        "id": call.id,
        "counts": call.last,
        "location": call.location,
        "test": call.test,
        "over": call.over,
        "number": call.number,
        "started_at": utc(call.started_at),
        "ended_at": utc(call.ended_at),
        "outcome": call.outcome,
        "sip_status": call.sip_status,
        "reason": call.reason,
        "broken": list(one.broken),
        "pdd_s": call.pdd_s,
        "sip_call_id": one.sip_call_id,
        "trace": traces.get(call.id),
    }


def outages_csv(claim: Claim) -> str:
    """Write what is certain in the form that `callsim sla assess` reads."""
    return outages_text(claim.ledger, claim.terms.measured.timezone)


def probes_csv(outages: Iterable[Outage], traces: Mapping[str, str]) -> str:
    """Write the probes that show each outage; `traces` has the file of each call that has one."""
    out = io.StringIO()
    writer = csv.DictWriter(out, PROBE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for outage in outages:
        for one in outage.evidence.shown:
            writer.writerow(_probe(outage.number, one, traces.get(one.call.id, "")))
    return out.getvalue()


def _probe(outage: int, one: Shown, trace: str) -> dict[str, Any]:
    call = one.call
    passed = {True: "yes", False: "no", None: ""}[call.passed]
    row = {
        "outage": outage,
        "role": one.role,
        "id": plain(call.id),
        "try": call.attempt_no,
        "counts": "yes" if call.last else "no",
        "number": plain(call.number),
        "due_at": "" if call.due_at is None else utc(call.due_at),
        "started_at": utc(call.started_at),
        "ended_at": utc(call.ended_at),
        "passed": passed,
        "broken": "; ".join(one.broken),
        "sip_call_id": one.sip_call_id,
        "trace": trace,
    }
    for name in PROBE_COLUMNS:
        if name not in row:
            row[name] = getattr(call, name)
    return {name: _safe(value) if name in FREE else value for name, value in row.items()}


def _safe(value: object) -> str:
    """Keep others' text from being a formula of a spreadsheet."""
    text = "" if value is None else plain(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
