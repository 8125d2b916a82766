"""Probes as a person, and as a CI system, reads them."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from callsim.live.call_report import headline
from callsim.live.probing import Probed

KINDS = {"FAILED": "failure", "REFUSED": "error", "NOT TESTED": "error"}


def summary(probed: Sequence[Probed], wanted: int) -> str:
    """Say in one sentence how many tests passed."""
    passed = sum(one.passed for one in probed)
    text = f"{passed} of {wanted} tests passed"
    worst = [one for one in probed if not one.passed]
    if worst:
        text += ": " + ", ".join(f"{_name(one)} {one.verdict}" for one in worst)
    if len(probed) < wanted:
        text += f" (PARTIAL: interrupted after {len(probed)})"
    return text


def told(one: Probed) -> str:
    """Write a test with its expectations, line by line; earlier tries in one line each."""
    lines = [f"{one.verdict} {_name(one)}"]
    for number, attempt in enumerate(one.tries, start=1):
        last = number == len(one.tries)
        again = f"try {number} of {len(one.tries)}: " if len(one.tries) > 1 else ""
        lines.append(f"  {again}{headline(attempt.call)}")
        for check in attempt.checks:
            if last or not check.kept:
                mark = "kept  " if check.kept else "BROKEN"
                lines.append(f"    {mark} {check.name}: wanted {check.wanted}, found {check.found}")
    call = one.counted.call
    if one.verdict == "FAILED" and call["trace"]:
        lines += ["    SIP trace", *(f"      {line}" for line in call["trace"].splitlines())]
    return "\n".join(lines)


def junit(name: str, probed: Sequence[Probed]) -> bytes:
    """Return one test case for each test over each trunk; what could not be tested is an error."""
    verdicts = [one.verdict for one in probed]
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(probed)),
        failures=str(verdicts.count("FAILED")),
        errors=str(verdicts.count("REFUSED") + verdicts.count("NOT TESTED")),
        skipped="0",
    )
    for one in probed:
        seconds = sum(a["seconds"] or 0.0 for t in one.tries for a in t.call["attempts"])
        case = ET.SubElement(
            suite, "testcase", classname=f"callsim.{name}", name=_name(one), time=f"{seconds:.3f}"
        )
        if one.verdict in KINDS:
            last = one.counted
            broken = [f"{c.name}: wanted {c.wanted}, found {c.found}" for c in last.checks if not c.kept]
            message = "; ".join(broken) or headline(last.call)
            found = ET.SubElement(case, KINDS[one.verdict], message=_plain(message))
            found.text = _plain(last.call["trace"] or "")
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))


def _plain(text: str) -> str:
    """Leave out what XML 1.0 cannot hold; a hostile answer may have it."""
    return "".join(c for c in text if c in "\t\n" or c.isprintable())


def _name(one: Probed) -> str:
    return f"{one.leg.test.name} over {one.leg.over}"
