import json
import os
import pty
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from callsim import cli, neighbours

ROOT = Path(__file__).parent.parent
ONE_UNIT = ROOT / "tests" / "oracles" / "one-unit.yaml"
CALLS = ROOT / "scenarios" / "single-carrier.yaml"
PROMISE = "sla.objectives=[{name: availability, at_least: %s, window: year, risk: 10%%}]"


@pytest.fixture
def no_plots(monkeypatch):
    """Plots have tests of their own, and take most of a short run's time."""
    monkeypatch.setattr("callsim.plots.Plots.save", lambda *_: None)


def callsim(*words: object, **env: str) -> Result:
    return CliRunner().invoke(cli.main, [str(word) for word in words], env={"COLUMNS": "80", **env})


def process(*words: object, cwd: Path | None = None, **popen) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
    command = [sys.executable, "-m", "callsim", *map(str, words)]
    return subprocess.Popen(command, cwd=cwd, env=env, text=True, **pipes)


def test_run_prints_one_screen_and_leaves_a_folder(tmp_path):
    ran = callsim("run", CALLS, "--years", 20, "--jobs", 1, "--out", tmp_path)
    assert ran.exit_code == 1, ran.output
    assert ran.stderr == ""
    assert ran.stdout.startswith("BREACHED: single-carrier achieves 99.")
    assert max(map(len, ran.stdout.splitlines()[:-1])) <= 80
    assert "the MTBFs and repair times are assumptions" in " ".join(ran.stdout.split())
    (folder,) = tmp_path.iterdir()
    assert ran.stdout.splitlines()[-1] == f"Files: {folder}"
    assert re.fullmatch(r"single-carrier-\d{8}-\d{6}", folder.name)
    plots = {f"{plot}.{kind}" for plot in ("downtime", "causes", "stages", "year") for kind in ("png", "svg")}
    tables = {"timeline.csv", "outages.csv", "incidents.csv"}
    found = {file.name for file in folder.iterdir()}
    judged = {"year-outages.csv", "ledger.json"}
    assert found == plots | tables | judged | {"result.json", "timing.json", "scenario.yaml"}
    assert (folder / "scenario.yaml").read_text() == CALLS.read_text()
    result = json.loads((folder / "result.json").read_text())
    assert result["years"] == 20
    assert result["partial"] is None
    assert "wall_s" not in result
    assert json.loads((folder / "timing.json").read_text())["wall_s"] > 0


@pytest.mark.usefixtures("no_plots")
def test_the_kept_tables_add_up_to_the_answer(tmp_path):
    callsim("run", CALLS, "--years", 10, "--jobs", 1, "--out", tmp_path)
    (folder,) = tmp_path.iterdir()
    result = json.loads((folder / "result.json").read_text())
    minutes = result["downtime_min_per_year"]["value"] * 10
    outages = pd.read_csv(folder / "outages.csv")
    timeline = pd.read_csv(folder / "timeline.csv")
    incidents = pd.read_csv(folder / "incidents.csv")
    # Ten calendar years from 2026 hold two leap days, half a day less than ten Julian years.
    assert outages.seconds.sum() / 60 == pytest.approx(minutes, rel=1e-3)
    assert timeline.down_s.sum() / 60 == pytest.approx(minutes, rel=1e-3)
    stages = outages.filter(regex="^(?!start|end).*_s$").sum(axis=1)
    assert stages.to_numpy() == pytest.approx(outages.seconds.to_numpy(), abs=0.01)
    starts = pd.to_datetime(outages.start, utc=True)
    ends = pd.to_datetime(outages.end, utc=True)
    assert (ends - starts).dt.total_seconds().to_numpy() == pytest.approx(
        outages.seconds.to_numpy(), abs=0.01
    )
    assert set(incidents.unit) == {"only", "only/maintenance"}
    assert incidents.cause[incidents.unit == "only/maintenance"].unique().tolist() == ["only/maintenance"]


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize(
    ("target", "years", "code", "verdict"),
    [("99%", 100, 0, "MET"), ("99.99%", 100, 1, "BREACHED"), ("99.75%", 12, 3, "INCONCLUSIVE")],
)
def test_verdicts_are_exit_codes(tmp_path, target, years, code, verdict):
    words = [
        "--years",
        years,
        "--jobs",
        1,
        "--out",
        tmp_path,
        "--quiet",
        "--junit",
        tmp_path / "verdicts.xml",
    ]
    ran = callsim("run", ONE_UNIT, *words, "--set", PROMISE % target)
    assert ran.exit_code == code, ran.output
    assert ran.stdout.startswith(f"{verdict}: one-unit ")
    assert ran.stdout.count("\n") == 1
    suite = ET.parse(tmp_path / "verdicts.xml").getroot()
    (case,) = suite
    expected = {"MET": [], "BREACHED": ["failure"], "INCONCLUSIVE": ["skipped"]}[verdict]
    assert [part.tag for part in case] == expected
    assert case.get("name") == f"{target[:-1]} % a year"
    assert suite.get("failures") == str(int(verdict == "BREACHED"))


