"""The project's own files say what is so."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import callsim
from callsim.cli import main
from callsim.exits import Exit
from callsim.scenario.load import check_files

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import run
import validate

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", document.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def test_commands_of_the_readme_parse() -> None:
    lines = re.findall(r"^\$ (callsim .+)$", README, re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        _, name, *arguments = shlex.split(line)
        command = main.commands[name]
        command.make_context(name, arguments)


def test_readme_names_every_command() -> None:
    table = README.partition("## Commands")[2].partition("###")[0]
    assert set(re.findall(r"^\| `callsim (\w+)", table, re.MULTILINE)) == set(main.commands)


def test_readme_names_every_exit_code() -> None:
    table = README.partition("### Exit codes")[2].partition("##")[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert told == set(Exit)


def test_readme_python_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    exec(code.replace("years=500", "years=50"), {})
    assert (tmp_path / "downtime.png").stat().st_size > 10_000


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_ready_made_scenario_is_right_and_in_the_readme(path: Path) -> None:
    assert not check_files([path])
    assert f"(scenarios/{path.name})" in README


def suggestions() -> list[tuple[Path, str]]:
    """What the first lines of the scenarios suggest to try."""
    heads = [(path, path.read_text("utf-8").partition("\nname:")[0]) for path in SCENARIOS]
    return [(path, found) for path, head in heads for found in re.findall(r"--set (\S+=[^\s`]+)`", head)]


@pytest.mark.parametrize(("path", "override"), suggestions())
def test_suggested_override_is_accepted(path: Path, override: str) -> None:
    assert callsim.load(path, [override]) != callsim.load(path)


@pytest.mark.parametrize("example", validate.EXAMPLES, ids=lambda example: example.arguments[0])
def test_readme_example_is_what_the_command_prints(example: validate.Example, tmp_path: Path) -> None:
    expected = example.within(README, example.printed(tmp_path, jobs=1))
    same = "in a while"
    assert validate.TIMING.sub(same, README) == validate.TIMING.sub(same, expected), (
        "refresh it: python benchmarks/validate.py --readme"
    )


def test_version_is_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == callsim.__version__
    assert f"## [{callsim.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_ci_calls_make_test_only() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not line.startswith(("set ", "cd "))] == ["make test"]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert MAKE is not None
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [MAKE, *arguments], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )


@needs_make
@pytest.mark.parametrize("code", [0, 1, 2, 3, 70, 130])
def test_make_run_succeeds_whatever_the_verdict(code: int, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "callsim"
    fake.write_text(f"#!/bin/sh\nexit {code}\n")
    fake.chmod(0o755)
    for made in ("bin/python", ".ready"):
        (tmp_path / made).touch()
    done = make("run", f"VENV={tmp_path}")
    assert (done.returncode == 0) == (code in {0, 1, 3})
    assert f"callsim ended with {code}: " in done.stdout + done.stderr


@needs_make
def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    done = make("run", f"VENV={tmp_path / 'venv'}", "PYTHONS=no-such-python false")
    assert done.returncode != 0
    first, *rest = done.stderr.splitlines()
    assert first.startswith("callsim needs Python 3.11 or newer")
    assert all(line.startswith("make") for line in rest)


def test_bench_table_goes_between_its_marks() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    for part in run.PARTS:
        text = run.replaced(run.replaced(text, part, "first"), part, f"table of {part}")
    assert "first" not in text
    assert [line for line in text.splitlines() if line.startswith("table of")] == [
        f"table of {part}" for part in run.PARTS
    ]
    with pytest.raises(ValueError, match="has no place"):
        run.replaced(text, "nothing", "")
