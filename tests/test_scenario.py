"""The scenario language: what is read, overridden, hashed, described and written."""

import datetime as dt
import json
from pathlib import Path

import jsonschema
import pytest

from callsim.errors import ScenarioError, WriteError
from callsim.scenario.faults import Maintenance, OneWayAudio, PoorAudio, Refuses, Silent, StagedRepair
from callsim.scenario.load import check_files, load_scenario, scenario_hash
from callsim.scenario.model import Scenario
from callsim.scenario.platform import AllOf, AnyOf, AtLeastUnits
from callsim.scenario.schema import json_schema
from callsim.scenario.starter import write_starter
from callsim.scenario.tree import parse
from carriers.calendars import ALWAYS, DAY, HOUR
from carriers.hours import parse_hours
from carriers.laws import Empirical, Exponential, Fixed, Gamma, Lognormal, Weibull
from carriers.path import Transit
from carriers.profiles import PROFILES
from sla.objectives import Availability, Downtime, Mtbf, Mttr

ROOT = Path(__file__).parent.parent
READY_MADE = sorted((ROOT / "scenarios").glob("*.yaml"))
STARTER = ROOT / "callsim" / "scenario" / "starter.yaml"
FIVE_NINES = ROOT / "scenarios" / "five-nines.yaml"

SMALL = """\
name: small
starts: 2026-03-01
platform:
  groups:
    - name: pbx
      units: 2
      need: 1
      failures: [{mode: hardware, mtbf: 100d, repair: 2h}]
"""


