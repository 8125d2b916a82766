"""The scenario language: what may stand in a file, how it is read, everything that can be wrong with it."""

from callsim.scenario.load import check_files, load_scenario, scenario_hash
from callsim.scenario.model import Scenario
from callsim.scenario.paths import apply_overrides
from callsim.scenario.schema import json_schema
from callsim.scenario.starter import write_starter

__all__ = [
    "Scenario",
    "apply_overrides",
    "check_files",
    "json_schema",
    "load_scenario",
    "scenario_hash",
    "write_starter",
]
