"""Scenarios played for tests of ledgers."""

import pickle
from pathlib import Path

from callsim.build import build
from callsim.ledgers.plan import plan_of
from callsim.ledgers.stream import ledger_of
from callsim.scenario.load import load_scenario
from callsim.study import Stretch
from results.outages import DownRule, find_outages
from sim import simulate

SCENARIOS = Path(__file__).parent.parent / "scenarios"
SEED = 7

PBX = """\
name: pbx
starts: 2026-01-01
timezone: Europe/London
platform:
  groups:
    - name: pbx
      units: 2
      need: 2
      failures: [{mode: hardware, mtbf: %(mtbf)s, repair: {time: %(repair)s}}]
%(changes)s
support:
  P1: {notice: %(notice)s, respond: 10m}
  P3: {notice: 5m, respond: 2h}
  priority: {service_down: P1, redundancy_lost: P3}
%(more)s
sla:
  objectives: [{name: availability, at_least: 99.9%%}]
"""
CARRIER = """\
name: carrier
starts: 2026-01-01
timezone: Europe/London
traffic: {busy_hour_calls: 600, hold_time: 3m}
carriers:
  - name: atlantic
    trunks: ["sip:sbc1.atlantic.example"]
    failures:
      - {mode: silent, mtbf: 30d, repair: 1h}
      - {mode: maintenance, every: 30d, window: "Tue 01:00-05:00", lasts: 45m, notice: 7d}
routing: {order: priority, routes: [atlantic]}
"""


class Played:
    """A scenario with one of its streams."""

    def __init__(self, file, years=10, stream=0):
        self.scenario = load_scenario(file)
        tables = build(self.scenario)
        self.plan = pickle.loads(pickle.dumps(plan_of(self.scenario, tables)))
        run = next(simulate(tables, [(stream, years)], SEED))
        rule = DownRule(tables.down_above)
        self.outages = find_outages(run.timeline, run.incidents, tables.zone, rule)
        self.stretch = Stretch(stream, years, run.timeline, run.incidents, self.outages)
        self.ledger = ledger_of(self.plan, self.stretch, SEED)

    def blames(self, row):
        """Classes of the causes of a row."""
        table = self.ledger.outages
        return {cause.blame for cause in table.cause_sets[table.causes[row]]}


def play(folder, text, years=10, **values):
    """Write a scenario, and play it."""
    defaults = {"mtbf": "30d", "repair": "1h", "notice": "2m", "changes": "", "more": ""}
    file = folder / "scenario.yaml"
    file.write_text(text % (defaults | values) if "%(" in text else text)
    return Played(file, years)
