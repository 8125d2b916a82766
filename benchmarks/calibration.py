"""How often `validate` raises a false alarm, and how often it finds what it asked the data for.

Records are made of the scenario itself, and with its repairs twice as long, both as long as `validate` asks
for on seeing 28 days.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rows import ROOT, Row, Rows, machine, table

from callsim.build import build
from callsim.plan import load_plan
from callsim.plan.model import Plan
from callsim.scenario.load import load_scenario
from callsim.validating.departing import more_failures, slower_repairs
from callsim.validating.facts import Facts
from callsim.validating.judging import MTTR, Reference, judge, refer
from callsim.validating.legs import Matching, match
from callsim.validating.pattern import Pattern, of_plan
from callsim.validating.sampling import Part, played
from callsim.validating.states import Streets
from results.agreement import Agreement
from sim import Tables

FOLDER = ROOT / "benchmarks"
SEED = 20261123
SINCE = 1_780_000_000.0
DAYS = 28.0
DAY = 86400.0
MOST_FALSE, LEAST_FOUND = 18, 170
"""Of 200 trials."""


@dataclass(frozen=True)
class Case:
    """A scenario with the plan that probes it."""

    tables: Tables
    plan: Plan
    matching: Matching

    def pattern(self, days: float) -> Pattern:
        """Give the plan's own slots."""
        found = of_plan(self.plan, self.matching, SINCE, days)
        assert found is not None
        return found

    def refer(self, days: float, seed: int, jobs: int) -> Reference:
        """Simulate what is predicted of so many days."""
        return refer([self.tables], self.plan, self.matching, {}, self.pattern(days), seed=seed, jobs=jobs)

    def records(self, tables: Tables, days: float, trials: int, seed: int) -> Iterator[Mapping[str, Facts]]:
        """Make records of so many days, by other random numbers than the reference's."""
        part = Part(tables, self.pattern(days), trials)
        streets = Streets(tables, self.matching)
        for number, (count, years) in enumerate(part.streams()):
            yield from played(part, streets, self.matching, seed, (number, count, years))


def case() -> Case:
    """Read the scenario and the plan of the trials."""
    tables = build(load_scenario(FOLDER / "calibration-scenario.yaml"))
    plan = load_plan(FOLDER / "calibration-plan.yaml")
    return Case(tables, plan, match(plan, tables, {}))


def alarms(reference: Reference, records: Iterator[Mapping[str, Facts]]) -> int:
    """Count the records that are said to be inconsistent."""
    return sum(judge(reference, facts).verdict is Agreement.INCONSISTENT for facts in records)


def asked_days(short: Reference) -> int:
    """Days that `validate` asks for, to find repairs twice as long by any figure."""
    alpha = 0.05 / len(short.tests)
    return math.ceil(short.needed(MTTR, alpha)[1] / DAY)


def calibration(times: float, jobs: int) -> Rows:
    """Judge records that are made of the scenario itself, and of others, as long as `validate` asks for."""
    trials = max(round(200 * times), 20)
    one = case()
    short = one.refer(DAYS, SEED, jobs)
    false = alarms(short, one.records(one.tables, DAYS, trials, SEED + 1))
    allowed, wanted = (limit * trials / 200 for limit in (MOST_FALSE, LEAST_FOUND))
    what = f"{DAYS:.0f} days, {len(short.tests)} figures together: inconsistent"
    yield Row(
        f"{what} with the scenario itself", f"{false} of {trials}", f"at most {allowed:.0f}", false <= allowed
    )
    days = asked_days(short)
    long = one.refer(days, SEED + 2, jobs)
    for name, tables, target, held in (
        ("the scenario itself", one.tables, f"at most {allowed:.0f}", lambda said: said <= allowed),
        (
            "repairs twice as long",
            slower_repairs(one.tables, 2.0),
            f"at least {wanted:.0f}",
            lambda said: said >= wanted,
        ),
        ("failures twice as often", more_failures(one.tables, 2.0), "", lambda _: True),
    ):
        said = alarms(long, one.records(tables, days, trials, SEED + 3))
        yield Row(f"{days} days, as it asks for: {name}", f"{said} of {trials}", target, held(said))


if __name__ == "__main__":
    table(calibration(1.0, 2), machine(1.0))
