"""Scores the recordings of a call by ViSQOL: what came back against what was played."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from callgen.measures.rating import Mos
from callgen.signals import read_wav

SCALE = "MOS-LQO"
SOURCE = "ViSQOL 3 speech mode, echo against what was played"
RATE = 16_000
"""Samples a second of ViSQOL's speech mode."""
PATIENCE = 120.0
"""Seconds that scoring may take; it takes about as long as the call."""
NICENESS = 10
"""Calls that are under way come first."""


def can_listen() -> bool:
    """Whether ViSQOL is installed here."""
    return find_spec("visqol") is not None


async def listen(stem: str) -> Mos | None:
    """Score STEM-heard.wav against STEM-sent.wav in a process of its own; None where that gives no score.

    The score is of the way there and back, whose delay does not count.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callgen.endpoint.listening", stem, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return None
    value = float(json.loads(said))
    return Mos(value, SCALE, SOURCE) if math.isfinite(value) else None


def score(stem: str) -> float:
    """Give the MOS-LQO of a call's recordings, 1 to 5, or no number for silence; ValueError without them."""
    from visqol import VisqolApi  # noqa: PLC0415 - of the extra `audio`

    sent, heard = (read_wav(Path(f"{stem}-{way}.wav"), RATE) for way in ("sent", "heard"))
    visqol = VisqolApi()
    # The lattice model would need a library of 20 MB more for the same order of scores.
    visqol.create(mode="speech", use_lattice_model=False)
    return float(visqol.measure_from_arrays(sent, heard, RATE).moslqo)


if __name__ == "__main__":
    with suppress(AttributeError):  # Windows has none
        os.nice(NICENESS)
    logging.disable()
    print(json.dumps(score(sys.argv[1])))
