"""What calls play, together with what can be told from what comes back.

Samples are float arrays of one channel, with 1.0 at overload; `rate` is in samples per second.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callgen.messages import Heard

Samples = NDArray[np.float64]

FRAME = 0.02
"""Seconds over which levels are taken."""
SILENCE_DBOV = -50.0
"""Levels below are silence: above comfort noise (RFC 3389), and below speech at its quietest."""
LEVEL = 0.2
"""Peak of what is played: -17 dBov for the tone, about where speech is on networks."""
HOP, HOPS = 0.05, 128
"""Seconds for which the tone keeps a frequency, and how many there are before it begins again."""
WINDOW, REACH = 0.4, 2.0
"""Seconds of sound that are sought in what was sent, up to so long ago."""
WINDOWS = 12
"""Windows in which an echo is sought, spread over what was heard: each costs a millisecond."""
ALIKE = 0.5
"""Correlation from which a sound is taken for another one's echo."""
LISTENED = 1.0
"""Seconds without sound after which a call's answer is taken for a false one."""


@cache
def signal(name: str, rate: int) -> Samples:
    """Give what `tone`, `speech`, `silence` or the path of a WAV file stands for; it is played in a loop.

    Raises ValueError where the file cannot be read or is not 16-bit PCM.
    """
    match name:
        case "tone":
            return hopping_tone(rate)
        case "speech":
            return composite_source(rate)
        case "silence":
            return np.zeros(rate)
    return read_wav(Path(name), rate)


def hopping_tone(rate: int) -> Samples:
    """Make a tone of steady level whose frequency hops, so that its echo can be told from any other part."""
    # A steady tone is like itself a millisecond later; one in bursts is silent in between.
    frequency = np.random.default_rng(1020).uniform(400.0, 3000.0, HOPS).repeat(round(HOP * rate))
    return np.asarray(LEVEL * np.sin(2 * np.pi * np.cumsum(frequency) / rate))


def composite_source(rate: int) -> Samples:
    """Make a signal like speech: voiced sound, noise and a pause, as in ITU-T P.501, 7.2.1 (CSS)."""
    rng = np.random.default_rng(501)
    spans = 0.04862, 0.2, 0.10138
    voiced, noise, pause = (round(s * rate) for s in spans)
    parts = []
    for turn in range(32):
        pitch = rng.uniform(100.0, 220.0)
        at = np.arange(voiced) / rate
        harmonics = np.arange(1, int(3400 / pitch) + 1)
        buzz = (np.cos(2 * np.pi * pitch * at[:, None] * harmonics) / harmonics).sum(axis=1)
        # Speech falls by some 6 dB an octave; a running mean of white noise does about that.
        hiss = np.convolve(rng.standard_normal(noise + 3), np.ones(4) / 4, "valid")
        sound = np.concatenate([buzz / np.abs(buzz).max(), hiss / np.abs(hiss).max()])
        parts += [sound * (-1) ** turn, np.zeros(pause)]
    return LEVEL * np.concatenate(parts)


def read_wav(path: Path, rate: int) -> Samples:
    """Read the first channel of a 16-bit PCM file, at this rate; raises ValueError."""
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise ValueError(f"{path} has {8 * file.getsampwidth()} bits a sample, not 16")
            channels, own = file.getnchannels(), file.getframerate()
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")[::channels] / 32768.0
    except (OSError, EOFError, wave.Error) as error:
        raise ValueError(f"{path} cannot be read as WAV: {error}") from None
    if not raw.size:
        raise ValueError(f"{path} holds no sound")
    wanted = np.arange(int(raw.size * rate / own)) * own / rate
    return np.asarray(np.interp(wanted, np.arange(raw.size), raw))


def pcm(samples: Samples) -> bytes:
    """Give 16-bit little-endian samples."""
    return bytes(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes())


def powers(samples: Samples, rate: int) -> Samples:
    """Give the mean square of each whole frame of 20 ms."""
    length = round(FRAME * rate)
    whole = samples[: samples.size // length * length].reshape(-1, length)
    return np.asarray((whole**2).mean(axis=1))


def likeness(heard: Samples, reference: Samples) -> tuple[float, int]:
    """Find where `heard` is most like a stretch of a longer `reference`.

    Returns the correlation there (0 to 1, whatever the sign) and the index in `reference`.
    """
    size = 1 << (reference.size + heard.size).bit_length()
    product = np.fft.rfft(reference, size) * np.conj(np.fft.rfft(heard, size))
    last = reference.size - heard.size + 1
    correlation = np.abs(np.fft.irfft(product, size)[:last])
    energy = np.concatenate([[0.0], np.cumsum(reference**2)])
    # A floor 60 dB below the signal keeps stretches of silence from being like anything.
    norm = np.sqrt(np.maximum(energy[heard.size :] - energy[:last], 1e-6 * energy[-1]) * (heard**2).sum())
    best = int(np.argmax(correlation / np.maximum(norm, 1e-12)))
    return float(correlation[best] / max(norm[best], 1e-12)), best


def echo_delay(heard: Samples, sent: Samples, offset: int, rate: int) -> float | None:
    """Find how much later `heard` brings back `sent`, in seconds; None where it does not.

    `offset` is the sample of `sent`, which loops, that went out as the first of `heard` came in.
    """
    window, reach = round(WINDOW * rate), round(REACH * rate)
    starts = range(0, heard.size - window + 1, window)
    loud = [s for s in starts if (heard[s : s + window] ** 2).mean() >= 10 ** (SILENCE_DBOV / 10)]
    delays = []
    for start in loud[:: -(-len(loud) // WINDOWS) or 1]:
        piece = heard[start : start + window]
        played = np.arange(offset + start - reach, offset + start + window)
        ago = sent[played % sent.size] * (played >= 0)
        alike, best = likeness(piece, ago)
        if alike >= ALIKE:
            delays.append((reach - best) / rate)
    return float(np.median(delays)) if delays else None


def found(heard: Samples, sought: Samples) -> float:
    """Say how much a stretch of `heard` is like `sought`: the best correlation, from 0 to 1."""
    if heard.size < sought.size:
        heard, sought = sought, heard
    return likeness(sought, heard)[0] if sought.size else 0.0


def judge(
    levels: Sequence[float],
    *,
    echo: float | None,
    far_receives: bool | None,
    dtmf: str | None,
    like: float | None,
) -> Heard:
    """Say what was heard from the mean squares of its 20 ms frames since the answer; NaN: not to be judged.

    `far_receives` is what the far end's RTCP says of what we send; None where none came.
    """
    power = np.asarray(levels, dtype=float)
    loud = power >= 10 ** (SILENCE_DBOV / 10)
    judged = int(np.isfinite(power).sum())
    sound = bool(loud.any())
    arrives = True if echo is not None else far_receives
    listened = judged * FRAME >= LISTENED
    return Heard(
        two_way=(arrives if sound else False) if sound or listened else None,
        silence_share=float(1 - loud.sum() / judged) if judged else None,
        echo_delay=echo,
        dtmf=dtmf,
        level_dbov=float(10 * np.log10(power[loud].mean())) if sound else None,
        first_sound=float(np.argmax(loud) * FRAME) if sound else None,
        false_answer=listened and not sound,
        likeness=like,
    )
