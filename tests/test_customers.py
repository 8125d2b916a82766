"""Terms and customers in a scenario: where they are read, whose clock they go by."""

import jsonschema
import pytest

from callsim.scenario.load import check_files, load_scenario, scenario_hash
from callsim.scenario.schema import json_schema
from callsim.scenario.tree import parse
from carriers.hours import parse_hours
from carriers.laws import Fixed

SCENARIO = """\
name: small
starts: 2026-03-01
timezone: Europe/London
platform:
  groups:
    - {name: pbx, units: 2, need: 1, failures: [{mode: hardware, mtbf: 100d, repair: 2h}]}
"""
TERMS = """\
name: silver
objectives: [{name: availability, at_least: 99.9%}]
"""
SUPPORT = """\
support:
  P1: {notice: 1m, respond: 5m}
  priority: {service_down: P1, redundancy_lost: P1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with terms in it, below the one that is worked in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below" / "slas").mkdir(parents=True)
    (tmp_path / "below" / "slas" / "silver.yaml").write_text(TERMS)
    return tmp_path


def written(folder, more):
    file = folder / "below" / "small.yaml"
    file.write_text(SCENARIO + more)
    return "below/small.yaml"


def test_a_file_of_terms_is_found_beside_the_scenario_and_keeps_its_own_zone(folder):
    scenario = load_scenario(written(folder, "sla: slas/silver.yaml\n"))
    assert scenario.sla.name == "silver"
    assert scenario.sla.measured.timezone == "UTC"


@pytest.mark.parametrize(
    ("measured", "zone"),
    [
        ("", "Europe/London"),
        (", measured: {by: time}", "Europe/London"),
        (", measured: {timezone: UTC}", "UTC"),
    ],
)
def test_terms_written_out_go_by_the_scenarios_clock_unless_they_say_otherwise(folder, measured, zone):
    terms = f"{{objectives: [{{name: mttr, at_most: 1h}}]{measured}}}"
    for more in (f"sla: {terms}\n", f"customers: [{{name: acme, sla: {terms}}}]\n"):
        scenario = load_scenario(written(folder, more))
        found = scenario.sla or scenario.customers[0].sla
        assert found.measured.timezone == zone


def test_mistakes_in_a_file_of_terms_are_told_with_its_own_lines(folder):
    (folder / "below" / "slas" / "silver.yaml").write_text(
        TERMS.replace("99.9%", "0.999").replace("name: s", "nam: s")
    )
    assert [str(problem) for problem in check_files([written(folder, "sla: slas/silver.yaml\n")])] == [
        "below/small.yaml:7: sla: below/slas/silver.yaml:1: nam: unknown key; did you mean 'name'?",
        "below/small.yaml:7: sla: below/slas/silver.yaml:2: objectives.availability.at_least: 0.999 has no "
        "unit; write a share in percent, like 5%",
    ]


def test_the_hash_sees_what_is_in_a_file_of_terms(folder):
    file = written(folder, "sla: slas/silver.yaml\n")
    before = scenario_hash(load_scenario(file))
    (folder / "below" / "slas" / "silver.yaml").write_text(TERMS.replace("99.9%", "99.95%"))
    assert scenario_hash(load_scenario(file)) != before


def test_customers_are_read_as_they_are_written(folder):
    more = (
        "sla: slas/silver.yaml\n"
        "customers:\n"
        "  - {name: acme, users: 120, fee: 4200/month, fees: {usage: 300.50/month}, has: [geo_redundant],\n"
        "     handsets: {count: 120, mtbf: 12y, exchange: 2d}}\n"
        "  - {name: bolt, sla: {objectives: [{name: mttr, at_most: 1h}]}}\n"
    )
    acme, bolt = load_scenario(written(folder, more)).customers
    assert (acme.users, acme.fee, acme.fees, acme.has) == (120, 4200.0, {"usage": 300.5}, ("geo_redundant",))
    assert (acme.handsets.count, acme.handsets.exchange) == (120, Fixed(2 * 86400.0))
    assert (bolt.users, bolt.fee, bolt.handsets, bolt.sla.objectives[0].target) == (None, None, None, 3600.0)
    jsonschema.Draft202012Validator(json_schema()).validate(parse(SCENARIO + more).data)


def test_requests_stand_beside_the_priorities(folder):
    more = SUPPORT + (
        "  notify: 10m\n"
        "  requests:\n"
        "    - {kind: ticket, priority: P4, every: 2d, respond: 1h, resolve: 8h,\n"
        '       hours: "Mon-Fri 09:00-17:00"}\n'
    )
    scenario = load_scenario(written(folder, more))
    assert list(scenario.support.priorities) == ["P1"]
    assert scenario.support.notify == Fixed(600.0)
    (asked,) = scenario.support.requests
    assert (asked.kind, asked.priority, asked.hours) == ("ticket", "P4", parse_hours("Mon-Fri 09:00-17:00"))
    jsonschema.Draft202012Validator(json_schema()).validate(parse(SCENARIO + more).data)


def test_support_acts_on_what_is_promised_or_asked_for_or_does_nothing(folder):
    assert [problem.message for problem in check_files([written(folder, SUPPORT)])] == [
        "does nothing; nothing is promised, and no repair is in stages, like `repair: {time: 2h}`"
    ]
    assert check_files([written(folder, SUPPORT + "sla: slas/silver.yaml\n")]) == []
