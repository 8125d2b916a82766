"""Faults of a lab's carriers as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from callgen.lab.impairment import LabFault
from carriers.units import format_duration, format_share, parse_duration, parse_share

FORMS = {
    "good": ("", "as it should be"),
    "silent": ("", "INVITE, OPTIONS, media vanish, and calls in progress are lost"),
    "trying_only": ("", "a 100, then nothing; OPTIONS are answered"),
    "refuses": ("[STATUS] [SHARE]", "503, or another status, to all INVITEs or a share of them"),
    "slow": ("DURATION", "rings so long after the INVITE"),
    "one_way": ("to_callee|to_caller", "no media arrive there"),
    "no_audio": ("", "answered, and no media either way"),
    "impaired": (
        "[loss=SHARE] [burst=RATIO] [jitter=DURATION] [delay=DURATION] [reorder=SHARE]",
        "packets are lost, late or out of order, each way",
    ),
    "capacity": ("CALLS", "503 to calls beyond so many at once"),
    "hang_up": ("DURATION", "BYE so long after the answer"),
    "maintenance": ("[STATUS]", "503, or another status, to INVITE and OPTIONS"),
    "crash": ("", "its process is killed, and comes back when the fault is over"),
}
"""What is written after each fault, and what it does; `good` ends one."""


def read_fault(text: str) -> LabFault | None:
    """Read a fault in one of the `FORMS`; None: `good`.

    Raises ValueError that says what would be right.
    """
    name, *words = text.split() or [""]
    if name not in FORMS:
        raise ValueError(f"'{name}' is no fault; write one of {', '.join(FORMS)}")
    form = f"{name} {FORMS[name][0]}".rstrip()
    try:
        fault = _read(name, words)
    except ValueError as error:
        raise ValueError(f"'{text.strip()}' is not `{form}`: {error}") from None
    return fault


def read_order(line: str, carriers: Sequence[str]) -> tuple[str, LabFault | None] | None:
    """Read `CARRIER: FAULT`, with or without the colon; None for an empty line, or one that is a comment.

    Raises ValueError that says what would be right.
    """
    found = re.match(r"\s*([^\s:#]+)\s*:?\s*([^#]*)", line)
    if found is None:
        return None
    name, text = found.groups()
    if name not in carriers:
        raise ValueError(f"'{name}' is not in this lab; there are {', '.join(carriers)}")
    return name, read_fault(text.strip().strip("'\""))


def write_fault(fault: LabFault | None) -> str:
    """Write a fault as `read_fault` reads it."""
    if fault is None:
        return "good"
    words: list[str] = []
    match fault.kind:
        case "refuses":
            words = [str(fault.status), format_share(fault.share)]
        case "maintenance":
            words = [str(fault.status)]
        case "slow":
            words = [format_duration(fault.post_dial_delay[0])]
        case "hang_up":
            words = [format_duration(fault.after)]
        case "one_way":
            words = [fault.way]
        case "capacity":
            words = [str(fault.channels)]
        case "impaired":
            shares = {"loss": fault.loss, "reorder": fault.reorder}
            times = {"jitter": fault.jitter, "delay": fault.delay}
            words = [f"{name}={format_share(value)}" for name, value in shares.items() if value]
            words += [f"{name}={format_duration(value)}" for name, value in times.items() if value]
            words += [f"burst={fault.burst_ratio:g}"] if fault.burst_ratio != 1.0 else []
    return " ".join([fault.kind, *words])


def _read(name: str, words: list[str]) -> LabFault | None:
    fault: LabFault | None = None
    match name, words:
        case "good", []:
            pass
        case ("silent" | "trying_only" | "no_audio" | "crash") as kind, []:
            fault = LabFault(kind)
        case "refuses", [*status, share] if len(status) <= 1 and share.endswith("%"):
            fault = LabFault("refuses", _status(status), parse_share(share))
        case ("refuses" | "maintenance") as kind, [*status] if len(status) <= 1:
            fault = LabFault(kind, _status(status))
        case "slow", [delay]:
            fault = LabFault("slow", post_dial_delay=(parse_duration(delay),))
        case "hang_up", [after]:
            fault = LabFault("hang_up", after=parse_duration(after))
        case "one_way", [("to_callee" | "to_caller") as way]:
            fault = LabFault("one_way", way=way)
        case "capacity", [calls]:
            fault = LabFault("capacity", channels=_count(calls))
        case "impaired", [_, *_]:
            fault = _impaired(words)
        case _:
            raise ValueError("too few words, too many, or another one")
    return fault


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"'{text}' is not a number of calls, like 2")
    return int(text)


def _status(words: list[str]) -> int:
    if words and not re.fullmatch(r"[3-6][0-9]{2}", words[0]):
        raise ValueError(f"'{words[0]}' is not a SIP status of a refusal, like 486")
    return int(words[0]) if words else 503


def _ratio(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        raise ValueError(f"'{text}' is not a burst ratio, like 2.5")
    return float(text)


_FIGURES: dict[str, Callable[[str], float]] = {
    "loss": parse_share,
    "burst": _ratio,
    "jitter": parse_duration,
    "delay": parse_duration,
    "reorder": parse_share,
}


def _impaired(words: list[str]) -> LabFault:
    figures = {"loss": 0.0, "burst": 1.0, "jitter": 0.0, "delay": 0.0, "reorder": 0.0}
    for word in words:
        name, _, value = word.partition("=")
        if name not in _FIGURES:
            raise ValueError(f"'{name}' is none of {', '.join(_FIGURES)}")
        figures[name] = _FIGURES[name](value)
    return LabFault(
        "impaired",
        loss=figures["loss"],
        burst_ratio=figures["burst"],
        jitter=figures["jitter"],
        delay=figures["delay"],
        reorder=figures["reorder"],
    )
