"""A drill in which Kamailio fails over."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import callsim
from callsim.cli import main
from callsim.drill.comparing import Drill
from callsim.drill.kamailio import Proxy, configuration, policy_of_callers, translated
from callsim.drill.live import play_all
from callsim.drill.outcomes import courses
from callsim.drill.predicting import predict
from callsim.drill.proxied import ProxyStage, in_order, unannounced
from callsim.drill.stretch import Episode
from callsim.drill.tables import CannotDrillError, lab_tables
from callsim.exits import Exit
from carriers.policy import Order
from sim import Belief, GivenCall, GivenFault

JOINT = Path(__file__).with_name("joint.yaml")
FIVE_NINES = Path(__file__).parent.parent / "scenarios" / "five-nines.yaml"
FAULT = GivenFault(2.5, 7.4, 0, (0,), announced=True)
CALLS = tuple(GivenCall(at, 0.3) for at in (0.6, 2.9, 6.6, 9.8))
EPISODE = Episode("silent", (FAULT,), CALLS, 11.0, (0.0, 0.0), (), 1)
NEAR = 0.3


@pytest.fixture(scope="module")
def tables():
    return translated(lab_tables(callsim.load(JOINT), 1.0)[1])


@pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None or shutil.which("kamailio") is None,
    reason="pjsua2 or Kamailio is not installed",
)
def test_kamailio_fails_over_as_predicted(tables):
    episode = unannounced(EPISODE)
    ((played, real),) = asyncio.run(
        play_all(tables, [episode], [predict(tables, episode)], 1, 1, make=ProxyStage)
    )
    assert played.faults == episode.faults
    predicted = predict(tables, played)
    drill = Drill(tables, [played], [predicted], [real])
    assert len(drill.pairs) == len(CALLS)
    for pair in drill.pairs:
        if drill.nearest_change(pair) > NEAR + real.late:
            assert (pair.real.trunk, pair.real.attempts) == (pair.simulated.trunk, pair.simulated.attempts)
    (simulated,), (measured,) = courses(played, predicted), courses(played, real)
    assert measured.detected == pytest.approx(simulated.detected, abs=0.3 + 2 * real.late)
    # A ping that is under way as the fault ends is sent again, and may be answered.
    assert measured.recovered == pytest.approx(simulated.recovered, abs=1.3 + 2 * real.late)


def test_the_scenarios_settings_are_translated(tmp_path):
    policy = translated(lab_tables(callsim.load(FIVE_NINES), 10.0)[1]).routing
    assert (policy.failing_calls, policy.poor_calls, policy.health.hold_down) == (None, None, 0.0)
    text = configuration(policy, 5070, tmp_path / "list")
    for line in (
        'modparam("tm", "fr_timer", 2000)',
        'modparam("dispatcher", "ds_ping_interval", 3)',
        'modparam("dispatcher", "ds_probing_threshold", 3)',
        'modparam("dispatcher", "ds_inactive_threshold", 2)',
        'modparam("dispatcher", "ds_ping_reply_codes", "class=2")',
        't_set_fr("8000", "4000");',
        't_set_fr("60000");',
        "$avp(tries) >= 4",
        't_check_status("408|500|502|503|504")',
    ):
        assert line in text
    any_answer = replace(policy, health=replace(policy.health, any_answer_counts=True))
    assert '"class=2;class=3;class=4;class=5;class=6"' in configuration(any_answer, 5070, tmp_path / "list")
    callers = policy_of_callers(policy)
    assert (callers.max_attempts, callers.health) == (1, None)
    assert in_order(policy, (0, 1)) == [2, 3]


def test_what_kamailio_cannot_do_is_said(tables):
    weighted = replace(tables, routing=replace(tables.routing, order=Order.WEIGHTED))
    with pytest.raises(CannotDrillError, match="not by weight"):
        translated(weighted)
    with pytest.raises(CannotDrillError, match=r"needs `routing\.health`"):
        translated(replace(tables, routing=replace(tables.routing, health=None)))


def test_what_it_says_is_noted():
    proxy = Proxy("sip:127.0.0.1:5070", {"sip:127.0.0.1:5061": 0, "sip:127.0.0.1:5062": 1})
    lines = (
        "ALERT: <script>: DRILL ping sip:127.0.0.1:5061",
        "ALERT: <script>: DRILL try abc@host sip:127.0.0.1:5061",
        "ALERT: <script>: DRILL try abc@host sip:127.0.0.1:5062",
        "ALERT: <script>: DRILL down <null> sip:127.0.0.1:5061",
        "ERROR: something else",
        "ALERT: <script>: DRILL up sip:127.0.0.1:5061 sip:127.0.0.1:5061",
    )

    async def scene():
        output = asyncio.StreamReader()
        output.feed_data("".join(f"{line}\n" for line in lines).encode())
        output.feed_eof()
        await proxy.follow(output)

    asyncio.run(scene())
    assert proxy.tries == {"abc@host": [0, 1]}
    assert [(b.trunk, b.up) for b in proxy.beliefs] == [(0, False), (0, True)]
    proxy.pings[:] = [10.0, 13.0, 16.0]
    assert proxy.phase(start=11.5, before=14.0, every=3.0) == pytest.approx(1.5)
    assert proxy.beliefs[0] == Belief(proxy.beliefs[0].at, 0, False)


def test_without_kamailio_it_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("callsim.drill.command.require_live", lambda: None)
    result = CliRunner().invoke(main, ["drill", str(FIVE_NINES), "--carriers", "kamailio"])
    assert result.exit_code == Exit.NOT_LIVE
    assert "Debian's package" in result.output
