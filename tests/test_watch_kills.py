"""A prober that is killed at random moments loses nothing that was committed, and goes on by itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from watch_victim import CAP

KILLS = 20


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and kills")
def test_nothing_committed_is_lost_when_the_prober_is_killed(tmp_path):
    script = Path(__file__).parent / "watch_victim.py"
    ran = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(KILLS), "6"], stdout=subprocess.PIPE, check=True
    )
    found = json.loads(ran.stdout)
    assert found["last_code"] == 0
    assert (found["lost"], found["double"], found["holes"], found["troubles"]) == (0, 0, 0, [])
    assert found["committed"] > 0
    assert found["committed"] <= found["calls"] <= found["placed"] <= found["counted"] <= CAP
    assert found["missed"]["stopped"] > 0
