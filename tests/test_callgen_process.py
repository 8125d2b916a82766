"""Processes that are started get what they need, and end even where nobody is left to end them."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from callgen.lab.far_end import Settings
from callgen.lab.lab import HOST
from callgen.messages import Answers, Beat, Endpoint, Ready
from callgen.process import Process

SOON = 30.0


async def started(module, settings, died=lambda code: None):
    ready = asyncio.get_running_loop().create_future()
    process = Process(module, settings, lambda message: ready.done() or ready.set_result(message), died)
    async with asyncio.timeout(SOON):
        assert isinstance(await ready, Ready)
    return process


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_a_process_gets_no_variable_that_it_does_not_need(monkeypatch):
    monkeypatch.setenv("A_PASSWORD", "5ecret")
    monkeypatch.setenv("LC_TEST", "needed")

    async def scene():
        process = await started("callgen.lab.far_end", Settings(HOST, 0, Answers(), None, 0))
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        await process.close()
        return environment

    environment = asyncio.run(scene())
    assert b"LC_TEST=needed" in environment
    assert not any(b"5ecret" in variable for variable in environment)
    assert os.environ["A_PASSWORD"] == "5ecret", "it is still there for others"


@pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="modules of tests are not found there")
def test_a_worker_that_hangs_ends_by_itself(capfd):
    async def scene():
        ended = asyncio.get_running_loop().create_future()
        process = await started("stuck_worker", Endpoint(), ended.set_result)
        process.tell(Beat())
        async with asyncio.timeout(SOON):
            assert await ended == 1
        await process.close()

    asyncio.run(scene())
    assert "Timeout (0:00:00.500000)!" in capfd.readouterr().err
