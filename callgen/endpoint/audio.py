"""The mouth of a call, which is its ear as well: one port of pjsua2's bridge."""

from __future__ import annotations

import ctypes
import math
import threading
import time
import wave
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pjsua2 as pj

from callgen.messages import Audio, Heard
from callgen.signals import FRAME, Samples, echo_delay, found, judge, pcm, powers, signal

BLOCK = 0.2
"""Seconds that the bridge hands over at once: each time costs 0.1 ms of a core, for either way."""
BLOCKS = 10
"""Blocks that are looked at together, which costs little more than one alone."""
KEPT = 30.0
"""Seconds after the answer in which an echo is sought; later ones change little, and cost memory."""
WIDE = {"g722", "l16", "speex"}
"""Codecs that carry more than 4 kHz."""


def rate_for(codecs: tuple[str, ...]) -> int:
    """Choose the bridge's samples per second: what the codecs need, since resampling costs time."""
    return 16_000 if WIDE & {codec.lower() for codec in codecs} else 8_000


@dataclass
class _Recording:
    """WAV files of both directions."""

    stem: str
    rate: int
    files: dict[str, wave.Wave_write] = field(default_factory=dict)

    def open(self) -> None:
        for way in ("sent", "heard"):
            # Closed when the call ends, since another thread writes to it until then.
            file = wave.open(f"{self.stem}-{way}.wav", "wb")  # noqa: SIM115 - see above
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            self.files[way] = file

    def write(self, way: str, block: bytes) -> None:
        self.files[way].writeframesraw(block)

    def close(self) -> tuple[str, ...]:
        for file in self.files.values():
            file.close()
        return tuple(f"{self.stem}-{way}.wav" for way in self.files)


