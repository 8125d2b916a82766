"""Files for running a prober elsewhere."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from callsim import cli
from callsim.exits import Exit

CONTRIB = Path(__file__).parent.parent / "contrib"
UNIT = CONTRIB / "systemd" / "callsim-watch@.service"


def parsed(words):
    """Read a command line of ours as click does, without running it; raises UsageError."""
    command = cli.main.commands[words[0]]
    with click.Context(command) as context:
        command.parse_args(context, list(words[1:]))


def unit():
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str
    found.read(UNIT)
    return found["Service"]


def test_the_unit_runs_a_command_that_there_is():
    _, *words = unit()["ExecStart"].split()
    parsed(words)
    assert unit()["RestartPreventExitStatus"].split() == [
        str(int(code)) for code in (Exit.USAGE, Exit.NOT_LIVE, Exit.GUARDED)
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit(tmp_path):
    # Neither our program nor our user has to be on this machine.
    text = re.sub(r"(?m)^(User|Group)=.*\n", "", UNIT.read_text())
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/callsim/bin/callsim", shutil.which("true")))
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_cron_job_of_kubernetes_runs_a_command_that_there_is():
    job = YAML(typ="safe").load(CONTRIB / "kubernetes" / "cronjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    parsed(container["args"])
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_crontab_runs_a_command_that_there_is():
    (line,) = [
        line for line in (CONTRIB / "cron" / "callsim").read_text().splitlines() if line.startswith("*/5")
    ]
    words = line.partition(" 2>&1")[0].split()[6:]
    assert words[0].endswith("/callsim")
    parsed(words[1:])


def test_the_container_runs_a_command_that_there_is():
    text = (CONTRIB / "container" / "Containerfile").read_text()
    (command,) = re.findall(r"^CMD \[(.*)\]$", text, re.MULTILINE)
    parsed([word.strip(' "') for word in command.split(",")])
    extras = re.search(r"/source\[(.*)\]", text)[1].split(",")
    declared = (CONTRIB.parent / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in declared for extra in extras)
