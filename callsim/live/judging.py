"""Judges a call by what a test expects, line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callsim.figures import exact_duration, plain_percent
from callsim.plan.model import Expect

Call = Mapping[str, Any]
"""A call's record, as `CallRecord.to_json` writes it."""


@dataclass(frozen=True)
class Check:
    """One expectation, and what was found."""

    name: str
    wanted: str
    found: str
    kept: bool
    """Whether it holds; False where it was not measured, too."""

    def to_json(self) -> dict[str, Any]:
        """Write it as probes are written."""
        return {"expect": self.name, "wanted": self.wanted, "found": self.found, "kept": self.kept}


def judge(expect: Expect, call: Call) -> tuple[Check, ...]:
    """Judge a call by every expectation that is given; where it came to no call, by its status alone."""
    wanted, status = expect.status, call["sip_status"]
    found = f"{call['outcome']}, {status or 'no status'}" + f" ({call['reason']})" * bool(call["reason"])
    first = Check("status", str(wanted), found, status == wanted)
    if not first.kept:
        return (first,)
    return (first, *(check for judged in _JUDGES for check in judged(expect, call)))


Judge = Callable[[Expect, Call], tuple[Check, ...]]


def _most(name: str, value: Callable[[Call], float | None], write: Callable[[float], str]) -> Judge:
    """Judge a figure that may be at most what is expected."""

    def judged(expect: Expect, call: Call) -> tuple[Check, ...]:
        limit = getattr(expect, name)
        if limit is None:
            return ()
        figure = value(call)
        if figure is None:
            return (Check(name, f"at most {write(limit)}", "not measured", kept=False),)
        return (Check(name, f"at most {write(limit)}", write(figure), figure <= limit),)

    return judged


def _mos(expect: Expect, call: Call) -> tuple[Check, ...]:
    if expect.mos_at_least is None:
        return ()
    wanted = f"at least {expect.mos_at_least:.2f}"
    mos = call["mos"]
    if mos is None:
        return (Check("mos_at_least", wanted, "not measured", kept=False),)
    found = f"{mos['value']:.2f} {mos['scale']}, {mos['source']}"
    return (Check("mos_at_least", wanted, found, mos["value"] >= expect.mos_at_least),)


def _lqo(expect: Expect, call: Call) -> tuple[Check, ...]:
    if expect.mos_lqo_at_least is None:
        return ()
    wanted = f"at least {expect.mos_lqo_at_least:.2f}"
    lqo = call.get("mos_lqo")
    if lqo is None:
        return (Check("mos_lqo_at_least", wanted, "not measured", kept=False),)
    found = f"{lqo['value']:.2f} {lqo['scale']}, {lqo['source']}"
    return (Check("mos_lqo_at_least", wanted, found, lqo["value"] >= expect.mos_lqo_at_least),)


def _two_way(expect: Expect, call: Call) -> tuple[Check, ...]:
    wanted = expect.two_way_audio
    if wanted is None:
        return ()
    found = (call["audio"] or {}).get("two_way")
    said = {True: "two-way", False: "not two-way", None: "cannot be known"}
    return (Check("two_way_audio", said[wanted], said[found], found is wanted),)


def _dtmf(expect: Expect, call: Call) -> tuple[Check, ...]:
    if expect.dtmf is None:
        return ()
    heard = (call["audio"] or {}).get("dtmf_heard")
    return (Check("dtmf", expect.dtmf, heard or "nothing came back", heard == expect.dtmf),)


def _caller_id(expect: Expect, call: Call) -> tuple[Check, ...]:
    if expect.caller_id is None:
        return ()
    came = call.get("caller_id")
    return (Check("caller_id", expect.caller_id, came or "none", came == expect.caller_id),)


def loss_of(call: Call) -> float | None:
    """Give the share of the packets to us that were of no use: lost, or too late; None where none was due."""
    rtp = call["rtp"]
    due = rtp["received"] + rtp["lost"] if rtp else 0
    return (rtp["lost"] + (rtp["late"] or 0)) / due if due else None


def _scaled(part: str, key: str) -> Callable[[Call], float | None]:
    """Read milliseconds as seconds."""

    def value(call: Call) -> float | None:
        found = (call[part] or {}).get(key)
        return None if found is None else found / 1000.0

    return value


def _percent(share: float) -> str:
    return plain_percent(round(share, 5))


def _seconds(seconds: float) -> str:
    return exact_duration(round(seconds, 3))


_JUDGES: tuple[Judge, ...] = (
    _most("ringing_within", lambda call: call["pdd_s"], _seconds),
    _most("answered_within", lambda call: call["setup_s"], _seconds),
    _caller_id,
    _two_way,
    _mos,
    _lqo,
    _most("loss_at_most", loss_of, _percent),
    _most("jitter_at_most", _scaled("rtp", "jitter_ms"), _seconds),
    _most("silence_at_most", lambda call: (call["audio"] or {}).get("silence_share"), _percent),
    _most("echo_within", _scaled("audio", "echo_delay_ms"), _seconds),
    _dtmf,
)
"""In the order in which a call goes."""
