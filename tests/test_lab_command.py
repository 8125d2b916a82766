"""The command `lab`: how faults are written, and how they are switched while it runs."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab_caller import Caller

from callgen.lab.impairment import LabFault
from callgen.messages import Answers
from callsim.exits import Exit
from callsim.live.lab_command import NotInTheLabError, lab
from callsim.live.lab_faults import FORMS, read_fault, read_order, write_fault

SOON = 20.0

WRITTEN = [
    ("good", None),
    ("silent", LabFault("silent")),
    ("trying_only", LabFault("trying_only")),
    ("refuses 503 100%", LabFault("refuses")),
    ("refuses 486 30%", LabFault("refuses", 486, 0.3)),
    ("slow 9s", LabFault("slow", post_dial_delay=(9.0,))),
    ("one_way to_callee", LabFault("one_way", way="to_callee")),
    ("no_audio", LabFault("no_audio")),
    (
        "impaired loss=5% reorder=1% jitter=20ms delay=100ms burst=2.5",
        LabFault("impaired", loss=0.05, burst_ratio=2.5, jitter=0.02, delay=0.1, reorder=0.01),
    ),
    ("impaired delay=1s", LabFault("impaired", delay=1.0)),
    ("capacity 2", LabFault("capacity", channels=2)),
    ("hang_up 5s", LabFault("hang_up", after=5.0)),
    ("maintenance 503", LabFault("maintenance")),
    ("crash", LabFault("crash")),
]


@pytest.mark.parametrize(("text", "fault"), WRITTEN)
def test_faults_are_read_as_they_are_written(text, fault):
    assert read_fault(text) == fault
    assert write_fault(fault) == text


def test_every_fault_can_be_written():
    assert {text.split()[0] for text, _ in WRITTEN} == set(FORMS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("refuses", LabFault("refuses")),
        ("refuses 30%", LabFault("refuses", share=0.3)),
        ("refuses 404", LabFault("refuses", 404)),
        ("maintenance", LabFault("maintenance")),
    ],
)
def test_what_is_usual_may_be_left_out(text, fault):
    assert read_fault(text) == fault


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x silent", "'x' is not in this lab; there are a, b"),
        ("a", f"'' is no fault; write one of {', '.join(FORMS)}"),
        ("a: silnt", f"'silnt' is no fault; write one of {', '.join(FORMS)}"),
        ("a silent 5", "'silent 5' is not `silent`: too few words, too many, or another one"),
        (
            "a refuses 200",
            "'refuses 200' is not `refuses [STATUS] [SHARE]`: "
            "'200' is not a SIP status of a refusal, like 486",
        ),
        ("a slow 9", "'slow 9' is not `slow DURATION`: 9 has no unit; write a duration, like 9s or 15m"),
        ("a capacity -1", "'capacity -1' is not `capacity CALLS`: '-1' is not a number of calls, like 2"),
        (
            "a impaired lost=5%",
            f"'impaired lost=5%' is not `impaired {FORMS['impaired'][0]}`: "
            "'lost' is none of loss, burst, jitter, delay, reorder",
        ),
        (
            "a impaired burst=0.2",
            f"'impaired burst=0.2' is not `impaired {FORMS['impaired'][0]}`: "
            "burst_ratio(=0.2) is at least 1 with so much loss",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(line, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        read_order(line, ("a", "b"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("a: silent", ("a", LabFault("silent"))),
        ("  a silent  # until noon", ("a", LabFault("silent"))),
        ('a: "refuses 30%"', ("a", LabFault("refuses", share=0.3))),
        ("a: good", ("a", None)),
        ("", None),
        ("# a: silent", None),
    ],
)
def test_an_order_is_a_line(line, order):
    assert read_order(line, ("a",)) == order


# ---- while it runs

SCRIPT = """
import signal
import sys
from pathlib import Path
from callsim.live.lab_command import lab

if __name__ == "__main__":
    # Shells have what they run in the background ignore it, and that is handed down.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(lab(("atlantic", "boreal"), faults=Path(sys.argv[1])))
"""


class Running:
    """A lab in a process of its own."""

    def __init__(self, folder: Path):
        script = folder / "run_lab.py"
        script.write_text(SCRIPT)
        self.faults = folder / "faults.yaml"
        self.faults.write_text("boreal: refuses 486\n")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.faults)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.told = ""

    def until(self, pattern):
        """Read what it prints until there is a match in a line."""
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            line = self.process.stdout.readline()
            self.told += line
            if found := re.search(pattern, line):
                return found
            if not line:
                break
        raise AssertionError(f"no {pattern} in {self.told}")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    lab_process = Running(tmp_path_factory.mktemp("lab"))
    yield lab_process
    lab_process.process.kill()
    lab_process.process.communicate()


def status_of(port, method):
    async def asked():
        async with Caller(port) as caller:
            return (await caller.call())[-1] if method == "INVITE" else await caller.status_of(method)

    return asyncio.run(asked())


@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for another process")
def test_faults_are_switched_by_a_file_and_by_hand(running):
    ports = {n: int(running.until(rf"^{n} +sip:127.0.0.1:(\d+)$")[1]) for n in ("atlantic", "boreal")}
    running.until(r"^\d\d:\d\d:\d\d boreal: refuses 486 100%$")
    assert [status_of(ports[name], "INVITE") for name in ports] == [200, 486]
    running.process.stdin.write("nonsense\natlantic maintenance\n")
    running.until(r"atlantic: maintenance 503$")
    assert status_of(ports["atlantic"], "OPTIONS") == 503
    running.faults.write_text("atlantic: rubbish here\n")
    time.sleep(0.5)
    running.faults.write_text("# all is well again\n")
    running.until(r"boreal: good$")
    assert status_of(ports["boreal"], "INVITE") == 200
    assert status_of(ports["atlantic"], "OPTIONS") == 503, "the file has said nothing new of it"
    running.process.send_signal(signal.SIGINT)
    _, errors = running.process.communicate(timeout=SOON)
    assert running.process.returncode == Exit.MET
    first, second, last = errors.splitlines()
    assert first == "'nonsense' is not in this lab; there are atlantic, boreal"
    assert second.startswith(f"{running.faults}:1: 'rubbish' is no fault")
    assert last == "the lab is closed"


@pytest.mark.parametrize("names", [(), ("a", "b", "a")])
def test_carriers_have_names_of_their_own(names):
    with pytest.raises(NotInTheLabError, match="'at lantic' is no carrier's name"):
        lab(("at lantic",))
    with pytest.raises(NotInTheLabError, match="ports below 1024 are never called"):
        lab(("a",), first_port=80)
    with pytest.raises(NotInTheLabError, match="a lab has carriers with names of their own"):
        lab(names)


def test_a_port_that_is_taken_is_told(capfd):
    async def taken():
        async with Caller(port=0) as other:
            with pytest.raises(NotInTheLabError, match=r"a cannot listen at 127\.0\.0\.1:\d+: .*in use"):
                await asyncio.to_thread(lab, ("a",), first_port=other.sip.port)

    asyncio.run(taken())
    assert not capfd.readouterr().err


def test_ports_that_there_are_not_are_told():
    with pytest.raises(NotInTheLabError, match=r"first_port\(=65535\) leaves no ports for 2 carriers"):
        lab(("a", "b"), first_port=65535)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        lab(("a",), faults=tmp_path / "none.yaml")


def test_a_sound_that_is_not_there_is_told():
    with pytest.raises(NotInTheLabError, match="cannot be read"):
        lab(("a",), Answers(plays="none.wav"))