@pytest.mark.usefixtures("no_plots")
def test_json_on_stdout_is_all_there_is(tmp_path):
    ran = callsim("run", ONE_UNIT, "--years", 5, "--jobs", 1, "--out", tmp_path, "--json", "-")
    answer = json.loads(ran.stdout)
    (folder,) = tmp_path.iterdir()
    assert answer.pop("wall_s") > 0
    assert answer == json.loads((folder / "result.json").read_text())


@pytest.mark.usefixtures("no_plots")
def test_options_come_from_the_environment_too(tmp_path):
    ran = callsim("run", ONE_UNIT, "--out", tmp_path, "--json", "-", CALLSIM_YEARS="3", CALLSIM_SEED="77")
    answer = json.loads(ran.stdout)
    assert (answer["years"], answer["seed"]) == (3, 77)


@pytest.mark.usefixtures("no_plots")
def test_the_overrides_stand_in_the_copy_of_the_scenario(tmp_path):
    callsim("run", ONE_UNIT, "--years", 3, "--out", tmp_path, "--set", "platform.groups.unit.units=2")
    (folder,) = tmp_path.iterdir()
    text = (folder / "scenario.yaml").read_text()
    assert text == "# --set platform.groups.unit.units=2\n" + ONE_UNIT.read_text()


