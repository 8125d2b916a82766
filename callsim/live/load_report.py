"""What a load test has found so far, counted as its calls end."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from callgen.load import Kept, Shape
from callgen.measures.rates import rates_of
from callsim.figures import plain_percent
from callsim.live.judging import Call, loss_of

PERCENTILES = (50, 95, 99)
FEWEST = {50: 2, 95: 20, 99: 100}
"""Values below which a percentile is only the largest of them."""
LATE = 0.2
"""Seconds by which a call may be late before the tool counts as too slow."""
BUSY = 0.9
"""Share of the processors in use from which packets may be lost or late for want of them."""
PACKETS = ("sent", "received", "lost", "late")
RATES = ("asr", "ner", "ser", "seer", "isa")


class Tally:
    """Figures of the calls that have ended; durations in seconds, shares of 1, rates in percent."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        """Final status of every INVITE."""
        self.trunks: dict[str, Counter[int]] = {}
        """The same by trunk."""
        self.packets: Counter[str] = Counter()
        """RTP packets, by what became of them."""
        self.delays: list[float] = []
        """Post-dial delay."""
        self.losses: list[float] = []
        self.mos: dict[str, list[float]] = {}
        """By scale: figures of two scales must not be averaged."""
        self.refusal: str | None = None
        self.slots = 0
        """Calls that found no worker with a free slot, or whose worker died."""

    def add(self, call: Call) -> None:
        """Count a call that is over."""
        self.outcomes[call["outcome"]] += 1
        if call["outcome"] == "refused_by_guard":
            self.refusal = self.refusal or call["reason"]
        self.slots += call["outcome"] == "lost_by_tool"
        for attempt in call["attempts"]:
            if attempt["sip_status"] is not None:
                self.statuses[attempt["sip_status"]] += 1
                self.trunks.setdefault(attempt["trunk"], Counter())[attempt["sip_status"]] += 1
        if call["rtp"]:
            self.packets.update({name: call["rtp"][name] or 0 for name in PACKETS})
        if call["pdd_s"] is not None:
            self.delays.append(call["pdd_s"])
        loss = loss_of(call)
        if loss is not None:
            self.losses.append(loss)
        if call["mos"]:
            self.mos.setdefault(call["mos"]["scale"], []).append(call["mos"]["value"])

    def rates(self) -> dict[str, float | None]:
        """Give ASR, NER, SER, SEER, ISA of the INVITEs in percent (RFC 6076); None where undefined."""
        rates = rates_of(self.statuses.elements())
        return {name: getattr(rates, name) for name in RATES}

    def percentiles(self) -> dict[str, float | None]:
        """Give percentiles of the post-dial delay; None where there are too few calls for one."""
        return {
            f"p{p}": float(np.percentile(self.delays, p)) if len(self.delays) >= FEWEST[p] else None
            for p in PERCENTILES
        }

    def to_json(self) -> dict[str, Any]:
        """Write what is known."""
        return {
            "calls": sum(self.outcomes.values()),
            "outcomes": dict(self.outcomes),
            "statuses": _by_status(self.statuses),
            "trunks": {name: _by_status(self.trunks[name]) for name in sorted(self.trunks)},
            "rates": self.rates(),
            "pdd_s": self.percentiles(),
            "mos": [
                {"scale": scale, "mean": float(np.mean(v)), "lowest": min(v), "count": len(v)}
                for scale, v in self.mos.items()
            ],
            "loss_share": {
                "mean": float(np.mean(self.losses)) if self.losses else None,
                "highest": max(self.losses, default=None),
            },
            "packets": {name: self.packets[name] for name in PACKETS},
        }


def _by_status(statuses: Counter[int]) -> dict[str, int]:
    return {str(status): count for status, count in sorted(statuses.items())}


def rows(tally: Tally, kept: Kept) -> Iterator[tuple[str, str]]:
    """Give the rows of the table, while calls are placed and at the end."""
    over = sum(tally.outcomes.values())
    held = f", {kept.held_back:,} held back" if kept.held_back else ""
    yield "Calls", f"{kept.placed:,} placed, {over:,} over, {kept.on_the_line:,} on the line{held}"
    if not over:
        return
    yield outcome_row(tally, kept)
    yield "Final statuses", _written(tally.statuses)
    if len(tally.trunks) > 1:
        for trunk in sorted(tally.trunks):
            yield f"  {trunk}", _written(tally.trunks[trunk])
    for name, value in tally.rates().items():
        yield name.upper(), "undefined" if value is None else f"{value:.2f} %"
    delays = [f"{name} {value:.3f} s" for name, value in tally.percentiles().items() if value is not None]
    yield "Post-dial delay", ", ".join(delays) or "not known"
    mos = [f"{np.mean(v):.2f} {scale} (lowest {min(v):.2f})" for scale, v in tally.mos.items()]
    yield "MOS", "; ".join(mos) or "not known"
    if tally.losses:
        mean, most = (plain_percent(round(x, 5)) for x in (float(np.mean(tally.losses)), max(tally.losses)))
        yield "Loss", f"{mean} on average, {most} at most"
        yield "Packets", ", ".join(f"{tally.packets[name]:,} {name}" for name in PACKETS)


def outcome_row(tally: Tally, kept: Kept) -> tuple[str, str]:
    """Give the row that says how calls came out."""
    over = sum(tally.outcomes.values())
    named = [(count, name.replace("_", " ")) for name, count in tally.outcomes.most_common()]
    told = ", ".join(f"{count:,} {name} ({100 * count / over:.1f} %)" for count, name in named)
    return "Outcomes", told or f"none yet of {kept.placed:,} calls"


def _written(statuses: Counter[int]) -> str:
    return ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items())) or "none"


def offered(shape: Shape, seconds: float | None) -> tuple[str, str]:
    """Give the row on what is offered, and for how long it has been; None: calls cannot be placed yet."""
    rate = f"{shape.calls_per_second:g} calls/s, at most {shape.at_once:,} at once"
    if seconds is None:
        return "Load", f"{rate}; workers are starting"
    if seconds >= shape.seconds:
        return "Load", f"{rate}; all were offered, the last are talked over"
    return "Load", f"{rate}; {seconds:.0f} of {shape.seconds:.0f} s"


def limits(tally: Tally, kept: Kept, shape: Shape) -> list[str]:
    """Say where the tool or the plan, rather than a carrier, was the limit."""
    found = []
    if tally.slots or kept.waits:
        found.append(
            f"the tool was the limit: {tally.slots:,} calls lost and {kept.waits:,} kept waiting for want of "
            "a free slot; calls that nobody answers hold theirs for 32 s"
        )
    if kept.latest > LATE:
        found.append(
            f"the tool was the limit: calls came up to {kept.latest:.2f} s late; use a faster machine"
        )
    if kept.held_back:
        found.append(
            f"--at-once {shape.at_once} was the limit: {kept.held_back:,} of {kept.due:,} calls were due "
            "while so many were on the line"
        )
    if tally.refusal is not None:
        found.append(f"the guard was the limit: {tally.refusal}")
    if kept.busy is not None and kept.busy >= BUSY and (tally.packets["lost"] or tally.packets["late"]):
        found.append(
            f"this machine was {100 * kept.busy:.0f} % busy: packets may have been lost or late for that"
        )
    return found


def table(found: Sequence[tuple[str, str]], notes: Sequence[str] = (), columns: int | None = None) -> str:
    """Write rows in two columns, with the notes below; lines have at most `columns`, None: any length."""
    width = max((len(name) for name, _ in found), default=0)
    lines = [(f"{name:<{width}}  ", text) for name, text in found] + [("NOTE: ", note) for note in notes]
    if columns is None:
        return "\n".join(first + text for first, text in lines)
    return "\n".join(
        textwrap.fill(text, max(columns, 40), initial_indent=first, subsequent_indent=" " * len(first))
        for first, text in lines
    )
