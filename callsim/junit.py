"""Verdicts as a JUnit file, which CI systems show."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from callsim import figures
from callsim.report import promised
from callsim.result import Result
from results.verdicts import Verdict


def junit(result: Result) -> bytes:
    """Return one test case per objective: a failure when breached, skipped when nothing is sure."""
    verdicts = [judgement.verdict for judgement in result.objectives]
    suite = ET.Element(
        "testsuite",
        name=result.scenario.name,
        tests=str(len(verdicts)),
        failures=str(verdicts.count(Verdict.BREACHED)),
        skipped=str(verdicts.count(Verdict.INCONCLUSIVE) + verdicts.count(None)),
        errors="0",
        time=f"{result.study.wall_s:.3f}",
    )
    kinds = {Verdict.BREACHED: "failure", Verdict.INCONCLUSIVE: "skipped"}
    for judgement in result.objectives:
        objective = judgement.objective
        name = f"{promised(objective)} a {judgement.window}"
        case = ET.SubElement(suite, "testcase", classname=f"callsim.{result.scenario.name}", name=name)
        if judgement.verdict is None:
            ET.SubElement(case, "skipped", message=f"not assessed: {judgement.why_not}")
        elif judgement.verdict in kinds:
            message = (
                f"{judgement.verdict.value}: kept in {figures.percent(judgement.met_share)} of "
                f"{judgement.window}s, wanted {figures.plain_percent(1 - objective.risk)}"
            )
            ET.SubElement(case, kinds[judgement.verdict], message=message)
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))
