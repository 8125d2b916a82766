"""Order of the tests: the longest first, so that no process is left with one of them at the end."""

from __future__ import annotations

import pytest

LONGEST = ("disk-clusters-r3", "workstation-cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the long ones over the two ends and the middle, from where processes take their shares."""
    long = [item for item in items if any(name in item.name for name in LONGEST)]
    rest = [item for item in items if item not in long]
    oracles = [item for item in rest if item.path.name == "test_oracles.py"]
    others = [item for item in rest if item not in oracles]
    half = len(others) // 2
    # Two processes begin with a half of the list each.
    items[:] = [*long[:1], *oracles[::2], *others[:half], *long[1:], *oracles[1::2], *others[half:]]