@pytest.mark.usefixtures("no_plots")
def test_two_runs_in_one_second_have_their_own_folders(tmp_path):
    folders = set()
    for _ in range(3):
        ran = callsim("run", ONE_UNIT, "--years", 1, "--jobs", 1, "--out", tmp_path)
        folders.add(ran.stdout.splitlines()[-1])
    assert len(folders) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_the_answer_does_not_depend_on_jobs(tmp_path):
    for jobs in (1, 2):
        ran = callsim(
            "run", ONE_UNIT, "--years", 250, "--jobs", jobs, "--out", tmp_path / str(jobs), "--quiet"
        )
        assert ran.exit_code == 0, ran.output
    one, two = (next((tmp_path / jobs).iterdir()) for jobs in "12")
    for name in ("result.json", "timeline.csv", "incidents.csv", "downtime.svg"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


@pytest.mark.usefixtures("no_plots")
def test_a_precision_out_of_reach_is_said(tmp_path):
    words = ["--precision", "0.1%", "--max-time", "50ms", "--jobs", 1, "--out", tmp_path]
    ran = callsim("run", ONE_UNIT, *words)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("PARTIAL: stopped after 0.05 s with ")
    assert "wider than the precision that was asked for" in " ".join(ran.stdout.split())


@pytest.mark.usefixtures("no_plots")
def test_a_precision_in_reach_stops_early(tmp_path):
    ran = callsim("run", ONE_UNIT, "--precision", "20%", "--jobs", 1, "--out", tmp_path, "--json", "-")
    answer = json.loads(ran.stdout)
    gross = answer["availability"]["gross"]
    assert answer["partial"] is None
    assert (gross["high"] - gross["low"]) / 2 <= 0.2 * (1 - gross["value"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", ONE_UNIT, "--years", 0], "Invalid value for '--years': 0 is not in the range x>=1."),
        (["run", ONE_UNIT, "--years", 9, "--precision", "5%"], "--years and --precision exclude each other"),
        (["run", ONE_UNIT, "--precision", 5], "5 has no unit; write a share in percent, like 5%"),
        (["run", ONE_UNIT, "--max-time", 60], "60 has no unit; write a duration, like 60s or 15m"),
        (["run", ONE_UNIT, "--max-time", "0s"], "0s is too small; it has to be more than 0"),
        (["run", ONE_UNIT, "--set", "nonsense=1"], "--set nonsense: unknown key"),
        (["run", "missing.yaml"], "missing.yaml: cannot be read: no such file or directory"),
        (["run", ONE_UNIT, "--json", "no/such/folder.json"], "there is no folder no/such"),
        (["compare", ONE_UNIT], "one scenario has nothing to be compared with"),
        (["sweep", ONE_UNIT, "--vary", "units"], "'units' is not PATH=v1,v2,..."),
        (["sweep", ONE_UNIT], "Missing option '--vary'"),
        (["nonsense"], "No such command 'nonsense'"),
        (["check"], "Missing argument 'FILE...'"),
    ],
)
def test_wrong_usage_is_said_and_ends_with_2(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    ran = callsim(*words)
    assert ran.exit_code == 2, ran.output
    assert message in ran.stderr
    assert ran.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_check_says_everything_about_every_file(tmp_path):
    good, bad, worse = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    good.write_text(ONE_UNIT.read_text())
    bad.write_text("name: bad\nstarts: 2026-01-02\ncolour: red\n")
    worse.write_text("[")
    ran = callsim("check", bad, good, worse)
    assert ran.exit_code == 2
    assert ran.stdout == f"{good}: ok\n"
    assert f"{bad}:2: starts: " in ran.stderr
    assert f"{bad}:3: colour: unknown key" in ran.stderr
    assert str(worse) in ran.stderr
    assert callsim("check", good).exit_code == 0


def test_schema_and_init(tmp_path):
    assert "properties" in json.loads(callsim("schema").stdout)
    written = callsim("init", tmp_path / "new")
    assert written.exit_code == 0
    (file,) = (tmp_path / "new").iterdir()
    assert str(file) in written.stdout
    assert callsim("check", file).exit_code == 0
    assert callsim("init", tmp_path / "new").exit_code == 2


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys, callsim.cli\n"
        "callsim.cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'scipy', 'pydantic', 'matplotlib', 'rich', 'simpy', 'ruamel.yaml', 'pandas'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("run", "compare", "sweep", "check", "schema", "init"):
        assert f"\n  {command} " in done.stdout
    assert re.fullmatch(r"callsim \d+\.\d+\.\d+\n", callsim("--version").stdout)


def test_ctrl_c_prints_what_is_known(tmp_path):
    terminal, theirs = pty.openpty()
    words = ["run", ONE_UNIT, "--years", 10_000_000, "--jobs", 2, "--out", tmp_path]
    # A start from a shell without job control would have SIGINT ignored, and children inherit that.
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    started = process(*words, stderr=theirs, preexec_fn=heard)
    os.close(theirs)
    shown = ""
    while " of 10,000,000 years, " not in shown:
        shown += os.read(terminal, 4096).decode()
    started.send_signal(signal.SIGINT)
    stdout, _ = started.communicate(timeout=60)
    os.close(terminal)
    assert re.search(r"\d+/s, [\d.]+ h down a year", shown)
    assert started.returncode == 130
    assert stdout.startswith("PARTIAL: interrupted after ")
    assert re.search(r"Availability +99\.\d+ % \(99\.\d+\.\.99\.\d+ %\)", stdout)
    (folder,) = tmp_path.iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert result["partial"] == f"interrupted after {result['years']} years"
    assert result["years"] > 0


def test_ctrl_c_before_anything_is_known(tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("callsim.study._Work.play", interrupted)
    ran = callsim("run", ONE_UNIT, "--jobs", 1, "--out", tmp_path)
    assert ran.exit_code == 130
    assert ran.stderr == "interrupted after 0 years: nothing is known yet\n"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_said_before_the_run(tmp_path):
    (tmp_path / "runs").write_text("mine")
    out = tmp_path / "runs" / "here"
    ran = callsim("run", ONE_UNIT, "--years", 10_000_000, "--out", out)
    assert ran.exit_code == 2
    assert ran.stderr == f"{out}: cannot be written: not a directory\n"
    assert ran.stdout == ""


def test_a_disk_that_fills_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("callsim.plots.Plots.save", full)
    ran = callsim("run", ONE_UNIT, "--years", 5, "--jobs", 1, "--out", tmp_path)
    assert ran.exit_code == 2
    assert ran.stderr == f"{tmp_path}: cannot be written: no space left on device\n"
    assert ran.stdout.startswith("NO OBJECTIVE: one-unit achieves ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_plots")
def test_json_goes_into_a_file_whole_or_not_at_all(tmp_path):
    target = tmp_path / "answer.json"
    target.mkdir()
    ran = callsim("run", ONE_UNIT, "--years", 3, "--out", tmp_path / "runs", "--json", target)
    assert ran.exit_code == 2
    assert ran.stderr == f"{target}: cannot be written: is a directory\n"
    assert list(target.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_stdout_is_one_line(tmp_path):
    with Path("/dev/full").open("w") as full:
        started = process("schema", cwd=tmp_path, stdout=full)
        _, stderr = started.communicate(timeout=60)
    assert (started.returncode, stderr) == (2, "output: no space left on device\n")


def test_a_reader_that_goes_away_is_no_trouble(tmp_path):
    started = process("schema", cwd=tmp_path)
    started.stdout.close()
    assert started.wait(timeout=60) == 141
    assert started.stderr.read() == ""
    started.stderr.close()


def test_a_fault_of_our_own_is_one_line(tmp_path, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("callsim.commands.simulate", broken)
    ran = callsim("run", ONE_UNIT, "--out", tmp_path)
    assert ran.exit_code == 70
    assert ran.stderr == (
        "callsim: internal error: ZeroDivisionError: division by zero"
        " (set CALLSIM_DEBUG=1 for the traceback)\n"
    )
    assert list(tmp_path.iterdir()) == []
    debugged = callsim("run", ONE_UNIT, "--out", tmp_path, CALLSIM_DEBUG="1")
    assert isinstance(debugged.exception, ZeroDivisionError)


@pytest.mark.parametrize("name", neighbours.PACKAGES)
def test_a_module_of_the_users_in_the_way_is_named(tmp_path, name):
    mine = tmp_path / f"{name}.py"
    mine.write_text("raise SystemExit('somebody else')\n")
    started = process("check", ONE_UNIT, cwd=tmp_path)
    stdout, stderr = started.communicate(timeout=60)
    assert (started.returncode, stdout) == (2, "")
    hides = f"hides callsim's own package `{name}`; rename it, or run callsim from another folder"
    assert stderr == f"{mine}: {hides}\n"


def test_a_folder_of_results_is_in_nobodys_way(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "mine.csv").write_text("1\n")
    started = process("check", ONE_UNIT, cwd=tmp_path)
    stdout, stderr = started.communicate(timeout=60)
    assert (started.returncode, stdout, stderr) == (0, f"{ONE_UNIT}: ok\n", "")
