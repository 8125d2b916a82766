"""Objections to what the probes saw."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from callsim import figures
from callsim.claiming.claim import Claim, counted
from callsim.claiming.evidence import legs_of, numbers_called
from callsim.claiming.objecting import Objection, claimed, lasting, numbers

FEW = 3
"""Failed probes below which an outage rests on few."""
OFF = 1.0
"""Seconds by which a clock may be off."""
CALLED_SIDE = {"busy", "no_answer", "rejected"}
"""Outcomes that may be the doing of who is called."""


def _part(claim: Claim) -> Iterator[Objection]:
    """Say where the claim is about less than all that the other side provides."""
    subject, names = claim.sight.subject, claim.question.plan.trunk_names()
    if subject.level == "leg":
        yield Objection(
            "part",
            f"Only {subject.name} is claimed for; other tests over the same trunk may have passed.",
            "Claim for the trunk or its carrier, or show that this test is what the terms are about.",
            True,
        )
    carrier = subject.name.rpartition("/")[0]
    others = [name for name in names if name.rpartition("/")[0] == carrier and name != subject.name]
    if subject.level == "trunk" and others:
        yield Objection(
            "part",
            f"Only one trunk is claimed for, and service went on over {', '.join(others)}.",
            f"Claim for {carrier} as a whole, or show that the terms are about each trunk.",
            True,
        )


def _few_probes(claim: Claim) -> Iterator[Objection]:
    few = [one for one in claimed(claim) if len(one.evidence.failed) < FEW]
    if few:
        tries = sum(len(one.evidence.of("failed")) - len(one.evidence.failed) for one in few)
        repeated = (
            f" Failed probes were repeated before they counted, {counted(tries, 'time', 'times')}."
            if tries
            else ""
        )
        worth = [one for one in few if one.counts > 0]
        rest = (
            f"{lasting(sum(one.counts for one in worth))} of the claim rest on these."
            if worth
            else "Nothing is claimed for these."
        )
        yield Objection(
            "few_probes",
            f"Fewer than {FEW} probes failed: that may have been chance.",
            f"{rest}{repeated}",
            bool(worth),
            numbers(few),
        )


def _between_probes(claim: Claim) -> Iterator[Objection]:
    gaps = [(one.evidence.gap, one) for one in claimed(claim) if one.evidence.gap]
    if not gaps:
        return
    widest = max(gap for gap, _ in gaps)
    least = claim.terms.measured.min_outage
    wide = [one for gap, one in gaps if least and gap > least]
    says = (
        f"Between two failed probes nobody looked, for up to {lasting(widest)}: "
        "service may have been back meanwhile."
    )
    answer = "No probe between the first and the last that failed was good; each end is the cautious one."
    if wide:
        says += f" Single outages may each have been shorter than the {lasting(least)} that count."
        answer += " Probes closer together than the least length would settle it from now on."
    yield Objection("between_probes", says, answer, bool(wide), numbers(wide))


def _cadence(claim: Claim) -> Iterator[Objection]:
    tests = {leg.test for leg in legs_of(claim.sight.subject)}
    cadence = min((t.every for t in claim.question.plan.tests if t.name in tests and t.every), default=None)
    if cadence is None:
        yield Objection(
            "no_cadence",
            "The tests have no cadence: somebody chose when to call.",
            "None, but for the records: every call that was made is in the store.",
            True,
        )
        return
    least = claim.terms.measured.min_outage
    if least and cadence > least:
        yield Objection(
            "cadence",
            f"Probes come every {lasting(cadence)}, outages count from {lasting(least)} on: "
            "probes cannot tell so short ones.",
            "An outage counts here only where its certain length reaches the least.",
            False,
        )


def _single_location(claim: Claim) -> Iterator[Objection]:
    alone = [one for one in claimed(claim) if len(one.evidence.locations) == 1]
    if not alone:
        return
    where = ", ".join(sorted({name for one in alone for name in one.evidence.locations}))
    beside = [one for one in alone if one.evidence.beside]
    calls = sum(one.evidence.beside for one in beside)
    answer = "No other place watched, and no other trunk was seen good from there meanwhile."
    if beside:
        good = counted(
            calls, "probe from there over another trunk was", "probes from there over other trunks were"
        )
        answer = f"{good} good while it was down for certain"
        left = len(alone) - len(beside)
        answer += f"; of {counted(left, 'outage', 'outages')} there is no such probe." if left else "."
    yield Objection(
        "single_location",
        f"It was seen from one place alone ({where}).",
        answer,
        len(beside) < len(alone),
        numbers(alone),
    )


def _own_network(claim: Claim) -> Iterator[Objection]:
    plan, missed = claim.question.plan, claim.looked.missed
    others = [one for one in claimed(claim) if not one.evidence.beside]
    known = "Other trunks were good from the same place meanwhile."
    if not plan.own_network:
        yield Objection(
            "own_network",
            "The fault was in your own network; it was not checked (`own_network` is not in the plan).",
            known if not others else "Name a port in `own_network`, so that it is checked from now on.",
            bool(others),
            numbers(others),
        )
    elif missed.get("own_network"):
        count = missed["own_network"]
        yield Objection(
            "own_network",
            f"Your own network was down too: {counted(count, 'slot was', 'slots were')} lost to it.",
            "These are left out, as time that nobody saw; at the other failures it was checked and worked.",
            False,
        )
    own = {name: found for name, found in claim.looked.seen.own_side.items() if len(found.start)}
    for location, found in own.items():
        yield Objection(
            "own_side",
            f"{location} saw all of its trunks down while another place saw one up.",
            f"That time, {lasting(float((found.end - found.start).sum()))}, is left out as its own matter.",
            False,
        )


def _called_side(claim: Claim) -> Iterator[Objection]:
    called = numbers_called(claim.question.plan, claim.sight)
    outages = claimed(claim)
    theirs = [one for one in outages if any(p.call.outcome in CALLED_SIDE for p in one.evidence.failed)]
    statuses = Counter(
        p.call.sip_status
        for one in theirs
        for p in one.evidence.failed
        if p.call.outcome in CALLED_SIDE and p.call.sip_status
    )
    if theirs:
        told = ", ".join(f"{status} ({count})" for status, count in sorted(statuses.items()))
        yield Objection(
            "called_side_status",
            f"Some answers point at who was called: {told or 'no answer'}.",
            "The traces show what came; ask who has the number whether calls reached them.",
            True,
            numbers(theirs),
        )
    if len(called) == 1 and outages:
        doubtful = [one for one in outages if not one.evidence.beside_same_number]
        yield Objection(
            "one_number",
            "Only one number is called: the fault may be where it is answered.",
            "The same number was reached over other trunks meanwhile."
            if not doubtful
            else "Nothing here shows that the number could be reached meanwhile; ask who has it, "
            "and test a second number.",
            bool(doubtful),
            numbers(doubtful),
        )


def _answered(claim: Claim) -> Iterator[Objection]:
    """Find failed probes whose calls were answered: they failed for how they sounded, or took too long."""
    own = [one for one in claimed(claim) if any(p.call.outcome == "answered" for p in one.evidence.failed)]
    if own:
        failed = [p for one in own for p in one.evidence.failed if p.call.outcome == "answered"]
        what = sorted({text.partition(":")[0] for p in failed for text in p.broken})
        one = "of the probes that failed was answered, so service was up: it"
        many = "of the probes that failed were answered, so service was up: they"
        yield Objection(
            "answered",
            f"{counted(len(failed), one, many)} failed by {', '.join(what) or 'another expectation'}.",
            "Whether the terms take such a call for an outage has to be read in the contract.",
            True,
            numbers(own),
        )


def _unseen(claim: Claim) -> Iterator[Objection]:
    if claim.unseen > 0:
        share = figures.significant(100.0 * claim.unseen / (claim.sight.until - claim.sight.since))
        yield Objection(
            "unseen",
            f"Nothing is known of {lasting(claim.unseen)} ({share} % of the time).",
            "Nothing is claimed for it: it is taken as up.",
            False,
        )
    missing = [one for one in claimed(claim) if one.evidence.missed]
    if missing:
        why = Counter[str]()
        for one in missing:
            why.update(one.evidence.missed)
        told = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in sorted(why.items()))
        yield Objection(
            "missed",
            f"Probes are missing around outages ({told}).",
            "Time that no probe reaches is in no certain length.",
            False,
            numbers(missing),
        )
    ends = [o for o in claimed(claim) if math.isinf(o.episode.began_earliest) or not o.episode.over]
    if ends:
        yield Objection(
            "open_ended",
            "No good probe was seen before, or after: beginning or end is not known.",
            "Only what lies between failed probes is claimed.",
            False,
            numbers(ends),
        )


def _clock(claim: Claim) -> Iterator[Objection]:
    offsets = [p.call.clock_offset_s for one in claimed(claim) for p in one.evidence.failed]
    known = [abs(offset) for offset in offsets if offset is not None]
    if offsets and len(known) < len(offsets):
        yield Objection(
            "clock",
            f"The prober's clock was not known to be right at "
            f"{counted(len(offsets) - len(known), 'failed probe', 'failed probes')}.",
            "Lengths do not depend on it, only where they lie; compare Call-IDs with your records. "
            "Have the prober's machine synchronised by NTP.",
            True,
        )
    if known and max(known) > OFF:
        yield Objection(
            "clock_offset",
            f"The prober's clock was off by up to {figures.significant(max(known))} s.",
            "Lengths do not depend on it, only where they lie; compare Call-IDs with your records.",
            True,
        )


DOUBTS = (
    _part,
    _few_probes,
    _between_probes,
    _cadence,
    _single_location,
    _own_network,
    _called_side,
    _answered,
    _clock,
    _unseen,
)
"""In the order in which they are told."""
