"""The live commands end to end, over carriers of a lab."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callsim import cli

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed")

PLAN = Path(__file__).parent.parent / "scenarios" / "plans" / "lab.yaml"
KEYS = {
    "call_id", "to", "outcome", "class", "started_at", "sip_status", "q850_cause", "reason", "attempts",
    "pdd_s", "setup_s", "talk_s", "hung_up_by", "codec", "rtp", "audio", "mos", "mos_lqo", "sources", "trace",
}  # fmt: skip


def callsim(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(word) for word in words])


def test_a_call_is_placed_measured_and_told():
    ran = callsim("call", "--lab", "--talk", "2s", "--json", "-")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert set(told) == KEYS
    assert (told["outcome"], told["hung_up_by"], told["codec"]) == ("answered", "us", "PCMU")
    assert told["talk_s"] == pytest.approx(2.0, abs=0.5)
    assert told["rtp"]["received"] > 50
    assert told["audio"]["two_way"] is True
    assert told["mos"]["value"] > 4.0
    assert told["trace"].startswith("=== 1. atlantic/1\n--- 0.000 s, sent to")


def test_a_number_that_is_not_listed_is_refused():
    ran = callsim("call", "+13125550100", "--plan", PLAN, "--lab", "--json", "-")
    assert ran.exit_code == 5, ran.output
    assert json.loads(ran.stdout)["outcome"] == "refused_by_guard"


def test_too_few_ports_for_a_load_are_the_plans_fault(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        PLAN.read_text().replace("at_once: 2", "at_once: 5") + "rtp_ports: {first: 30000, count: 8}\n"
    )
    words = ("--calls-per-second", 1, "--at-once", 5, "--for", "1s")
    ran = callsim("load", plan, "--lab", *words)
    assert (ran.exit_code, ran.stderr.strip()) == (
        2,
        "lab: rtp_ports: 8 are too few for 2 workers with 8 each",
    ), ran.output


def test_every_test_of_the_labs_plan_passes():
    ran = callsim("probe", PLAN, "--lab", "--quiet")
    assert (ran.exit_code, ran.stdout) == (0, "4 of 4 tests passed\n"), ran.output


def test_a_load_is_placed_and_rated():
    words = ("--calls-per-second", 4, "--at-once", 8, "--for", "2s", "--talk", "1s")
    ran = callsim("load", "--lab", *words, "--json", "-")
    told = json.loads(ran.stdout)
    # A busy machine may place some late, which is then the verdict.
    late = [note for note in told["limits"] if "s late" in note]
    assert (ran.exit_code, told["limits"]) == ((3, late) if late else (0, [])), ran.output
    assert (told["placed"], told["outcomes"], told["statuses"]) == (8, {"answered": 8}, {"200": 8})
    assert (told["rates"]["asr"], told["rates"]["isa"]) == (100.0, 0.0)
