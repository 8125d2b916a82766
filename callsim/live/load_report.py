"""What a load test has found so far, counted as its calls end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from callgen.load import Kept, Shape
from callgen.rates import rates_of
from callsim.figures import plain_percent
from callsim.live.judging import Call, loss_of

PERCENTILES = (50, 95, 99)
FEWEST = {50: 2, 95: 20, 99: 100}
"""Values below which a percentile is only the largest of them."""
LATE = 0.2
"""Seconds by which a call may be late before the tool counts as too slow."""
RATES = ("asr", "ner", "ser", "seer", "isa")


class Tally:
    """Figures of the calls that have ended; durations in seconds, shares of 1, rates in percent."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        """Final status of every INVITE."""
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
        self.statuses.update(a["sip_status"] for a in call["attempts"] if a["sip_status"] is not None)
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
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
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
        }


def rows(tally: Tally, kept: Kept) -> Iterator[tuple[str, str]]:
    """Give the rows of the table, while calls are placed and at the end."""
    over = sum(tally.outcomes.values())
    held = f", {kept.held_back:,} held back" if kept.held_back else ""
    yield "Calls", f"{kept.placed:,} placed, {over:,} over, {kept.on_the_line:,} on the line{held}"
    named = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in tally.outcomes.most_common())
    yield "Outcomes", named or "none yet"
    statuses = ", ".join(f"{count:,} x {status}" for status, count in sorted(tally.statuses.items()))
    yield "Final statuses", statuses or "none yet"
    for name, value in tally.rates().items():
        yield name.upper(), "undefined" if value is None else f"{value:.2f} %"
    delays = [f"{name} {value:.3f} s" for name, value in tally.percentiles().items() if value is not None]
    yield "Post-dial delay", ", ".join(delays) or "not known"
    mos = [f"{np.mean(v):.2f} {scale} (lowest {min(v):.2f})" for scale, v in tally.mos.items()]
    yield "MOS", "; ".join(mos) or "not known"
    if tally.losses:
        mean, most = (plain_percent(round(x, 5)) for x in (float(np.mean(tally.losses)), max(tally.losses)))
        yield "Loss", f"{mean} on average, {most} at most"


def limits(tally: Tally, kept: Kept, shape: Shape, waits: int) -> list[str]:
    """Say where the tool or the plan, rather than a carrier, was the limit."""
    found = []
    if tally.slots or waits:
        found.append(
            f"the tool was the limit: {tally.slots:,} calls lost and {waits:,} kept waiting for want of a "
            "free slot; calls that nobody answers hold theirs for 32 s"
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
    return found


def table(found: Sequence[tuple[str, str]]) -> str:
    """Write rows in two columns."""
    width = max(len(name) for name, _ in found)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in found)
