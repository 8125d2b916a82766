"""What a person reads of a drill, and what a program does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from callsim.drill.comparing import CONFIDENCE, Counted, Drill, Pair, Timed
from callsim.drill.outcomes import Course, Fate
from callsim.exits import Exit

FORMAT = 1
VERDICTS = {Exit.MET: "AS PREDICTED", Exit.BREACHED: "DIFFERS", Exit.INCONCLUSIVE: "TOO FEW TO SAY"}
SHOWN = 4
"""Calls that fared otherwise, of which a line is printed."""
TELLING = 10
"""Repetitions that are advised where few look different."""
LATE = 0.2
"""Seconds that our own clock may be late before it is said."""


def headline(drill: Drill) -> str:
    """Say it in one line."""
    found = drill.as_predicted
    if found.value is None or found.low is None or found.high is None:
        return f"no call was placed: {VERDICTS[Exit.INCONCLUSIVE]}"
    kept = sum(pair.same for pair in drill.pairs)
    return (
        f"{kept} of {found.count} calls went as predicted, {100 * found.value:.1f} % "
        f"({100 * found.low:.1f} to {100 * found.high:.1f} %): {VERDICTS[drill.verdict]}"
    )


def lines(drill: Drill) -> Iterator[str]:
    """Say it with the tests, and with every fault."""
    yield headline(drill)
    yield ""
    yield f"{'calls':24}{'simulated':>10}{'real':>7}{'only sim.':>11}{'only real':>11}{'p':>7}"
    for test in drill.tests:
        if isinstance(test, Counted):
            row = f"{test.simulated:10}{test.real:7}{test.only_simulated:11}{test.only_real:11}"
            yield f"{test.name:24}{row}{test.adjusted:7.2f}{_mark(test)}"
    yield f"{'times (s)':24}{'simulated':>10}{'real':>7}{'difference':>26}{'pairs':>7}"
    for test in drill.tests:
        if isinstance(test, Timed) and test.pairs:
            row = f"{_s(test.simulated):>10}{_s(test.real):>7}{_difference(test):>26}{test.pairs:7}"
            yield f"{test.name:24}{row}{_mark(test)}"
    for row_of in drill.told:
        if row_of.pairs:
            row = f"{_s(row_of.simulated):>10}{_s(row_of.real):>7}{_difference(row_of):>26}{row_of.pairs:7}"
            yield f"{row_of.name:24}{row}  (not judged)"
    yield ""
    width = max((len(cause) for cause, _, _ in drill.faults), default=5) + 1
    columns = ("detected", "failed over", "recovered")
    yield "".join([f"{'fault':{width}}", *(f"{name:>14}" for name in columns), f"{'lost':>8}{'dropped':>9}"])
    for cause, a, b in drill.faults:
        yield f"{cause:{width}}{_course(a, b)}"
    yield from _notes(drill)


def _course(a: Course, b: Course) -> str:
    times = ((a.detected, b.detected), (a.failed_over, b.failed_over), (a.recovered, b.recovered))
    texts = [f"{_beside(one, other):>14}" for one, other in times]
    return "".join([*texts, f"{f'{a.lost}/{b.lost}':>8}{f'{a.dropped}/{b.dropped}':>9}"])


def _beside(simulated: float | None, real: float | None) -> str:
    return "-" if simulated is None and real is None else f"{_s(simulated)}/{_s(real)}"


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _difference(test: Timed) -> str:
    if test.difference is None:
        return "-"
    if test.low is None or test.high is None:
        return f"{test.difference:+.3f}"
    return f"{test.difference:+.3f} ({test.low:+.3f} to {test.high:+.3f})"


def _mark(test: Counted | Timed) -> str:
    return "  differs" if test.differs else ""


def _notes(drill: Drill) -> Iterator[str]:
    times = f"times may differ by {drill.within:g} s on average"
    yield f"Simulated/real. p: McNemar's exact test, by Holm; {times}."
    for test in drill.unsure:
        yield (
            f"{test.name.capitalize()} looks different, by {test.difference:+.1f} s, "
            f"over too few faults to be sure: --repeat {TELLING} would tell."
        )
    apart = [pair for pair in drill.pairs if not pair.same]
    for pair in apart[:SHOWN]:
        name = drill.episodes[pair.episode].name
        yield (
            f"  {name}, call {pair.number + 1}: {_told(drill, pair.simulated)} simulated, "
            f"{_told(drill, pair.real)} real; {drill.nearest_change(pair):.2f} s from a change"
        )
    if len(apart) > SHOWN:
        yield f"  and {len(apart) - SHOWN} more, which --json has"
    if drill.lost_by_tool:
        yield f"{drill.lost_by_tool} calls were lost by our own processes and are left out."
    late = max((account.late for account in drill.real), default=0.0)
    if late > LATE:
        yield f"This machine was up to {late:.1f} s late: times tell less."


def _told(drill: Drill, fate: Fate) -> str:
    assert drill.tables.routing is not None  # the tables of a lab have one
    return f"{fate.status}" if fate.trunk is None else drill.tables.routing.trunks[fate.trunk].name


# ---- JSON


def to_json(drill: Drill, scenario: str, scenario_hash: str, seed: int, pace: float) -> dict[str, Any]:
    """Return the JSON contract; times in seconds, null is what is not known or did not happen."""
    from callsim import __version__  # noqa: PLC0415 - the package imports this module's users

    return {
        "format": FORMAT,
        "callsim": __version__,
        "scenario": scenario,
        "scenario_hash": scenario_hash,
        "seed": seed,
        "pace": pace,
        "verdict": VERDICTS[drill.verdict].lower().replace(" ", "_"),
        "as_predicted": drill.as_predicted.to_json(),
        "lost_by_tool": drill.lost_by_tool,
        "confidence": CONFIDENCE,
        "tests": [_test(test) for test in drill.tests],
        "told": [_test(test) for test in drill.told],
        "faults": [
            {"cause": cause, "simulated": asdict(simulated), "real": asdict(real)}
            for cause, simulated, real in drill.faults
        ],
        "episodes": [
            {
                "name": episode.name,
                "seconds": episode.length,
                "late_s": account.late,
                "calls": [_pair(drill, pair) for pair in drill.pairs if pair.episode == number],
            }
            for number, (episode, account) in enumerate(zip(drill.episodes, drill.real, strict=True))
        ],
    }


def _test(test: Counted | Timed) -> dict[str, Any]:
    return {"kind": "count" if isinstance(test, Counted) else "time", **asdict(test), "differs": test.differs}


def _pair(drill: Drill, pair: Pair) -> dict[str, Any]:
    found: dict[str, Any] = {"at_s": pair.simulated.at, "as_predicted": pair.same}
    for side, fate in (("simulated", pair.simulated), ("real", pair.real)):
        found[side] = {
            "trunk": None if fate.trunk is None else _told(drill, fate),
            "sip_status": fate.status,
            "attempts": fate.attempts,
            "pdd_s": fate.delay,
            "dropped": fate.dropped,
            "mos": fate.mos,
            "one_way": fate.one_way,
        }
    return found
