"""Assesses simulated streams under agreements, in whichever process plays them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from callsim.ledgers.own_path import with_own_path
from callsim.ledgers.plan import LedgerPlan, plan_of
from callsim.ledgers.stream import customer_ledger, ledger_of
from callsim.study import Stretch
from carriers.calendars import Zone
from results.timeline import Floats
from sim import Tables
from sim.draws import generator
from sla.assess import assess_case
from sla.assessment import Assessment
from sla.judging import Case
from sla.reckoning import Agreement, Reckoning, matters, reckon

if TYPE_CHECKING:
    from callsim.scenario.model import Scenario


@dataclass(frozen=True)
class LedgerReckoner:
    """Makes the ledger of a stream, and assesses it under each agreement."""

    plan: LedgerPlan
    agreements: tuple[Agreement, ...]
    tables: Tables

    def __call__(self, stretch: Stretch, seed: int) -> tuple[Reckoning, ...]:
        """Return what each agreement makes of the stream."""
        ledger = ledger_of(self.plan, stretch, seed)
        months = _months(self.plan.zone, stretch.years)
        cases: dict[tuple[object, ...], Case] = {}
        made: dict[tuple[object, ...], Assessment] = {}
        with_path = {path.customer for path in self.tables.own_paths}
        found = []
        for agreement in self.agreements:
            name, alike = agreement.customer.name, matters(agreement)
            key = (*alike, name) if name in with_path else alike
            if key not in made:
                own = customer_ledger(self.plan, ledger, name, seed, stretch.stream)
                own = with_own_path(self.tables, self.plan, own, name, stretch.incidents)
                case = cases.setdefault(alike, Case(agreement.terms, own, agreement.customer))
                made[key] = assess_case(case.heard_by(agreement.customer, own))
            rng = generator(seed, stretch.stream, f"claims/{name}")
            found.append(reckon(made[key], ledger, months, rng))
        return tuple(found)


@lru_cache(maxsize=4)
def _months(zone: Zone, years: int) -> Floats:
    """Bounds of the calendar months in POSIX seconds."""
    return zone.origin + zone.month_starts(years)


def reckoner_of(scenario: Scenario, tables: Tables, agreements: Sequence[Agreement]) -> LedgerReckoner | None:
    """Make what assesses a scenario's streams; None without an agreement."""
    if not agreements:
        return None
    return LedgerReckoner(plan_of(scenario, tables), tuple(agreements), tables)
