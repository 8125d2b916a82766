"""Runs a test of one of our own numbers, judged where the call arrives."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from callgen.messages import Answers, Endpoint
from callsim.live.called_side import Arrived, CalledSide, called_endpoint
from callsim.live.desk import CallJson, Desk, Errand, desk_of
from callsim.live.probing import audio_of
from callsim.plan.model import OUTSIDE, Test

RING = 1.0
"""Seconds for which our number rings."""
LATEST = 5.0
"""Seconds after the caller's end by which the called side has to know of it."""


async def call_us(desk: Desk, test: Test, folder: Path, *, lab: bool) -> CallJson:
    """Take a call to our number, placed over another trunk or from outside, and give its record.

    In a lab, where no carrier has numbers of ours, the caller reaches the called side directly.
    """
    plan = desk.plan
    at = plan.trunks_of(test.at or "")[0]
    endpoint = _endpoint(desk.endpoint, test, folder, plan.trunk_names()[at])
    if plan.trunks[at].register_ and not any(identity.register for identity in endpoint.identities):
        line = await desk.lines.line()
        trouble = next(hop.trouble for hop in line.hops if hop.trunk == at)
        return _none_came(test, trouble or "not registered, for its name could not be resolved at first")
    async with CalledSide(endpoint) as called:
        if plan.trunks[at].register_ and (why := await called.registered()) is not None:
            return _none_came(test, why)
        if test.from_ == OUTSIDE:
            arrived = await called.call_to(test.to, test.within + RING + test.talk)
            return (
                _none_came(test, f"no call within {test.within:g} s") if not arrived else _seen(test, arrived)
            )
        placing = plan.trunks_of(test.from_ or "")[0]
        codecs = (test.codec,) if test.codec else None
        errand = Errand(test.to, placing, test.talk, audio_of(test, folder), codecs)
        if lab:
            trunks = [t.model_copy(update={"uri": called.uri}) for t in plan.trunks]
            direct = plan.model_copy(update={"trunks": tuple(trunks)})
            async with desk_of(direct, folder, at_once=1, in_lab=True) as beside:
                record = await beside.call(errand)
        else:
            record = await desk.call(errand)
        arrived = await called.call_to(test.to, LATEST)
        return {**record, **_told(arrived)} if arrived else _not_here(record)


def _endpoint(endpoint: Endpoint, test: Test, folder: Path, trunk: str) -> Endpoint:
    talk = test.talk if test.from_ == OUTSIDE else None
    plays = audio_of(test, folder).play
    answers = Answers(ring=RING, talk=talk, plays=plays)
    return replace(called_endpoint(endpoint, trunk), answers=answers)


def _none_came(test: Test, reason: str) -> CallJson:
    """Record a call that never reached us."""
    empty = dict.fromkeys(
        ("call_id", "q850_cause", "pdd_s", "setup_s", "hung_up_by", "rtp", "audio", "mos", "trace"), None
    )
    return {
        **empty,
        "to": test.to,
        "outcome": "failed",
        "sip_status": None,
        "reason": reason,
        "attempts": [],
        "talk_s": 0.0,
    }


def _not_here(record: CallJson) -> CallJson:
    """Record a call that was answered by somebody, though not by us."""
    if record["outcome"] != "answered":
        return record
    why = "answered, though not by us: the number leads elsewhere"
    return {**record, "outcome": "failed", "sip_status": None, "reason": why}


def _seen(test: Test, arrived: Arrived) -> CallJson:
    answered = {"outcome": "answered", "sip_status": 200, "hung_up_by": arrived.ended.hung_up_by}
    talk = max(arrived.ended.at - arrived.incoming.at - RING, 0.0)
    return {**_none_came(test, ""), **answered, "talk_s": talk, "setup_s": RING, **_told(arrived)}


def _told(arrived: Arrived) -> dict[str, Any]:
    """Give what the called side knows, which stands in place of the caller's."""
    incoming, ended = arrived.incoming, arrived.ended
    told: dict[str, Any] = {"caller_id": caller_of(incoming.pai or incoming.from_)}
    if ended.rtp is not None:
        rtp = asdict(ended.rtp)
        told["rtp"] = {key: value for key, value in rtp.items() if key not in {"jitter", "rtt"}}
        for key in ("jitter", "rtt"):
            told["rtp"][f"{key}_ms"] = None if rtp[key] is None else rtp[key] * 1000.0
    if ended.heard is not None:
        delay = ended.heard.echo_delay
        told["audio"] = {
            "two_way": ended.heard.two_way,
            "silence_share": ended.heard.silence_share,
            "echo_delay_ms": None if delay is None else delay * 1000.0,
            "dtmf_heard": ended.heard.dtmf,
        }
    return told


def caller_of(header: str) -> str | None:
    """Read the caller's number from a From or P-Asserted-Identity; None where it has none."""
    found = re.search(r"(?:sips?|tel):(\+?[0-9]+)", header)
    return found[1] if found else None
