"""MOS-LQO: what comes back of speech against what was played."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from callgen.endpoint import listening
from callgen.endpoint.listening import SCALE, SOURCE, can_listen, listen
from callgen.lab.impairment import LabFault
from callgen.lab.lab import lab_of
from callgen.measures.rating import Mos
from callgen.messages import Answers, Audio
from callgen.signals import signal
from callsim import cli
from callsim.live import call_command, setup
from callsim.live import desk as desks
from callsim.live.desk import Desk, Errand, lab_plan
from callsim.live.judging import judge
from callsim.plan.model import Expect, Plan

NUMBER = "+12025550100"
needs_visqol = pytest.mark.skipif(
    not can_listen(), reason="ViSQOL is not installed: pip install 'callsim[audio]'"
)
needs_pjsua2 = pytest.mark.skipif(setup.find_spec("pjsua2") is None, reason="pjsua2 is not installed")


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


# ---- without ViSQOL


class Line:
    """Answers, and says what was to be recorded."""

    def __init__(self, outcome="answered"):
        self.outcome = outcome

    async def line(self):
        return self

    async def call(self, number, talk, rng, *, audio, codecs):
        del number, talk, rng, codecs
        self.stem = audio.record
        return self

    def to_json(self):
        return {"outcome": self.outcome}


@pytest.fixture
def scored(monkeypatch):
    """Score every recording 4.2, and note its stem."""
    stems = []

    async def listen(stem):
        assert Path(stem).parent.is_dir()
        stems.append(stem)
        return Mos(4.2, SCALE, SOURCE)

    monkeypatch.setattr(desks, "listen", listen)
    return stems


def placed(line, **more):
    desk = Desk(lab_plan(NUMBER, 1), line, None, np.random.default_rng(0), desks.Counters())
    record = asyncio.run(desk.call(Errand(NUMBER, None, 1.0, Audio("speech", "echo", **more), lqo=True)))
    desk.counters.close()
    return record


def test_an_answered_call_is_recorded_scored_and_its_recordings_are_dropped(scored):
    line = Line()
    assert placed(line)["mos_lqo"] == {"value": 4.2, "scale": SCALE, "source": SOURCE}
    assert scored == [line.stem]
    assert not Path(line.stem).parent.exists()


def test_recordings_that_are_asked_for_are_kept_where_they_are(scored, tmp_path):
    placed(Line(), record=str(tmp_path / "call"))
    assert scored == [str(tmp_path / "call")]
    assert tmp_path.is_dir()


def test_a_call_that_is_not_answered_has_no_score(scored):
    assert placed(Line("busy"))["mos_lqo"] is None
    assert scored == []


@pytest.mark.parametrize(
    ("lqo", "found", "kept"),
    [
        ({"value": 3.5, "scale": SCALE, "source": SOURCE}, f"3.50 MOS-LQO, {SOURCE}", True),
        ({"value": 3.49, "scale": SCALE, "source": SOURCE}, f"3.49 MOS-LQO, {SOURCE}", False),
        (None, "not measured", False),
    ],
)
def test_the_score_is_judged(lqo, found, kept):
    call = {"outcome": "answered", "sip_status": 200, "reason": "OK", "mos_lqo": lqo}
    _, check = judge(Expect.model_validate({"mos_lqo_at_least": 3.5}), call)
    assert (check.wanted, check.found, check.kept) == ("at least 3.50", found, kept)


def test_without_visqol_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(call_command, "require_live", lambda: None)
    monkeypatch.setattr(setup, "can_listen", lambda: False)
    ran = CliRunner().invoke(cli.main, ["call", "--lab", "--lqo", "--play", "speech"])
    assert ran.exit_code == 4
    assert "MOS-LQO needs ViSQOL, which is not installed here: pip install 'callsim[audio]'" in ran.output
    ran = CliRunner().invoke(cli.main, ["call", "--lab", "--lqo"])
    assert ran.exit_code == 2
    assert "--lqo needs speech: --play speech, or a WAV file of it" in ran.output


def test_what_cannot_be_scored_has_no_score(monkeypatch, tmp_path):
    assert asyncio.run(listen(str(tmp_path / "nothing"))) is None
    monkeypatch.setattr(listening, "PATIENCE", 0.0)
    assert asyncio.run(listen(str(tmp_path / "nothing"))) is None


# ---- with it


@needs_visqol
@needs_pjsua2
def test_loss_is_heard():
    async def scene(loss):
        async with lab_of(("a",), Answers()) as carriers:
            await carriers["a"].play(LabFault("impaired", loss=loss))
            trunk = {"carrier": "a", "uri": carriers["a"].uri}
            guard = {"allow": [NUMBER], "at_once": 1, "calls_per_day": 9}
            plan = Plan.model_validate({"name": "lqo", "trunks": [trunk], "guard": guard})
            async with desks.desk_of(plan, Path(), at_once=1, in_lab=True) as desk:
                return await desk.call(Errand(NUMBER, None, 4.0, Audio("speech", "echo"), lqo=True))

    async def both():
        return await asyncio.gather(scene(0.0), scene(0.1))

    clean, lossy = (record["mos_lqo"]["value"] for record in asyncio.run(both()))
    assert clean > 4.5
    assert 1.0 <= lossy < clean - 0.2


@needs_visqol
@pytest.mark.parametrize("heard", ["silence", "tone"])
def test_what_is_not_speech_scores_low(tmp_path, heard):
    for way, sound in (("sent", "speech"), ("heard", heard)):
        write(tmp_path / f"call-{way}.wav", np.resize(signal(sound, 8000), 24_000))
    found = asyncio.run(listen(str(tmp_path / "call")))
    assert found is None or found.value < 2.5
