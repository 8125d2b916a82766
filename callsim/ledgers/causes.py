"""Names of causes, as cause sets have them, with whose matter each is."""

from __future__ import annotations

from collections.abc import Iterator

from callsim.scenario.faults import CarrierFailure, SharedRisk, SiteFailure
from callsim.scenario.model import Scenario
from callsim.scenario.platform import Group, Site
from callsim.scenario.voice import OwnPath
from results.ledger import Blame


def mode_name(failure: SiteFailure | CarrierFailure | SharedRisk) -> str:
    """What a failure is called among those of its owner."""
    named = None if isinstance(failure, SiteFailure | SharedRisk) else failure.name
    return named or failure.mode


def cause_name(owner: str, failure: SiteFailure | CarrierFailure | SharedRisk) -> str:
    """What a failure of this site, group, carrier or shared risk is called: `atlantic/silent`."""
    return f"{owner}/{mode_name(failure)}"


_SEGMENT_BLAMES = {"internet": Blame.THIRD_PARTY, "access": Blame.ACCESS}
"""Whose matter the path's segments are, where they are not of the one whose path it is."""


def blames_of(scenario: Scenario) -> dict[str, Blame]:
    """Whose matter each cause of a scenario is, by its name."""
    found = {name: Blame(blame) if blame else default for name, blame, default in _causes(scenario)}
    changes = scenario.platform.changes if scenario.platform else ()
    # What has no fault can spoil a call as well, by its usual quality.
    found |= {carrier.name: Blame.CARRIER for carrier in scenario.carriers}
    if scenario.path is not None:
        found |= {name: _SEGMENT_BLAMES.get(name, Blame.PROVIDER) for name, _ in scenario.path.segments}
        found |= {"mobile": Blame.THIRD_PARTY} if scenario.path.mobile else {}
    return found | {change.name: Blame.MAINTENANCE for change in changes}


def _causes(scenario: Scenario) -> Iterator[tuple[str, str | None, Blame]]:
    """Give name, blame as written, and blame where none is written."""
    platform = scenario.platform
    owners: list[Site | Group] = [*platform.sites, *platform.groups] if platform else []
    for owner in owners:
        for failure in owner.failures:
            yield cause_name(owner.name, failure), failure.blame, Blame.PROVIDER
    carriers = {carrier.name for carrier in scenario.carriers}
    for carrier in scenario.carriers:
        for fault in carrier.failures:
            default = Blame.MAINTENANCE if fault.mode == "maintenance" else Blame.CARRIER
            yield cause_name(carrier.name, fault), fault.blame, default
    for risk in scenario.shared_risks:
        default = Blame.CARRIER if carriers.issuperset(risk.takes) else Blame.PROVIDER
        yield cause_name(risk.name, risk), risk.blame, default
    yield from _spoilt(scenario.path, "", Blame.PROVIDER)
    for customer in scenario.customers:
        yield from _spoilt(customer.path, f"{customer.name}/", Blame.CUSTOMER)


def _spoilt(path: OwnPath | None, prefix: str, owner: Blame) -> Iterator[tuple[str, str | None, Blame]]:
    for name, segment in path.segments if path else ():
        for failure in segment.failures:
            default = _SEGMENT_BLAMES.get(name, owner)
            yield cause_name(f"{prefix}{name}", failure), failure.blame, default
