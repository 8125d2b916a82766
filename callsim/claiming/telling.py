"""Tells a claim in words: its one sentence, its arithmetic, its answer on one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from callsim import figures
from callsim.agreements import assessing
from callsim.claiming.claim import Claim, Outage, Standing, counted, moment, money
from callsim.claiming.objecting import Objection
from callsim.reading.looking import DAY
from callsim.report import columns, quantity
from sla.assessment import Assessment, Judged
from sla.explaining import explain

MOST_OUTAGES = 6
"""Outages that the screen lists."""
TOO_LITTLE = 0.5
"""Share of the time; where less was seen, and nothing failed in it, there is too little to claim on."""


def headline(claim: Claim) -> str:
    """Say in one sentence who claims what, from whom, for when, and on which clause."""
    question, terms = claim.question, claim.terms
    who, whom = question.customer or "The customer", terms.provider or "the provider"
    when = f"for {question.period}" if question.over else f"for {question.period}, which is not over,"
    match claim.standing:
        case Standing.PROVEN:
            return (
                f"{who} claims from {whom} a credit of {money(claim, claim.due)} {when} under {terms.name}, "
                f"because {' and '.join(reasons(claim))} ({_clauses(claim)})."
            )
        case Standing.POSSIBLE:
            if not claim.grounded:
                return (
                    f"Nothing is proven {when} under {terms.name}. Only if all unseen time were down would "
                    f"{money(claim, claim.due_longest)} be due ({_clauses(claim)})."
                )
            unseen = ", and all unseen time down," if claim.unseen > 0 else ""
            return (
                f"Nothing is proven {when} under {terms.name}: only with outages of {question.subject} as "
                f"long as they can have been{unseen} would "
                f"{money(claim, claim.due_longest)} be due ({_clauses(claim)})."
            )
        case Standing.UNKNOWN:
            why = " ".join(claim.shortest.not_assessed)
            lacks = any("does not cover" in text for text in claim.shortest.not_assessed)
            hint = " Probes are calls: of that it takes an outage record (callsim sla assess)." * lacks
            return f"Whether a credit is due {when} under {terms.name} cannot be told. {why}{hint}"
    if not terms.credits:
        return f"There is nothing to claim {when}: {terms.name} promises no credit."
    return (
        f"There is nothing to claim {when} under {terms.name}: no credit is due for {question.subject}, "
        "however long its outages were."
    )


def seen(claim: Claim) -> str:
    """Say how much of the time was seen, and how much was not; nothing where all was."""
    whole = claim.sight.until - claim.sight.since
    share = claim.sight.known / whole
    if share >= 0.9995:
        return ""
    of = f"of {claim.question.period}" + ("" if claim.question.over else " so far")
    little = ": too little to claim on" if share < TOO_LITTLE and not claim.outages else ""
    lasted, missed = (figures.plain_duration(x) for x in (claim.sight.known, claim.unseen))
    return f"{lasted} {of} were seen ({100.0 * share:.1f} %), {missed} were not{little}."


def _clauses(claim: Claim) -> str:
    own = [
        f"credits for {claim.terms.credits[n].objective}, {claim.question.clauses[n]}" for n in claim.rules
    ]
    return "; ".join(own)


def reasons(claim: Claim) -> list[str]:
    """Say of each rule that pays what was measured, and what is promised."""
    made = claim.shortest if claim.due > 0 else claim.longest
    told = []
    for number in claim.rules:
        name = claim.terms.credits[number].objective
        for window in range(len(made.credits.windows)):
            if made.credits.by_rule[number, window] > 0:
                told += [
                    _reason(claim, one, at)
                    for one, at in assessing.judged_in(made, window)
                    if at is not None and one.objective.name == name and not one.met[at]
                ]
    return list(dict.fromkeys(told))


def _reason(claim: Claim, one: Judged, at: int) -> str:
    objective = one.objective
    side = "at least" if objective.higher_is_better else "at most"
    value = float(one.actual[at])
    told = (
        assessing.percent(value)
        if objective.name == "availability"
        else quantity(objective, float(f"{value:.6g}"))
    )
    name = objective.name.replace("_", " ")
    target = f"{side} {quantity(objective, objective.target)}"
    return f"{name} of {claim.question.subject} was {told}, where {target} is promised"


def arithmetic(claim: Claim, made: Assessment) -> list[tuple[str, list[str]]]:
    """Give the arithmetic of each window that pays, or of the first, step by step."""
    paying = [n for n, due in enumerate(made.credits.due.tolist()) if due > 0]
    return [
        (assessing.window_label(made, n), [*_availability(made, n), *explain(made, n)]) for n in paying or [0]
    ]


def _availability(made: Assessment, window: int) -> Iterator[str]:
    """Show how the availability of a window comes about, where time counts."""
    found, terms = made.availability, made.terms
    start, end = (getattr(found.windows, name)[window : window + 1] for name in ("start", "end"))

    def within(name: str) -> float:
        stretches = getattr(made.downtime, name)
        return float((stretches.before(end) - stretches.before(start))[0])

    whole, down, excluded = float((end - start)[0]), within("counted"), within("excluded")
    out = terms.excluded_time == "out_of_both"
    left = whole - excluded if out else whole
    share = (whole - down) / left if out else (whole - down + excluded) / whole
    eligible = float(found.eligible[window])
    if left <= 0 or not abs(share - eligible) < 1e-9:
        return  # measured otherwise: by users, calls, or attempts
    formula = "(A - B) / (A - C)" if out else "(A - B + C) / A"
    yield (
        f"A, all of the time: {whole:,.0f} s. B, downtime that counts: {down:,.3f} s. "
        f"C, of it excluded: {excluded:,.3f} s. {formula} = {assessing.percent(eligible)}."
    )


def deadline(claim: Claim) -> str:
    """Say by when it has to be claimed, where there is something to claim."""
    if not claim.grounded:
        return ""
    by, days = claim.claim_by, claim.days_left
    if claim.terms.claims.automatic:
        return "It is credited without a claim; compare the bill."
    if claim.terms.claims.after == "incident" and (text := _by_outage(claim)):
        return text
    if by is None or days is None:
        return "It has to be claimed; the terms set no time limit."
    zone = claim.question.zone
    when = f"{moment(by, zone)[:16]} ({claim.terms.measured.timezone})"
    if days < 0:
        return f"TOO LATE: it had to be claimed by {when}, {figures.significant(-days)} days ago."
    return f"Claim it by {when}: {_days(days)} left."


def _by_outage(claim: Claim) -> str:
    """Say by when each outage has to be claimed, the first that still can be in full."""
    now, zone = claim.question.now, claim.question.zone
    limits = [(one.claim_by, one.number) for one in claim.outages if one.claim_by is not None]
    late = [number for by, number in limits if by < now]
    left = sorted(limit for limit in limits if limit[0] >= now)
    told = []
    if late:
        told.append(f"TOO LATE for outage {', '.join(map(str, late))}.")
    if left:
        by, number = left[0]
        when = f"{moment(by, zone)[:16]} ({claim.terms.measured.timezone})"
        told.append(f"Claim outage {number} by {when}: {_days((by - now) / DAY)} left.")
    return " ".join(told)


def _days(days: float) -> str:
    whole = int(days)
    if not whole:
        return counted(int(days * 24), "hour is", "hours are")
    return counted(whole, "day is", "days are")


def terminal(
    claim: Claim, found: Sequence[Objection], folder: Path | None, files: int, width: int = 80
) -> str:
    """Return the answer as text."""
    # What is proven comes first; of what is not, how little of the time it rests on.
    first, then = f"{seen(claim)} {headline(claim)}".strip(), ""
    if claim.standing is Standing.PROVEN:
        first, then = headline(claim), seen(claim)
    parts = [[*textwrap.wrap(f"{_word(claim)}: {first}", width), *textwrap.wrap(then, width)]]
    if claim.standing is Standing.PROVEN and claim.due_longest > claim.due:
        text = f"If outages were as long as they can have been it would be {money(claim, claim.due_longest)}."
        parts[0] += textwrap.wrap(text, width)
    if by := deadline(claim):
        parts[0] += textwrap.wrap(by, width)
    parts.append(_table(claim, width))
    open_ = [one for one in found if one.open]
    if claim.grounded and open_:
        parts.append(
            [
                "What the other side could object, and nothing here answers:",
                *(line for one in open_ for line in _bullet(one, width)),
            ]
        )
    if folder is not None:
        text = (
            f"{folder}: {files} files; begin with claim.html, `sha256sum -c SHA256SUMS` checks them. Look "
            "through plan.yaml before you hand it on: it has your trunks and prices."
        )
        parts.append(textwrap.wrap(text, width))
    elif claim.standing is Standing.POSSIBLE:
        text = "No folder is written, since there is nothing to claim on; --out DIR writes one all the same."
        parts.append(textwrap.wrap(text, width))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _word(claim: Claim) -> str:
    return {
        Standing.PROVEN: "CLAIM",
        Standing.POSSIBLE: "NOT PROVEN",
        Standing.NOTHING: "NOTHING",
        Standing.UNKNOWN: "NOT KNOWN",
    }[claim.standing]


def _bullet(one: Objection, width: int) -> list[str]:
    about = f" (outage {', '.join(map(str, one.outages))})" if one.outages else ""
    return textwrap.wrap(f"- {one.says[:-1]}{about}.", width, subsequent_indent="  ")


def _table(claim: Claim, width: int) -> list[str]:
    if not claim.outages:
        return [f"No outage of {claim.question.subject} was seen."]
    zone = claim.question.zone
    rows: list[tuple[str, ...]] = [("", "began by", "ended", "certain", "at most", "claimed", "probes")]
    shown = sorted(claim.outages, key=lambda one: (-one.counts, -one.certain))[:MOST_OUTAGES]
    shown.sort(key=lambda one: one.number)
    rows += [(str(one.number), *_times(one, zone), str(len(one.evidence.failed))) for one in shown]
    left = len(claim.outages) - len(shown)
    more = f"{counted(left, 'more outage is', 'more outages are')} in the folder, or in --json."
    return [*columns(rows, width), *[more] * bool(left)]


def _times(one: Outage, zone: ZoneInfo) -> tuple[str, ...]:
    began, ended = (moment(at, zone)[5:16] for at in (one.episode.began_latest, one.episode.ended_earliest))
    lengths = (one.certain, one.possible, one.counts)
    return began, ended, *(figures.plain_duration(x) if x else "0" for x in lengths)
