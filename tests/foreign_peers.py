"""Ports of SIP implementations that are not ours."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from callgen_peers import HOST, SOON


def free_port():
    """Find a UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((HOST, 0))
        return one.getsockname()[1]


async def bound(port, process):
    """Wait until a process has its UDP port of this machine, without a word to it (Linux)."""
    async with asyncio.timeout(SOON):
        while f":{port:04X} " not in Path("/proc/net/udp").read_text():
            assert process.returncode is None, f"it ended with {process.returncode}"
            await asyncio.sleep(0.02)
