"""A scenario with its carriers' failures refitted to what probes saw of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callsim import figures
from callsim.agreements.uncertainty import Uncertain
from callsim.fitting.carrier_file import carrier_file
from callsim.fitting.from_store import record_of
from callsim.fitting.observed import LEAST_SEEN, Observed
from callsim.fitting.pairs import Pair, fit_all
from callsim.live.setup import policy_of
from callsim.plan.model import Expect, Plan
from callsim.reading.looking import Looked
from callsim.scenario.calls import Carrier
from callsim.scenario.faults import CarrierFailure, Maintenance, Refuses, Silent, Slow, StagedRepair
from callsim.scenario.laws_in import Found, find_law
from callsim.scenario.model import Scenario
from callsim.scenario.tree import parse
from callsim.scenario.uncertain import Parameter
from results.fitting.spells import Record

MEASURED = "measured"
"""What the failure is called that stands in place of a scenario's own."""
STOPPING = ("silent", "trying_only", "refuses")
"""Modes in which no call, or not every one, gets through: each probe may meet them."""
SPOILING = {
    "poor_audio": ("mos_at_least", "mos_lqo_at_least", "loss_at_most", "jitter_at_most"),
    "one_way_audio": ("two_way_audio", "mos_lqo_at_least", "silence_at_most", "echo_within", "dtmf"),
}
"""What a test has to expect to see the others."""


@dataclass(frozen=True)
class Assumed:
    """What a scenario assumed of some failures together; means, seconds."""

    modes: tuple[str, ...]
    mtbf: float
    repair: float


@dataclass(frozen=True)
class Refitted:
    """A carrier whose failures were replaced."""

    carrier: str
    mode: str
    """In which the measured failure is taken to come."""
    assumed: Assumed | None
    """What it replaces; None: the scenario knew no such failure."""
    pair: Pair
    repair_assumed: bool
    """Whether its repair is the scenario's, because none was seen to its end."""


@dataclass(frozen=True)
class Refit:
    """The scenario that a review goes by."""

    uncertain: Uncertain
    carriers: tuple[Refitted, ...]
    """None where too little was seen of each."""
    left: tuple[str, ...]
    """Carriers that were not, and why."""
    stays: tuple[str, ...]
    """What else is assumed as before, and why."""

    @property
    def scenario(self) -> Scenario:
        """The scenario with the most likely laws."""
        return self.uncertain.scenario


def seen_only(seconds: float) -> str:
    """Say for how long something was seen that was seen for too little to go by."""
    return f"seen for {figures.plain_duration(seconds)} only, a day is needed"


def refit(scenario: Scenario, plan: Plan, looked: Looked, source: str, seed: int) -> Refit:
    """Put what was seen of a carrier, if for long enough, in place of what a scenario assumes of it."""
    known = {carrier.name for carrier in scenario.carriers}
    mine = dict.fromkeys(trunk.carrier for trunk in plan.trunks)
    sights = looked.seen.whole
    seen = {
        name: sights[name].known
        for name in mine
        if name in known and name in sights and sights[name].known > 0
    }
    records: dict[str, tuple[Record, ...]] = {
        name: (record_of(sights[name]),) for name, seconds in seen.items() if seconds >= LEAST_SEEN
    }
    observed = Observed(
        source, None, looked.since, looked.until, "the time reviewed", records, 1.0, unknown_mode=True
    )
    pairs = fit_all(observed, scenario.simulation.confidence, seed)
    laws, listed = _written(observed, pairs) if pairs else ({}, [])
    carriers, made = [], []
    for carrier in scenario.carriers:
        pair = next((one for one in pairs if one.name == carrier.name), None)
        if pair is None:
            carriers.append(carrier)
            continue
        new, told = _replaced(carrier, pair, laws[carrier.name], plan)
        carriers.append(new)
        made.append(told)
    new_scenario = scenario.model_copy(update={"carriers": tuple(carriers)})
    parameters = [*_still(scenario, new_scenario), *listed]
    found = [find_law(new_scenario, one.path) for one in parameters]
    uncertain = Uncertain(
        new_scenario, source, tuple(parameters), tuple(one for one in found if isinstance(one, Found))
    )
    return Refit(
        uncertain, tuple(made), tuple(_left(new_scenario, made, seen)), tuple(_stays(new_scenario, made))
    )


def _written(observed: Observed, pairs: Sequence[Pair]) -> tuple[dict[str, Silent], list[Parameter]]:
    """Take the laws, and what is not known of them, as a carrier file has them."""
    data = parse(carrier_file(observed, pairs).text).data
    laws, listed = {}, []
    for carrier in data["carriers"]:
        (failure,) = carrier["failures"]
        laws[carrier["name"]] = Silent.model_validate(failure)
    for one in data.get("uncertain", ()):
        _, name, *_, last = one["path"].split(".")
        parameter = {**one, "path": f"carriers.{name}.failures.{MEASURED}.{last}"}
        listed.append(Parameter.model_validate(parameter))
    return laws, listed


