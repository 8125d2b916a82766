"""Processes that help begin early, serve several studies, and do not outlive who began them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from click.testing import CliRunner

import callsim.helpers
from callsim.cli import main
from callsim.helpers import begun, helpers

ROOT = Path(__file__).parent.parent
PARENT = """
import os, time
from callsim.helpers import Helpers
if __name__ == "__main__":
    print(Helpers(1).submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def lives(pid):
    """Whether a process is there, and has not merely ended unasked about (a zombie)."""
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not Path("/proc/self").exists() or stat.read_text().split()[2] != "Z"
    return False


def gone(pid, within=10.0):
    until = time.monotonic() + within
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not lives(pid)


def test_those_that_were_begun_serve_all_that_ask_for_no_more():
    with begun(1):
        pids = set()
        for _ in range(2):
            with helpers(1) as some:
                pids.add(some.submit(os.getpid).result())
        with helpers(2) as more:
            assert more.count == 2
            pids.add(more.submit(os.getpid).result())
        assert len(pids) == 2
    assert os.getpid() not in pids
    assert all(gone(pid) for pid in pids)


def test_without_any_begun_they_end_with_their_use():
    with helpers(1) as some:
        pid = some.submit(os.getpid).result()
        assert lives(pid)
    assert gone(pid)


def test_a_helper_ends_with_its_parent_when_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as parent:
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.send_signal(signal.SIGKILL)
    assert gone(pid)


def test_few_years_need_none(monkeypatch, tmp_path):
    def refuse(count):
        raise AssertionError(f"{count} helpers were begun")

    monkeypatch.setattr(callsim.helpers, "Helpers", refuse)
    scenario = str(ROOT / "scenarios" / "single-carrier.yaml")
    run = ("run", scenario, "--jobs", "2", "--quiet", "--out", str(tmp_path))
    assert CliRunner().invoke(main, [*run, "--years", "5"]).exit_code in (0, 1, 3)
    calls = (*run, "--calls", "--horizon", "1h")
    assert CliRunner().invoke(main, calls).exit_code == 0
    assert "1 helpers were begun" in CliRunner().invoke(main, [*run, "--years", "200"]).output
