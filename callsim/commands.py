"""What the commands that simulate do, once their options are read."""

from __future__ import annotations

import itertools
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from callsim import call_files, placed_report, report, runs, side_by_side
from callsim.agreements.uncertainty import uncertain_in
from callsim.api import load, simulate
from callsim.comparison import Comparison
from callsim.comparison import compare as compare_all
from callsim.errors import CallsimError, ScenarioError
from callsim.exits import Exit
from callsim.junit import junit
from callsim.placed import place
from callsim.progress import shown
from callsim.result import Result
from callsim.scenario.model import Scenario
from callsim.stored_runs import storing
from callsim.study import NothingSimulatedError
from callsim.terminal import answer_width, say
from callsim.writing import check_target, json_text, write_json, write_whole, writing
from sla.crediting import GapError


@dataclass(frozen=True)
class RunOptions:
    """What the commands that simulate have in common; None: as the scenario says."""

    years: int | None
    seed: int | None
    jobs: int
    overrides: tuple[str, ...]
    json: str | None
    quiet: bool
    out: Path = Path("runs")


class StoppedError(CallsimError):
    """A run was interrupted before anything was known."""

    exit_code = Exit.INTERRUPTED


def run(
    path: Path,
    options: RunOptions,
    precision: float | None,
    max_time: float | None,
    junit_file: str | None,
    store: str | None = None,
    uncertain: Path | None = None,
) -> Exit:
    """Simulate one scenario, print its answer, write its folder, and keep it in a store if one is named."""
    started = datetime.now(UTC)
    scenario = load(path, options.overrides)
    if uncertain is not None:
        uncertain_in(scenario, uncertain)
    for target in (options.json, junit_file):
        check_target(target)
    with storing(store) as write, runs.draft(options.out, scenario.name) as folder:
        result = _simulate(scenario, options, precision, max_time, uncertain)
        if options.json != "-":
            say(_answer(result, options.quiet))
        timing = {
            "started": started.isoformat(timespec="seconds"),
            "wall_s": result.study.wall_s,
            "years_per_s": result.study.years / result.study.wall_s,
            "jobs": options.jobs,
            "python": platform.python_version(),
        }
        runs.write_run(folder.path, result, path, options.overrides, timing)
        kept = folder.keep(started.astimezone())
        write(path, options.overrides, result, started)
    if options.json is not None:
        write_json(options.json, {**result.to_json(), "wall_s": result.study.wall_s})
    if junit_file is not None:
        write_whole(Path(junit_file), junit(result))
    if not options.quiet and options.json != "-":
        say(f"Files: {kept}")
    return result.exit_code


def run_calls(
    path: Path,
    options: RunOptions,
    horizon: float,
    repeat: int,
    redials: bool | None = None,
    parquet: bool = False,
) -> Exit:
    """Place every call of a scenario, print what was counted beside what is expected, write its folder."""
    started = datetime.now(UTC)
    scenario = load(path, options.overrides)
    check_target(options.json)
    if parquet:
        call_files.check_parquet()
    with runs.draft(options.out, f"{scenario.name}-calls") as folder:
        placed = place(scenario, horizon, repeat, options.seed, options.jobs, redials=redials)
        if options.json != "-":
            say(placed_report.placed(placed, answer_width(), options.quiet))
        timing = {
            "started": started.isoformat(timespec="seconds"),
            "wall_s": placed.wall_s,
            "calls_per_s": placed.offered / placed.wall_s,
            "jobs": options.jobs,
            "python": platform.python_version(),
        }
        with writing(options.out):
            for name, data in (("result", placed.to_json()), ("timing", timing)):
                (folder.path / f"{name}.json").write_text(json_text(data), encoding="utf-8")
            for number, calls in enumerate(placed.calls):
                zone = placed.tables.zone
                call_files.write_calls(folder.path / "calls", zone, number, calls, parquet=parquet)
        kept = folder.keep(started.astimezone())
    if options.json is not None:
        write_json(options.json, {**placed.to_json(), "wall_s": placed.wall_s})
    if not options.quiet and options.json != "-":
        say(f"Files: {kept}")
    return Exit.INTERRUPTED if placed.partial else Exit.MET