@pytest.fixture
def small(tmp_path):
    """A file with a small scenario."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def pbx(file: Path, *overrides: str):
    """The group of the small scenario."""
    return load_scenario(file, overrides).platform.groups[0]


# ---- what is read


def test_five_nines_is_read_as_it_is_written():
    scenario = load_scenario(FIVE_NINES)
    assert (scenario.name, scenario.starts, scenario.timezone) == (
        "five-nines",
        dt.date(2026, 1, 1),
        "Europe/London",
    )
    assert scenario.traffic.busy_hour_calls == 1800
    assert scenario.traffic.hold_time == Exponential(190.0)
    assert scenario.traffic.profile == PROFILES["office_hours"]
    assert scenario.service.down_when.failing_calls == 0.05

    sbc, media = scenario.platform.groups
    assert (sbc.units, sbc.need, sbc.standby) == ({"east": 2, "west": 2}, 1, "hot")
    assert (sbc.switchover.within_site, sbc.switchover.between_sites) == (Fixed(8.0), Fixed(90.0))
    assert (sbc.switchover.success, sbc.switchover.otherwise) == (0.995, Fixed(720.0))
    hardware, software = sbc.failures
    assert hardware.mtbf == Exponential(90000 * HOUR)
    assert isinstance(hardware.repair, StagedRepair)
    assert hardware.repair.time == Lognormal(7200.0, 18000.0)
    assert (hardware.repair.crew, hardware.repair.spare, hardware.repair.automatic) == ("field", "sbc", False)
    assert software.repair.automatic
    assert software.common_cause == 0.01
    assert (media.standby, media.switchover, media.count) == ("active", None, 6)

    (crew,) = scenario.platform.crews
    assert (crew.size, crew.call_out, crew.travel) == (1, Fixed(5400.0), Lognormal(2400.0, 7200.0))
    assert crew.hours == parse_hours("Mon-Fri 08:00-18:00")
    assert [(spare.name, spare.stock) for spare in scenario.platform.spares] == [("sbc", 1), ("server", 2)]
    (change,) = scenario.platform.changes
    assert (change.every, change.takes, change.goes_wrong, change.rollback) == (
        60 * DAY,
        "sbc",
        0.02,
        Fixed(1200.0),
    )

    assert scenario.support.priorities["P1"].hours == ALWAYS
    assert scenario.support.priority.redundancy_lost == "P3"

    atlantic, boreal, cirrus = scenario.carriers
    assert len(atlantic.trunks) == 2
    assert (atlantic.channels, atlantic.calls_per_second, atlantic.cost_per_minute) == (240, 10.0, 0.0042)
    assert isinstance(boreal.failures[0], Silent)
    assert boreal.failures[0].repair == Lognormal(1320.0, 10800.0)
    assert isinstance(cirrus.failures[0], Refuses)
    assert isinstance(atlantic.failures[3], PoorAudio)
    assert atlantic.failures[3].transit == Transit(0.09, 2.0, 0.045)
    assert isinstance(atlantic.failures[4], Maintenance)
    assert atlantic.failures[4].notice == 7 * DAY
    assert isinstance(boreal.failures[1], OneWayAudio)
    assert cirrus.quality.transit == Transit(0.003, 1.0, pytest.approx(0.009), 0.080)
    (numbers,) = scenario.numbers
    assert (numbers.home, numbers.share, numbers.forwards.after) == ("atlantic", 1.0, 900.0)
    assert (scenario.traffic.inbound, scenario.traffic.codec) == (0.4, "G.711_with_PLC")
    assert scenario.platform.devices.kept == "within_site"
    assert scenario.routing.poor_calls.mos_below == 3.4

    assert scenario.shared_risks[0].takes == ("atlantic", "boreal")
    assert [route.carrier for route in scenario.routing.routes] == ["atlantic", "boreal", "cirrus"]
    assert scenario.routing.health.hold_down == 120.0
    assert (scenario.routing.failing_calls.share, scenario.routing.failing_calls.hold) == (0.6, 120.0)
    acme, globex = scenario.customers
    assert globex.path.access.link.bandwidth == 2e6
    assert acme.sla == globex.sla
    assert [o.target for o in acme.sla.objectives[:3]] == [0.9999, 0.99999, 1800.0]
    assert (globex.users, globex.fee, globex.handsets.count) == (40, 700.0, 40)
    assert scenario.simulation.seed == 2026


def test_what_is_left_out_has_its_default(small):
    scenario = load_scenario(small)
    assert (scenario.format, scenario.timezone, scenario.title) == (1, "UTC", None)
    assert (scenario.carriers, scenario.routing, scenario.sla, scenario.support) == ((), None, None, None)
    assert (scenario.simulation.years, scenario.simulation.confidence) == (2000, 0.95)
    assert scenario.platform.groups[0].standby == "active"
    assert scenario.platform.works_when is None


@pytest.mark.parametrize(
    ("text", "mtbf", "repair"),
    [
        ("3h", Exponential(3 * HOUR), Fixed(3 * HOUR)),
        ("{exponential: 3h}", Exponential(3 * HOUR), Exponential(3 * HOUR)),
        ("{fixed: 3h}", Fixed(3 * HOUR), Fixed(3 * HOUR)),
        ("{median: 3h, p95: 3h}", Lognormal(3 * HOUR, 3 * HOUR), Lognormal(3 * HOUR, 3 * HOUR)),
        ("{mean: 3h, cv: 0.5}", Gamma(3 * HOUR, 0.5), Gamma(3 * HOUR, 0.5)),
        ("{scale: 3h, shape: 2}", Weibull(3 * HOUR, 2.0), Weibull(3 * HOUR, 2.0)),
    ],
)
def test_a_bare_time_is_fixed_except_between_failures(small, text, mtbf, repair):
    place = "platform.groups.pbx.failures.hardware"
    (failure,) = pbx(small, f"{place}.mtbf={text}", f"{place}.repair={text}").failures
    assert (failure.mtbf, failure.repair) == (mtbf, repair)


def test_recorded_durations_come_from_a_file_beside_the_scenario(small, monkeypatch):
    small.with_name("repairs.csv").write_text('\ufeffrepair time\r\n5m\r\n\r\n"1h30m"\r\n0s\r\n')
    monkeypatch.chdir("/")
    (failure,) = pbx(small, "platform.groups.pbx.failures.hardware.repair={empirical: repairs.csv}").failures
    assert failure.repair == Empirical((300.0, 5400.0, 0.0))


def test_an_override_by_a_name_that_several_have_is_refused(small):
    twice = small.read_text() + (
        "sla: {objectives: [{name: mttr, at_most: 1h}, {name: mttr, at_most: 2h, window: year}]}\n"
    )
    small.write_text(twice)
    with pytest.raises(ScenarioError, match=r"several are called 'mttr'; write 0 or 1"):
        load_scenario(small, ["sla.objectives.mttr.risk=2%"])


def test_objectives_have_a_target_in_seconds_or_as_a_share(small):
    scenario = load_scenario(
        small,
        [
            "sla={objectives: [{name: availability, at_least: 99.9%, risk: 1%},"
            " {name: mttr, at_most: 30m, window: year, risk: 5%},"
            " {name: mtbf, at_least: 60d, risk: 5%}, {name: downtime, at_most: 5m, risk: 5%}]}"
        ],
    )
    kinds = [(type(objective), objective.target, objective.window) for objective in scenario.sla.objectives]
    assert kinds == [
        (Availability, 0.999, None),
        (Mttr, 1800.0, "year"),
        (Mtbf, 60 * DAY, None),
        (Downtime, 300.0, None),
    ]


def test_a_block_diagram_is_a_tree():
    diagram = load_scenario(ROOT / "scenarios" / "geo-redundant.yaml").platform.works_when
    assert diagram == AllOf(
        all=[
            {"any": ["signalling", "emergency"]},
            {"at_least": 5, "units_of": ["media-north", "media-south"]},
        ]
    )
    assert [type(part) for part in diagram.all] == [AnyOf, AtLeastUnits]


def test_a_scenario_is_not_changed_once_it_is_read(small):
    with pytest.raises(ValueError, match="frozen"):
        load_scenario(small).name = "other"


def test_yaml_is_version_1_2(small):
    small.write_text(SMALL.replace("name: pbx", "name: NO"))
    assert load_scenario(small).platform.groups[0].name == "NO"


# ---- what is overridden


def test_list_items_are_overridden_by_name_or_index():
    scenario = load_scenario(
        FIVE_NINES,
        [
            "carriers.boreal.channels=80",
            "carriers.0.failures.silent.mtbf=30d",
            "carriers.atlantic.failures.2.share=50%",
            "routing.routes=[boreal, cirrus]",
            'service.down_when.failing_calls=">10%"',
            "simulation.precision=5%",
        ],
    )
    assert scenario.carriers[1].channels == 80
    assert scenario.carriers[0].failures[0].mtbf == Exponential(30 * DAY)
    assert scenario.carriers[0].failures[2].share == 0.5
    assert [route.carrier for route in scenario.routing.routes] == ["boreal", "cirrus"]
    assert scenario.service.down_when.failing_calls == 0.1
    assert scenario.simulation.precision == 0.05


def test_keys_on_the_way_are_made(small):
    assert load_scenario(small, ["simulation.years=50"]).simulation.years == 50


BAD_OVERRIDES = """
carriers.boreal.channels       | carriers.boreal.channels: no value; write PATH=VALUE, like carriers.boreal.channels=80
carriers.boreal.channels=      | carriers.boreal.channels: no value; write PATH=VALUE, like carriers.boreal.channels=80
carriers.boreal.channels=8x    | carriers.boreal.channels: '8x' is not a count; write a bare number, like 2
carriers.1.channels=8x         | carriers.boreal.channels: '8x' is not a count; write a bare number, like 2
carriers.borael.channels=8     | carriers.borael.channels: no item is called 'borael'; did you mean 'boreal'?
carriers.7.channels=8          | carriers.7.channels: no item is called '7'; there is atlantic, boreal, cirrus
routing.routes.9=boreal        | routing.routes.9: no item is called '9'; there is 0 to 2
customers.acme.fee=4200         | customers.acme.fee: 4200 is not a fee; write one like 4200/month, in the currency of the terms
name.first=x                   | name.first: name is 'five-nines', which has no 'first'
routing.healt.ping_every=9s    | routing.healt: unknown key; did you mean 'health'?
routing.health.ping_evry=9s    | routing.health.ping_evry: unknown key; did you mean 'ping_every'?
support.P1={notice: 1m}        | support.P1.respond: missing; write for example `respond: 15m`
routing.routes=[atlantic       | routing.routes: not YAML here: a bracket that is never closed
routing.routes.0=&a b          | routing.routes.0: an anchor, &a; write the value out where it is used
routing.routes.0=x             | routing.routes.0: no carrier is called 'x'; there is atlantic, boreal, cirrus
routing..order=x               | routing..order: not a path; write PATH=VALUE, like carriers.boreal.channels=80
=5                             | not a path; write PATH=VALUE, like carriers.boreal.channels=80
"""  # noqa: E501


@pytest.mark.parametrize("case", BAD_OVERRIDES.strip().splitlines())
def test_a_bad_override_is_told_by_its_path(case):
    override, _, message = case.partition("|")
    with pytest.raises(ScenarioError) as raised:
        load_scenario(FIVE_NINES, [override.strip()])
    assert str(raised.value) == f"--set {message.strip()}"


def test_all_bad_overrides_are_told_in_one_go():
    with pytest.raises(ScenarioError) as raised:
        load_scenario(FIVE_NINES, ["carriers.x.y=1", "carriers.boreal.channels=2", "name.a=3"])
    assert [problem.path for problem in raised.value.problems] == ["carriers.x.y", "name.a"]


# ---- what is hashed


def test_the_hash_is_of_the_meaning(small):
    original = scenario_hash(load_scenario(small))
    assert len(original) == 16
    assert int(original, 16) >= 0
    for old, new in (
        ("name: small\n", "# a comment\nname:   'small'\n"),
        ("name: small\nstarts: 2026-03-01\n", "starts: 2026-03-01\nname: small\n"),
        ("repair: 2h", "repair: {fixed: 120m}"),
        ("mtbf: 100d", "mtbf: {exponential: 2400h}"),
        ("need: 1", "need: 1\n      standby: active"),
        ("name: small\n", "name: small\ntitle: Small but mine\ntimezone: UTC\n"),
    ):
        small.write_text(SMALL.replace(old, new))
        assert scenario_hash(load_scenario(small)) == original
    for old, new in (
        ("need: 1", "need: 2"),
        ("repair: 2h", "repair: {exponential: 2h}"),
        ("2026-03-01", "2026-04-01"),
        ("repair: 2h", "repair: {time: 2h}"),
        ("name: small\n", "name: small\nsimulation: {seed: 2}\n"),
    ):
        small.write_text(SMALL.replace(old, new))
        assert scenario_hash(load_scenario(small)) != original


def test_the_hash_sees_what_is_in_a_file_of_durations(small):
    csv = small.with_name("repairs.csv")
    override = ["platform.groups.pbx.failures.hardware.repair={empirical: repairs.csv}"]
    hashes = set()
    for text in ("5m\n", "6m\n"):
        csv.write_text(text)
        hashes.add(scenario_hash(load_scenario(small, override)))
    assert len(hashes) == 2


# ---- what is described and written


@pytest.mark.parametrize("file", [*READY_MADE, STARTER], ids=lambda file: file.stem)
def test_ready_made_scenarios_are_right_by_loader_and_schema(file):
    assert check_files([file]) == []
    schema = json_schema()
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
        parse(file.read_text(encoding="utf-8")).data
    )


@pytest.mark.parametrize("file", READY_MADE, ids=lambda file: file.stem)
def test_ready_made_scenarios_say_what_one_learns(file):
    comment = file.read_text(encoding="utf-8").split("\nname:")[0]
    assert "What one learns:" in comment
    assert f"name: {file.stem}\n" in file.read_text(encoding="utf-8")


def test_the_ready_made_scenarios_are_all_there():
    assert [file.stem for file in READY_MADE] == [
        "cheap-hosting",
        "five-nines",
        "geo-redundant",
        "single-carrier",
        "two-carriers-shared-building",
    ]


def test_the_schema_is_one_and_describes_every_key():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    json.dumps(schema, allow_nan=False)
    for name, model in {"Scenario": schema, **schema["$defs"]}.items():
        if name == "Law":
            continue
        assert model["additionalProperties"] is False or name == "Support"
        for key, value in model["properties"].items():
            described = schema["$defs"].get(value.get("$ref", "").removeprefix("#/$defs/"), {}) | value
            assert described.get("description") or "const" in value, f"{name}.{key}"
            assert "null" not in json.dumps(value), f"{name}.{key}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("repair: 2h", "repair: 2"),
        ("repair: 2h", "repair: {median: 2h}"),
        ("repair: 2h", "repair: {time: 2h, craw: x}"),
        ("need: 1", "need: '1'"),
        ("need: 1", "ned: 1"),
        ("units: 2", "units: {east: 0}"),
        ("2026-03-01", "2026-03-02"),
        ("name: small", "name: small\ntimezone:"),
        ("name: small", "name: small\nsla: {objectives: {}}"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(small, old, new):
    small.write_text(SMALL.replace(old, new))
    assert check_files([small])
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(parse(small.read_text()).data)


def test_the_schema_tells_defaults_as_one_writes_them():
    routing = json_schema()["$defs"]["Routing"]["properties"]
    simulation = json_schema()["$defs"]["Simulation"]["properties"]
    assert (routing["no_reply_timeout"]["default"], routing["max_attempts"]["default"]) == ("4s", 4)
    assert simulation["confidence"]["default"] == "95%"
    down = json_schema()["$defs"]["DownWhen"]["properties"]
    access = json_schema()["$defs"]["Access"]["properties"]
    assert down["failing_calls"]["default"] == ">5%"
    assert (access["data"]["default"], access["buffer"]["default"]) == ("0bit/s", "100ms")


def test_the_schema_names_each_part_once():
    assert not [name for name in json_schema()["$defs"] if "__" in name]


def test_the_starter_is_written_once(tmp_path):
    file = write_starter(tmp_path / "new" / "folder")
    assert file.name == "my-service.yaml"
    assert isinstance(load_scenario(file), Scenario)
    file.write_text("mine")
    with pytest.raises(WriteError) as raised:
        write_starter(file.parent)
    assert str(raised.value) == f"{file}: is there already; name another folder, or move it away"
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError) as raised:
        write_starter(tmp_path / "file" / "folder")
    assert str(raised.value) == f"{tmp_path}/file/folder/my-service.yaml: cannot be written: not a directory"
    with pytest.raises(WriteError) as raised:
        write_starter(tmp_path / "file")
    assert str(raised.value) == f"{tmp_path}/file: is there already; name another folder, or move it away"