class Port(pj.AudioMediaPort):  # type: ignore[misc]  # pjsua2 has no types
    """Plays a signal in a loop, and keeps what comes back; `begin` makes it ready for a call.

    The bridge calls it in its own thread. So a port is made once and used again: to destroy it while that
    thread runs would be a race.
    """

    def __init__(self, rate: int, failed: Callable[[str], None]) -> None:
        super().__init__()
        self.rate = rate
        self._failed = failed
        self._size = round(BLOCK * rate) * 2
        self._recording: _Recording | None = None
        self._lock = threading.Lock()
        self._begun = False
        self._apart = True
        """Whether the blocks that come are out of step with those before."""
        self._stale = False
        """Whether the next block can begin with the last call's end."""
        layout = pj.MediaFormatAudio()
        layout.init(pj.PJMEDIA_FORMAT_PCM, rate, 1, round(BLOCK * 1e6), 16)
        self.createPort("callsim", layout)

    def begin(self, audio: Audio) -> None:
        """Start over, for a call with this audio; raises ValueError or OSError for a file."""
        self._audio = audio
        self._signal = signal(audio.play, self.rate)
        self._sought = signal(audio.hear, self.rate) if _is_file(audio.hear) else None
        sound = pcm(self._signal)
        self._length = len(sound)
        # So that a block from any place in the loop is one slice.
        self._loop = sound * (1 + -(-self._size // self._length))
        self._place = self._sent = self._heard = 0
        self._sent_since = self._heard_since = math.inf
        self.answered()
        self._recording = None
        if audio.record is not None:
            recording = _Recording(audio.record, self.rate)
            recording.open()
            self._recording = recording
        self._begun = True

    def answered(self) -> None:
        """Judge what is heard from now on: before, it was ringing."""
        with self._lock:
            self._from = self._heard
            self._blocks: list[bytes] = []
            self._levels = array("d")
            self._kept = bytearray()
            self._ignored = 0
            if math.isfinite(self._heard_since):
                # The rest of the block that is under way is from before.
                self._ignore(time.monotonic() - self._heard_since - self._heard * BLOCK)

    def ignore(self, seconds: float) -> None:
        """Do not judge what is heard in the next so many seconds."""
        with self._lock:
            self._look()
            self._ignore(seconds)

    def _ignore(self, seconds: float) -> None:
        self._ignored = max(0, round(seconds / FRAME))

    def attach(self, media: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        """Play to a call's media, and hear them."""
        media.startTransmit(self)
        self.startTransmit(media)

    def stop(self) -> None:
        """Hear no more: the call is over."""
        with self._lock:
            if self._begun:
                self._begun, self._stale = False, True

    def end(self, dtmf: str | None, far_receives: bool | None) -> tuple[Heard, tuple[str, ...]]:
        """Say what was heard since the answer, and which files were written."""
        self.stop()
        self._look()
        files = () if self._recording is None else self._recording.close()
        self._recording = None
        heard: Samples = np.frombuffer(bytes(self._kept), "<i2") / 32768.0
        like = None if self._sought is None else found(heard, self._sought)
        echo = self._echo(heard)
        return judge(self._levels, echo=echo, far_receives=far_receives, dtmf=dtmf, like=like), files

    def _echo(self, heard: Samples) -> float | None:
        if self._audio.play == "silence" or self._audio.hear not in {"echo", "anything"} or not self._sent:
            return None
        if math.isinf(self._heard_since):
            return None
        # A callback can be late, never early: so the earliest tell when a direction began, to the frame of
        # 20 ms in which the bridge works.
        apart = round((self._heard_since - self._sent_since) / FRAME) * FRAME
        return echo_delay(heard, self._signal, round((apart + self._from * BLOCK) * self.rate), self.rate)

    def onFrameRequested(self, frame: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """Give the next block."""
        try:
            since = time.monotonic() - self._sent * BLOCK
            # Much later than it should be: for a while nobody listened.
            paused = since > self._sent_since + BLOCK / 2
            self._sent_since = since if paused else min(self._sent_since, since)
            self._sent += 1
            block = self._loop[self._place : self._place + self._size]
            self._place = (self._place + self._size) % self._length
            with self._lock:
                self._record("sent", block)
            frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
            buffer = frame.buf
            buffer.resize(self._size)
            ctypes.memmove(_address(buffer), block, self._size)
            frame.size = self._size
        except Exception as error:  # raised again by the worker's loop
            self._failed(f"{type(error).__name__}: {error}")

    def onFrameReceived(self, frame: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """Take in a block; one without sound stands for silence."""
        try:
            block = ctypes.string_at(_address(frame.buf), frame.size) if frame.size else None
            with self._lock:
                if block is None:
                    # Nobody is connected: the bridge drops what it had of a block.
                    self._apart, self._stale = True, False
                if self._begun:
                    self._hear(block)
        except Exception as error:  # raised again by the worker's loop
            self._failed(f"{type(error).__name__}: {error}")

    def _hear(self, block: bytes | None) -> None:
        if self._stale:
            self._stale, self._ignored = False, max(self._ignored, round(BLOCK / FRAME))
        elif block is not None:
            since = time.monotonic() - (self._heard + 1) * BLOCK + FRAME
            self._heard_since = since if self._apart else min(self._heard_since, since)
            self._apart = False
        self._heard += 1
        sound = block or bytes(self._size)
        self._blocks.append(sound)
        if len(self._blocks) >= BLOCKS:
            self._look()
        self._record("heard", sound)

    def _look(self) -> None:
        """Take the levels of the blocks that have come, and keep the sound of the first."""
        sound = b"".join(self._blocks)
        self._blocks.clear()
        levels = powers(np.frombuffer(sound, "<i2") / 32768.0, self.rate)
        levels[: self._ignored] = np.nan
        self._ignored = max(0, self._ignored - levels.size)
        self._levels.extend(levels)
        self._kept += sound[: max(0, round(KEPT * self.rate) * 2 - len(self._kept))]

    def _record(self, way: str, block: bytes) -> None:
        if self._recording is not None and self._begun:
            try:
                self._recording.write(way, block)
            except OSError:
                self._recording = None  # the disk may be full; the call has no recordings then


def _is_file(hear: str) -> bool:
    return hear not in {"echo", "anything", "nothing"}


def _address(buffer: Any) -> int:  # noqa: ANN401 - pjsua2 has no types
    """Find the bytes of a `std::vector`, whose first word points there: to iterate takes 50 times as long."""
    address = ctypes.c_void_p.from_address(int(buffer.this)).value
    assert address is not None  # it is not empty
    return address


class Ports:
    """The ports of a worker, each lent to one call at a time."""

    def __init__(self, rate: int, failed: Callable[[str], None]) -> None:
        self.rate = rate
        self._failed = failed
        self._free: list[Port] = []

    def take(self, audio: Audio) -> Port:
        """Lend a port that is ready for this audio; raises ValueError or OSError for its files."""
        port = self._free.pop() if self._free else Port(self.rate, self._failed)
        try:
            port.begin(audio)
        except BaseException:
            self._free.append(port)
            raise
        return port

    def give_back(self, port: Port) -> None:
        """Take a port back, once nothing of the call is connected to it."""
        self._free.append(port)
