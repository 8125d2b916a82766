"""A call as a person reads it, on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsim.figures import plain_percent
from callsim.live.judging import Call, loss_of

NOT_KNOWN = "not known"
TITLES = {
    "answered": "ANSWERED",
    "busy": "BUSY",
    "no_answer": "NO ANSWER",
    "rejected": "REJECTED",
    "failed": "FAILED",
    "timeout": "TIMEOUT",
    "refused_by_guard": "REFUSED BY THE GUARD",
    "lost_by_tool": "LOST BY THE TOOL",
}
MEANINGS = {
    "refused_by_guard": "nothing more was sent",
    "lost_by_tool": "it says nothing about a carrier",
}
MOST_OF_A_TRACE = 200
"""Lines of a SIP trace on the screen; the JSON has all."""


def headline(call: Call) -> str:
    """Say in one sentence what became of a call."""
    said = [TITLES[call["outcome"]] + ":", call["to"]]
    last = call["attempts"][-1] if call["attempts"] else None
    if last is not None:
        said.append(f"over {last['trunk']}")
    text = " ".join(said)
    status = [str(part) for part in (call["sip_status"], call["reason"]) if part]
    text += f", {' '.join(status)}" * bool(status)
    if call["outcome"] == "answered":
        by = {"us": " until we hung up", "far": " until the far end hung up"}
        text += f", talked {_seconds(call['talk_s'])}{by.get(call['hung_up_by'] or '', '')}"
    if call["q850_cause"] is not None:
        text += f" (Q.850 cause {call['q850_cause']})"
    meaning = MEANINGS.get(call["outcome"])
    if call["outcome"] == "refused_by_guard" and last is None:
        meaning = "nothing was sent"
    return f"{text}; {meaning}" if meaning else text


def report(call: Call, *, with_trace: bool) -> str:
    """Write a call with its attempts, times, audio and, where asked for or where it failed, SIP trace."""
    lines = [headline(call)]
    if call["attempts"]:
        lines += ["", *_attempts(call["attempts"])]
    rows = [row for row in (*_times(call), *_media(call)) if row[1] is not None]
    if rows:
        width = max(len(name) for name, _ in rows)
        lines += ["", *(f"{name:<{width}}  {text}" for name, text in rows)]
    if with_trace and call["trace"]:
        trace = call["trace"].splitlines()
        lines += ["", "SIP trace", *trace[:MOST_OF_A_TRACE]]
        if len(trace) > MOST_OF_A_TRACE:
            lines.append(f"... {len(trace) - MOST_OF_A_TRACE} more lines; --json has them")
    return "\n".join(lines)


def _attempts(attempts: list[dict[str, Any]]) -> Iterator[str]:
    width = max(len(attempt["trunk"]) for attempt in attempts)
    for number, attempt in enumerate(attempts, start=1):
        status = attempt["sip_status"] or "no status"
        text = f"{number}. {attempt['trunk']:<{width}}  {status} {attempt['reason'] or ''}".rstrip()
        if attempt["pdd_s"] is not None:
            text += f", ringing after {_seconds(attempt['pdd_s'])}"
        if attempt["seconds"] is not None:
            text += f", {_seconds(attempt['seconds'])} in all"
        yield text


def _times(call: Call) -> Iterator[tuple[str, str | None]]:
    for name, key in (("Post-dial delay", "pdd_s"), ("Setup", "setup_s")):
        yield name, None if call[key] is None else _seconds(call[key])
    yield "Call-ID", call["call_id"]


def _media(call: Call) -> Iterator[tuple[str, str | None]]:
    if call["outcome"] != "answered":
        return
    mos, rtp, audio = call["mos"], call["rtp"], call["audio"]
    yield "MOS", f"{mos['value']:.2f} {mos['scale']} ({mos['source']})" if mos else f"{NOT_KNOWN}"
    if lqo := call.get("mos_lqo"):
        yield lqo["scale"], f"{lqo['value']:.2f} ({lqo['source']})"
    yield "Codec", call.get("codec")
    if rtp:
        loss = loss_of(call)
        share = NOT_KNOWN if loss is None else plain_percent(round(loss, 5))
        burst = rtp["burst_ratio"]
        bursts = f", burst ratio {burst:.2f}" if burst is not None else ""
        yield (
            "Loss",
            f"{share} ({rtp['lost']} lost, {rtp['late']} late of {rtp['received']} received{bursts})",
        )
        yield "Jitter", _ms(rtp["jitter_ms"])
        yield "Round trip", _ms(rtp["rtt_ms"], "; RTCP tells it on calls of more than 5 s")
        yield "Packets", f"{rtp['sent']} sent, {rtp['received']} received, {rtp['duplicated']} twice"
    if audio:
        ways = {True: "both ways", False: "NOT both ways", None: NOT_KNOWN}
        silence = audio["silence_share"]
        quiet = "" if silence is None else f", {plain_percent(round(silence, 3))} silence"
        yield "Audio", ways[audio["two_way"]] + quiet
        yield "Echo", None if audio["echo_delay_ms"] is None else f"after {audio['echo_delay_ms']:.0f} ms"
        yield "DTMF heard", audio["dtmf_heard"]
    sources = call.get("sources")
    if sources:
        yield "Known from", ", ".join(f"{name}: {source}" for name, source in sources.items())


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _ms(milliseconds: float | None, why: str = "") -> str:
    return f"{NOT_KNOWN}{why}" if milliseconds is None else f"{milliseconds:.1f} ms"