def _replaced(carrier: Carrier, pair: Pair, laws: Silent, plan: Plan) -> tuple[Carrier, Refitted]:
    alone = len(carrier.trunks) == 1
    seen = [one for one in carrier.failures if (alone or one.trunk is None) and _visible(one, carrier, plan)]
    stopping = [one for one in seen if one.mode in STOPPING]
    main = max(stopping, key=_downtime, default=None)
    repair = laws.repair
    guessed = pair.repairs.fitted.best is None
    if guessed and main is not None and not isinstance(main, Maintenance):
        repair = main.repair
    update: dict[str, Any] = {"name": MEASURED, "trunk": None, "mtbf": laws.mtbf, "repair": repair}
    if isinstance(main, Refuses):
        update["share"] = 1.0
    new = (laws if main is None else main).model_copy(update=update)
    left = tuple(one for one in carrier.failures if all(one is not other for other in seen))
    told = Refitted(carrier.name, new.mode, _assumed(seen), pair, guessed)
    return carrier.model_copy(update={"failures": (*left, new)}), told


def _visible(failure: CarrierFailure, carrier: Carrier, plan: Plan) -> bool:
    """Whether the plan's probes of a carrier fail while it fails so."""
    if isinstance(failure, Maintenance):
        return False
    wants = list(_expected(carrier.name, plan))
    if isinstance(failure, Slow):
        limits = [policy_of(plan).progress_timeout]
        limits += [limit for one in wants for limit in (one.ringing_within, one.answered_within) if limit]
        return failure.post_dial_delay.mean > min(limits)
    keys = SPOILING.get(failure.mode, ())
    return failure.mode in STOPPING or any(getattr(one, key) for one in wants for key in keys)


def _expected(carrier: str, plan: Plan) -> Iterator[Expect]:
    for test in plan.tests:
        if any(over.partition("/")[0] == carrier for over in test.over or ()):
            yield test.expect


def _repair_mean(failure: CarrierFailure) -> float:
    assert not isinstance(failure, Maintenance)  # planned work is never seen as a failure
    return (failure.repair.time if isinstance(failure.repair, StagedRepair) else failure.repair).mean


def _downtime(failure: CarrierFailure) -> float:
    assert not isinstance(failure, Maintenance)
    return _repair_mean(failure) / failure.mtbf.mean


def _assumed(failures: Sequence[CarrierFailure]) -> Assumed | None:
    """Sum up failures that race: their rates add up."""
    rates = [1.0 / one.mtbf.mean for one in failures if not isinstance(one, Maintenance)]
    if not rates:
        return None
    rate = sum(rates)
    repair = sum(share * _repair_mean(one) for share, one in zip(rates, failures, strict=True)) / rate
    return Assumed(tuple(dict.fromkeys(one.mode for one in failures)), 1.0 / rate, repair)


def _still(old: Scenario, new: Scenario) -> Iterator[Parameter]:
    """Give the scenario's own uncertain parameters that are about what it was."""
    for parameter in old.uncertain:
        before, after = find_law(old, parameter.path), find_law(new, parameter.path)
        if isinstance(before, Found) and isinstance(after, Found) and before.law == after.law:
            yield parameter


def _left(scenario: Scenario, made: Sequence[Refitted], seen: Mapping[str, float]) -> Iterator[str]:
    """Name the carriers that were not refitted; `seen` is for how many seconds each was."""
    refitted = {one.carrier for one in made}
    for carrier in scenario.carriers:
        if carrier.name not in refitted:
            why = f"{seen_only(seen[carrier.name])} to refit" if carrier.name in seen else "not probed"
            yield f"{carrier.name} ({why})"


def _stays(scenario: Scenario, made: Sequence[Refitted]) -> Iterator[str]:
    refitted = {one.carrier: one for one in made}
    for carrier in scenario.carriers:
        if carrier.name not in refitted:
            continue
        left = dict.fromkeys(one.mode for one in carrier.failures if one.name != MEASURED)
        if left:
            yield f"{carrier.name}'s {', '.join(mode.replace('_', ' ') for mode in left)}"
        if refitted[carrier.name].repair_assumed:
            yield f"{carrier.name}'s repair (none was seen)"
    if scenario.shared_risks:
        yield f"shared risk{'s' * (len(scenario.shared_risks) > 1)} " + ", ".join(
            one.name for one in scenario.shared_risks
        )
    if scenario.platform is not None:
        yield "our own platform"
    if scenario.traffic is not None and scenario.traffic.inbound:
        yield "calls to us"
