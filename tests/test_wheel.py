"""The built wheel works from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("callgen", "callsim", "carriers", "documents", "results", "sim", "sla")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("callsim-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    folder = wheel.parent / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_wheel_holds_the_packages_and_nothing_else(unpacked: Path) -> None:
    (info,) = unpacked.glob("callsim-*.dist-info")
    assert {path.name for path in unpacked.iterdir()} == {*PACKAGES, info.name}
    sources = {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".typed", ".yaml", ".j2"}
    }
    assert {path.relative_to(unpacked) for p in PACKAGES for path in (unpacked / p).rglob("*.*")} == sources
    assert {Path(package) / "py.typed" for package in PACKAGES} <= sources
    assert Path("callsim/scenario/starter.yaml") in sources


def test_wheel_starts_and_checks_a_scenario(unpacked: Path, tmp_path: Path) -> None:
    def callsim(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "callsim", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(unpacked)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    callsim("init", "mine")
    (scenario,) = (tmp_path / "mine").glob("*.yaml")
    assert callsim("check", str(scenario)) == f"{scenario}: ok\n"
    where = [sys.executable, "-c", "import callsim; print(callsim.__file__)"]
    env = {**os.environ, "PYTHONPATH": str(unpacked)}
    found = subprocess.run(where, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(unpacked)
