"""A writer that is killed at any moment loses nothing that it said was kept, and tears nothing."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import store as benchmark


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="no forkserver on this system"
)
def test_killed_writers_lose_double_and_tear_nothing():
    found = benchmark.kills(20, seed=7)
    assert (found.kills, found.lost, found.doubled, found.torn) == (20, 0, 0, 0)
    assert found.kept > 0
    assert found.pruned > 0
