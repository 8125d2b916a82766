"""The simulator reproduces what is known exactly, each within the interval that it prints itself."""

from __future__ import annotations

import pytest
from oracle_runs import Oracle, oracles, score


@pytest.mark.parametrize("oracle", oracles(), ids=lambda oracle: oracle.file.removesuffix(".yaml"))
def test_exact_value_within_own_intervals(oracle: Oracle) -> None:
    found = score(oracle)
    told = (
        f"{oracle.model}: exact {oracle.exact:.6e}, mean {found.mean:.6e}, z {[round(z, 2) for z in found.z]}"
    )
    assert max(found.half_widths) <= 0.25, told
    assert sum(found.half_widths) / len(found.half_widths) <= 0.20, told
    assert found.chi_square < found.limit, told
    assert abs(found.pooled_z) < 4, told
