"""Writes the documents whose figures come from runs.

That is docs/validation.md, or with --readme the example of README.md with its picture.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from oracle_runs import CONFIDENCE, SEEDS, Oracle, Score, oracles, score

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "validation.md"
README = ROOT / "README.md"
PICTURES = ROOT / "docs"
EXAMPLE = "scenarios/five-nines.yaml"
LARGEST_Z = 4.0
TIMING = re.compile(r"in [\d,.]+ s \([\d,]+ a second\)")
"""What differs from run to run of the same scenario."""

HEAD = """\
# Validation: the simulator against what is known exactly

Each model below has an exact long-run unavailability, by a closed form or by the stationary distribution of
a Markov chain. `tests/oracles/` has each as an ordinary scenario with its source. It is run like any other,
through repairs, crews, groups, outage accounting and estimates, once with each of the seeds {first} to
{last}. An estimate is judged by the interval that it prints itself: z is its distance from the exact value in
standard errors, taken as the half-width of its {confidence:.0f} % interval over {normal:.2f}.

- **chi-square**: the sum of the {runs} squared z. If estimates and intervals are right it is about {runs},
  and above {limit:.1f} with a chance of 0.1 %.
- **pooled z**: all {runs} estimates together; a bias shows here first. It has to stay within ±{z:g}.
- **half-width**: mean over the seeds of half the interval, as a share of the exact value.

`tests/test_oracles.py` checks the same in `make test`, `make bench` does so with ten times the years. The
seeds are fixed and published: none was chosen after the fact.

"""
FOOT = """
Written by `python benchmarks/validate.py` ({command}).
"""


def scores(times: float, jobs: int) -> Iterator[tuple[Oracle, Score]]:
    """Score every oracle, `times` as long as in the tests."""
    for oracle in oracles():
        yield oracle, score(oracle, times, jobs)


def holds(found: Score) -> bool:
    """Say whether the estimates agree with the exact value."""
    return found.chi_square < found.limit and abs(found.pooled_z) < LARGEST_Z


def half_width(found: Score) -> float:
    """Mean half-width of the intervals, as a share of the exact value."""
    return sum(found.half_widths) / len(found.half_widths)


def validation(times: float, jobs: int) -> str:
    """Return the text of docs/validation.md."""
    lines = [
        f"| Model | exact unavailability | mean of {len(SEEDS)} "
        "| half-width | chi-square | pooled z | years a run |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for oracle, found in scores(times, jobs):
        agrees = "" if holds(found) else " **disagrees**"
        lines.append(
            f"| [{oracle.model}](../tests/oracles/{oracle.file}) | {oracle.exact:.6e} | {found.mean:.6e} "
            f"| {100 * half_width(found):.1f} % | {found.chi_square:.1f}{agrees} | {found.pooled_z:+.2f} "
            f"| {round(oracle.years * times):,} |"
        )
        print(lines[-1], flush=True)
    head = HEAD.format(
        first=SEEDS[0],
        last=SEEDS[-1],
        runs=len(SEEDS),
        confidence=100 * CONFIDENCE,
        normal=stats.norm.isf((1 - CONFIDENCE) / 2),
        limit=stats.chi2.isf(0.001, len(SEEDS)),
        z=LARGEST_Z,
    )
    command = "the years of the tests" if times == 1 else f"{times:g} times the years of the tests"
    return head + "\n".join(lines) + "\n" + FOOT.format(command=command)


@dataclass(frozen=True)
class Example:
    """A command of the README, with the picture that it leaves."""

    arguments: tuple[str, ...]
    picture: str
    kept_as: Path

    @property
    def line(self) -> str:
        """The command as the README has it."""
        return f"$ callsim {' '.join(self.arguments)}\n"

    def printed(self, out: Path, jobs: int) -> str:
        """Return what it prints, without where its files are; they go to `out`."""
        done = subprocess.run(
            [sys.executable, "-m", "callsim", *self.arguments, "--jobs", str(jobs), "--out", str(out)],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "80", "LINES": "60", "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"callsim {' '.join(self.arguments)} ended with {done.returncode}")
        return done.stdout.partition("\nFiles: ")[0]

    def within(self, readme: str, printed: str) -> str:
        """Return the README with other output: the block that follows the command."""
        before, command, after = readme.partition(self.line)
        _, fence, rest = after.partition("```")
        if not fence:
            raise SystemExit(f"README.md has no block that begins with {self.line}")
        return before + command + printed.rstrip("\n") + "\n" + fence + rest


EXAMPLES = (
    Example(("run", EXAMPLE), "downtime.png", PICTURES / "five-nines.png"),
    Example(("promise", EXAMPLE, "--objective", "availability"), "promise.png", PICTURES / "promise.png"),
)


def write_readme(jobs: int) -> None:
    """Refresh the examples of the README and their pictures."""
    for example in EXAMPLES:
        with TemporaryDirectory() as out:
            printed = example.printed(Path(out), jobs)
            (picture,) = Path(out).glob(f"*/{example.picture}")
            example.kept_as.write_bytes(picture.read_bytes())
        README.write_text(example.within(README.read_text("utf-8"), printed), "utf-8")


def main() -> None:
    """Write the documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--times",
        type=float,
        default=1.0,
        help="multiply the years of every run; much below 1 some have too few outages for an interval",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--readme", action="store_true", help="refresh README.md instead")
    parser.add_argument("--print", action="store_true", help="write no file")
    options = parser.parse_args()
    if options.readme:
        write_readme(options.jobs)
        return
    text = validation(options.times, options.jobs)
    if not options.print:
        FILE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
