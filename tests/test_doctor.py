"""What the doctor finds, and what it says a lack of it means."""

import os
import socket
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from callsim import cli
from callsim.live import doctor, doctor_command
from callsim.live.doctor import Finding, examine, report
from callsim.plan import load_plan

PLAN = Path(__file__).parent.parent / "scenarios" / "plans" / "lab.yaml"


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    """Look at a folder of the test's own instead of the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "callsim"


def named(name: str, **how: object) -> Finding:
    (found,) = [f for f in examine(lambda: None, **how) if f.name == name]
    return found


def program(folder: Path, name: str, prints: str) -> None:
    """Put a program that prints one line into a folder."""
    file = folder / name
    file.write_text(f"#!/bin/sh\nprintf '%s\\n' '{prints}'\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_without_pjsua2_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    ran = CliRunner().invoke(cli.main, ["doctor"])
    assert ran.exit_code == 4
    first, second, *_, last = ran.stdout.splitlines()
    assert first.split() == ["MISSING", "pjsua2", "not", "installed"]
    assert second.split()[:3] == ["pip", "install", "pjsua2-python:"]
    assert f"this is Python {sys.version_info.major}.{sys.version_info.minor}" in second
    assert last == "no real calls from here: pjsua2"


@pytest.mark.parametrize(("trouble", "code"), [(None, 0), ("does not start: no answer in time", 4)])
def test_a_worker_has_to_start(monkeypatch, trouble, code):
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    monkeypatch.setattr(doctor_command, "_starts", lambda: trouble)
    ran = CliRunner().invoke(cli.main, ["doctor"])
    assert ran.exit_code == code
    (line,) = [line for line in ran.stdout.splitlines() if line[8:].startswith("worker")]
    assert ("4 calls in each process" in line) == (trouble is None)


def test_a_taken_port_is_named(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(doctor, "SIP_PORTS", (taken.getsockname()[1],))
        found = named("SIP ports")
        assert (found.good, found.found) == (False, f"{taken.getsockname()[1]}/udp taken")
    assert named("SIP ports").good


@pytest.mark.parametrize(
    ("name", "prints", "good", "found"),
    [
        ("chronyc", "A,B,3,1700000000.0,-0.000012,0.1", True, "-0.000012 s from NTP (chrony)"),
        ("chronyc", "A,B,3,1700000000.0,2.5,0.1", False, "+2.500000 s from NTP (chrony)"),
        ("timedatectl", "yes", True, "synchronised by NTP"),
        ("timedatectl", "no", False, "not synchronised"),
        ("other", "", False, "nothing here tells of NTP"),
    ],
)
def test_the_time_of_day_is_asked_of_what_keeps_it(monkeypatch, tmp_path, name, prints, good, found):
    program(tmp_path, name, prints)
    monkeypatch.setenv("PATH", str(tmp_path))
    clock = named("time of day")
    assert (clock.good, clock.found) == (good, found)


def test_peers_for_tests_are_looked_for(monkeypatch, tmp_path):
    program(tmp_path, "sipp", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (named("sipp").good, named("sipp").found) == (True, str(tmp_path / "sipp"))
    assert (named("kamailio").good, named("kamailio").needed) == (False, False)


def test_where_the_guard_counts_has_to_be_there(monkeypatch, state):
    assert named("disk").good
    assert state.is_dir()
    blocked = state.parent / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    disk = named("disk")
    assert (disk.good, disk.needed) == (False, True)
    assert disk.found.startswith(f"{blocked}{os.sep}callsim: cannot be made: ")


def test_trunks_and_secrets_of_a_plan_are_looked_for_and_not_shown(monkeypatch, tmp_path):
    text = PLAN.read_text().replace("register: true,", "username: env:DOC_USER, password: env:DOC_PASSWORD,")
    file = tmp_path / "plan.yaml"
    file.write_text(text.partition("  - name: our-number")[0] + "guard:" + text.partition("\nguard:")[2])
    monkeypatch.setenv("DOC_USER", "hunter2")
    monkeypatch.delenv("DOC_PASSWORD", raising=False)
    plan = load_plan(file)
    assert named("atlantic/1", plan=plan).found == "127.0.0.1, written as an address"
    assert named("atlantic/1 username", plan=plan).good
    missing = named("atlantic/1 password", plan=plan)
    assert (missing.good, missing.found) == (
        False,
        "atlantic/1: password: the environment has no DOC_PASSWORD",
    )
    assert "hunter2" not in report(examine(lambda: None, plan))


def test_a_report_says_what_a_lack_means():
    found = [
        Finding("a", good=True, found="fine", means="not told"),
        Finding("long", good=False, found="none", means="so what"),
    ]
    assert report(found).splitlines() == [
        "ok      a     fine",
        "note    long  none",
        "              so what",
        "",
        "real calls can be placed from here",
    ]