def _simulate(
    scenario: Scenario,
    options: RunOptions,
    precision: float | None,
    max_time: float | None,
    uncertain: Path | None,
) -> Result:
    with shown(scenario.name) as progress, stopped():
        return simulate(
            scenario,
            options.years,
            options.seed,
            jobs=options.jobs,
            precision=precision,
            max_time=max_time,
            parameters_uncertain=uncertain,
            progress=progress,
        )


@contextmanager
def stopped() -> Iterator[None]:
    """Say in one line why there is no answer: a study was stopped too soon, or terms leave a gap."""
    try:
        yield
    except NothingSimulatedError as error:
        text = f"{error}: nothing is known yet"
        raise (StoppedError if "interrupted" in text else CallsimError)(text) from None
    except GapError as error:
        raise CallsimError(str(error)) from None


def _answer(result: Result, quiet: bool) -> str:
    if quiet:
        return report.verdict_line(result)
    height = shutil.get_terminal_size((80, 40)).lines
    try:
        "█".encode(sys.stdout.encoding)
        blocks = "█"
    except UnicodeEncodeError:
        blocks = "#"
    return report.terminal(result, answer_width(), height, blocks)


def compare(paths: tuple[Path, ...], options: RunOptions) -> Exit:
    """Simulate scenarios with common random numbers, print how they differ from the first."""
    check_target(options.json)
    scenarios = load_all((path, options.overrides) for path in paths)
    names = [str(path) for path in paths] if len({s.name for s in scenarios}) < len(paths) else None
    compared = _compare(scenarios, names, options)
    if options.json != "-":
        say(_verdicts(compared) if options.quiet else side_by_side.comparison(compared, answer_width()))
    if options.json is not None:
        write_json(options.json, compared.to_json())
    return _worst(compared)


def sweep(path: Path, vary: tuple[tuple[str, tuple[str, ...]], ...], options: RunOptions) -> Exit:
    """Simulate a scenario with every combination of values, print a row each, plot the downtime."""
    check_target(options.json)
    combinations = list(itertools.product(*(values for _, values in vary)))
    paths = [name for name, _ in vary]
    given = [[f"{p}={v}" for p, v in zip(paths, values, strict=True)] for values in combinations]
    scenarios = load_all((path, (*options.overrides, *overrides)) for overrides in given)
    with runs.draft(options.out, f"{scenarios[0].name}-sweep") as folder:
        compared = _compare(scenarios, [", ".join(values) for values in combinations], options)
        if options.json != "-":
            say(_verdicts(compared) if options.quiet else side_by_side.sweep(compared, paths, answer_width()))
        with writing(options.out):
            (folder.path / "sweep.json").write_text(json_text(compared.to_json()), encoding="utf-8")
            from callsim.plots import save  # noqa: PLC0415 - matplotlib is slow to import
            from callsim.sweeps import sweep_plot  # noqa: PLC0415

            save(sweep_plot(compared, paths, combinations[: len(compared.results)]), folder.path / "sweep")
        kept = folder.keep(datetime.now().astimezone())
    if options.json is not None:
        write_json(options.json, compared.to_json())
    if not options.quiet and options.json != "-":
        say(f"Files: {kept}")
    return _worst(compared)


def load_all(wanted: Iterable[tuple[Path, tuple[str, ...]]]) -> list[Scenario]:
    """Read scenarios; raises one ScenarioError with what is wrong in all of them."""
    scenarios, problems = [], []
    for path, overrides in wanted:
        try:
            scenarios.append(load(path, overrides))
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return scenarios


def _compare(scenarios: list[Scenario], names: list[str] | None, options: RunOptions) -> Comparison:
    with shown("comparing") as progress, stopped():
        return compare_all(
            scenarios, options.years, options.seed, jobs=options.jobs, names=names, progress=progress
        )


def _verdicts(compared: Comparison) -> str:
    pairs = zip(compared.names, compared.results, strict=True)
    return "\n".join(f"{name}: {report.verdict_line(result)}" for name, result in pairs)


def _worst(compared: Comparison) -> Exit:
    if compared.partial is not None and "interrupted" in compared.partial:
        return Exit.INTERRUPTED
    codes = {result.exit_code for result in compared.results}
    return next((code for code in (Exit.BREACHED, Exit.INCONCLUSIVE) if code in codes), Exit.MET)
