"""What is played, and what is told from what comes back: signals of known delay, loss and level."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from callgen.messages import Heard
from callgen.signals import FRAME, LEVEL, echo_delay, found, judge, pcm, powers, signal

RATE = 8000


def loop(sound, start, seconds):
    return sound[np.arange(start, start + int(seconds * RATE)) % sound.size]


@pytest.mark.parametrize("name", ["tone", "speech"])
@pytest.mark.parametrize("delay", [0.0, 0.0213, 0.35, 1.9])
def test_an_echo_is_found_within_a_millisecond(name, delay):
    rng = np.random.default_rng(1)
    sound = signal(name, RATE)
    offset = 4 * RATE
    late = round(delay * RATE)
    heard = 0.1 * loop(sound, offset - late, 4.0) + 0.002 * rng.standard_normal(4 * RATE)
    for frame in rng.integers(0, 200, 10):  # 5 % of the packets are lost
        heard[frame * 160 : (frame + 1) * 160] = 0.0
    assert echo_delay(heard, sound, offset, RATE) == pytest.approx(delay, abs=1e-3)


def test_an_echo_that_comes_late_in_a_long_call_is_found_too():
    tone = signal("tone", RATE)
    heard = np.concatenate([np.zeros(20 * RATE), 0.1 * loop(tone, 20 * RATE - 800, 10.0)])
    assert echo_delay(heard, tone, 0, RATE) == pytest.approx(0.1, abs=1e-3)


def test_what_was_not_sent_is_no_echo():
    rng = np.random.default_rng(2)
    tone, speech = signal("tone", RATE), signal("speech", RATE)
    noise = 0.1 * rng.standard_normal(4 * RATE)
    for heard in (noise, loop(speech, 0, 4.0), np.zeros(4 * RATE), 0.1 * np.sin(np.arange(4 * RATE) * 0.8)):
        assert echo_delay(heard, tone, 4 * RATE, RATE) is None
    # What will be sent later is no echo either.
    assert echo_delay(loop(tone, 3 * RATE, 2.0), tone, 0, RATE) is None


def test_signals_have_the_level_that_they_should():
    assert np.abs(signal("tone", RATE)).max() == pytest.approx(LEVEL, rel=0.01)
    assert np.abs(signal("speech", 16000)).max() == pytest.approx(LEVEL, rel=0.01)
    assert not signal("silence", RATE).any()
    # The tone is never silent; in the speech there are pauses.
    loud = [powers(signal(name, RATE), RATE) > 1e-5 for name in ("tone", "speech")]
    assert loud[0].all()
    assert 0.1 < 1 - loud[1].mean() < 0.5
    assert np.frombuffer(pcm(np.array([2.0, -2.0, 0.5])), "<i2").tolist() == [32767, -32768, 16384]


def test_a_file_is_read_at_another_rate_or_refused(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 16000, 0, "NONE", ""))
        left = 0.5 * np.sin(2 * np.pi * 400 * np.arange(16000) / 16000)
        file.writeframes(pcm(np.column_stack([left, np.zeros(16000)]).ravel()))
    read = signal(str(path), RATE)
    assert read == pytest.approx(0.5 * np.sin(2 * np.pi * 400 * np.arange(RATE) / RATE), abs=1e-3)
    assert found(np.concatenate([np.zeros(777), read, np.zeros(99)]), read) == pytest.approx(1.0)
    path.with_suffix(".txt").write_text("no sound")
    with pytest.raises(ValueError, match=r"a\.txt cannot be read as WAV"):
        signal(str(path.with_suffix(".txt")), RATE)
    with pytest.raises(ValueError, match=r"none\.wav cannot be read as WAV"):
        signal(str(tmp_path / "none.wav"), RATE)


LOUD, QUIET, SKIPPED = 0.01, 1e-7, float("nan")


@pytest.mark.parametrize(
    ("levels", "echo", "far_receives", "expected"),
    [
        ([QUIET] * 10 + [LOUD] * 90, None, True, Heard(True, 0.1, None, None, -20.0, 0.2, False)),
        ([LOUD] * 100, 0.1, None, Heard(True, 0.0, 0.1, None, -20.0, 0.0, False)),
        ([LOUD] * 100, None, None, Heard(None, 0.0, None, None, -20.0, 0.0, False)),
        ([LOUD] * 100, None, False, Heard(False, 0.0, None, None, -20.0, 0.0, False)),
        ([QUIET] * 100, None, True, Heard(False, 1.0, None, None, None, None, True)),
        ([QUIET] * 10, None, True, Heard(None, 1.0, None, None, None, None, False)),
        ([SKIPPED] * 50 + [LOUD] * 50, None, True, Heard(True, 0.0, None, None, -20.0, 1.0, False)),
        ([], None, None, Heard(None, None, None, None, None, None, False)),
    ],
    ids=["two-way", "echo", "unknown", "one-way", "false answer", "too short", "skipped", "nothing"],
)
def test_what_was_heard_is_judged(levels, echo, far_receives, expected):
    heard = judge(levels, echo=echo, far_receives=far_receives, dtmf=None, like=None)
    for name in Heard.__slots__:
        value, wanted = getattr(heard, name), getattr(expected, name)
        assert value == (pytest.approx(wanted) if isinstance(wanted, float) else wanted), name
    assert pytest.approx(0.02) == FRAME
