"""From a scenario, as people write it, to the tables that a simulation plays."""

from __future__ import annotations

from callsim.build_voice import (
    devices_of,
    numbers_of,
    own_paths_of,
    segment_units,
    traffic_of,
    voice_of,
)
from callsim.ledgers.causes import cause_name, mode_name
from callsim.routing_policy import routing_policy
from callsim.scenario import calls, faults, platform
from callsim.scenario.model import Scenario
from carriers import policy
from carriers.calendars import DAY, Zone
from carriers.faults import Fault, Kind
from carriers.laws import Fixed, Law
from carriers.path import CLEAR
from sim import tables

WARM_UP = 365 * DAY
"""Alike for every scenario, so that two that are compared have the same clocks at the same time."""


def build(scenario: Scenario) -> tables.Tables:
    """Make the tables of a scenario."""
    return _Builder(scenario).build()


class _Builder:
    """Numbers units, groups, trunks and faults while it goes through a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.platform = scenario.platform
        self.units: list[tables.Unit] = []
        self.groups: list[tables.Group] = []
        self.faults: list[Fault] = []
        self.trunks: list[policy.Trunk] = []
        self.carriers: list[policy.Carrier] = []
        self.sites: dict[str, list[int]] = {}
        crews = self.platform.crews if self.platform else ()
        spares = self.platform.spares if self.platform else ()
        self.crew_numbers = {crew.name: n for n, crew in enumerate(crews)}
        self.spare_numbers = {spare.name: n for n, spare in enumerate(spares)}

    def build(self) -> tables.Tables:
        """Go through the scenario in the order in which it is written."""
        if self.platform is not None:
            self._hardware(self.platform)
            self._sites(self.platform)
        for carrier in self.scenario.carriers:
            self._carrier(carrier)
        for risk in self.scenario.shared_risks:
            self._shared_risk(risk)
        self.units += segment_units(self.scenario, self._segment_mode)
        return tables.Tables(
            zone=Zone(self.scenario.starts, self.scenario.timezone),
            units=tuple(self.units),
            groups=tuple(self.groups),
            works=self._works(),
            crews=self._crews(),
            spares=self._spares(),
            support=self._support(),
            changes=self._changes(),
            faults=tuple(self.faults),
            carriers=tuple(self.carriers),
            routing=self._routing(),
            traffic=traffic_of(self.scenario),
            numbers=numbers_of(self.scenario),
            devices=devices_of(self.scenario),
            voice=voice_of(self.scenario),
            own_paths=own_paths_of(self.scenario),
            failing=frozenset(self.scenario.service.failing),
            down_above=self.scenario.service.down_when.failing_calls,
            warm_up=WARM_UP,
        )

    # ---- our own platform

    def _hardware(self, spec: platform.Platform) -> None:
        for number, group in enumerate(spec.groups):
            places = group.units.items() if isinstance(group.units, dict) else [("", group.units)]
            members = []
            for site, count in places:
                for n in range(1, count + 1):
                    name = f"{group.name}-{site}-{n}" if site else f"{group.name}-{n}"
                    members.append(len(self.units))
                    self.sites.setdefault(site, []).append(len(self.units))
                    modes = tuple(self._mode(group.name, failure) for failure in group.failures)
                    at = [s.name for s in spec.sites].index(site) if site else None
                    self.units.append(tables.Unit(name, modes, number, at))
            self.groups.append(
                tables.Group(
                    name=group.name,
                    units=tuple(members),
                    need=group.need,
                    standby=tables.Standby(group.standby),
                    switchover=_switchover(group.switchover),
                    test_every=group.standby_test,
                )
            )

    def _mode(self, owner: str, failure: faults.SiteFailure, fault: int | None = None) -> tables.Mode:
        grouped = failure if isinstance(failure, faults.GroupFailure) else None
        return tables.Mode(
            name=failure.mode,
            cause=cause_name(owner, failure),
            mtbf=failure.mtbf,
            repair=self._repair(failure.repair),
            common_cause=grouped.common_cause if grouped else 0.0,
            standby_mtbf=grouped.standby_mtbf if grouped else None,
            latent=grouped.latent if grouped else False,
            fault=fault,
        )

    def _segment_mode(self, owner: str, failure: faults.SiteFailure, fault: Fault) -> tables.Mode:
        return self._mode(owner, failure, self._fault(fault))

    def _repair(self, repair: Law | faults.StagedRepair) -> tables.Repair:
        if not isinstance(repair, faults.StagedRepair):
            return tables.Repair(repair)
        if repair.automatic:
            return tables.Repair(repair.time)
        return tables.Repair(
            time=repair.time,
            staged=True,
            crew=self.crew_numbers[repair.crew] if repair.crew else None,
            spare=self.spare_numbers[repair.spare] if repair.spare else None,
        )

    def _sites(self, spec: platform.Platform) -> None:
        for site in spec.sites:
            modes = tuple(self._mode(site.name, failure) for failure in site.failures)
            taken = tuple(self.sites.get(site.name, ()))
            self.units.append(tables.Unit(site.name, modes, takes_units=taken))

    def _works(self) -> tables.Works | None:
        if self.platform is None or self.platform.works_when is None:
            return None
        return self._node(self.platform.works_when)

    def _node(self, node: object) -> tables.Works:
        numbers = {group.name: n for n, group in enumerate(self.groups)}
        match node:
            case str(name):
                return tables.Works(1, groups=(numbers[name],))
            case platform.AllOf(all=parts):
                return tables.Works(len(parts), parts=tuple(self._node(part) for part in parts))
            case platform.AnyOf(any=parts):
                return tables.Works(1, parts=tuple(self._node(part) for part in parts))
            case platform.AtLeastOf(at_least=least, of=parts):
                return tables.Works(least, parts=tuple(self._node(part) for part in parts))
            case platform.AtLeastUnits(at_least=least, units_of=names):
                return tables.Works(least, units_of=tuple(numbers[name] for name in names))
        raise TypeError(f"{node!r} is no node of a reliability block diagram")

    def _crews(self) -> tuple[tables.Crew, ...]:
        crews = self.platform.crews if self.platform else ()
        return tuple(tables.Crew(c.name, c.size, c.hours, c.call_out, c.travel) for c in crews)

    def _spares(self) -> tuple[tables.Spare, ...]:
        spares = self.platform.spares if self.platform else ()
        return tuple(tables.Spare(s.name, s.stock, s.replacement) for s in spares)

    def _support(self) -> tables.Support | None:
        support = self.scenario.support
        if support is None:
            return None
        levels = {
            name: tables.Priority(level.notice, level.respond, level.hours)
            for name, level in support.priorities.items()
        }
        return tables.Support(
            service_down=levels[support.priority.service_down],
            redundancy_lost=levels[support.priority.redundancy_lost],
        )

    def _changes(self) -> tuple[tables.Change, ...]:
        numbers = {group.name: n for n, group in enumerate(self.groups)}
        return tuple(
            tables.Change(
                name=change.name,
                cause=change.name,
                group=numbers[change.takes],
                every=change.every,
                window=change.window,
                lasts=change.lasts,
                one_at_a_time=change.one_at_a_time,
                goes_wrong=change.goes_wrong,
                rollback=change.rollback or Fixed(0.0),
            )
            for change in (self.platform.changes if self.platform else ())
        )

    # ---- carriers

    def _fault(self, fault: Fault) -> int:
        self.faults.append(fault)
        return len(self.faults) - 1

    def _carrier(self, spec: calls.Carrier) -> None:
        number = len(self.carriers)
        first = len(self.trunks)
        trunks = tuple(range(first, first + len(spec.trunks)))
        self.trunks += [policy.Trunk(f"{spec.name}/{n + 1}", number) for n in range(len(spec.trunks))]
        self.carriers.append(
            policy.Carrier(
                name=spec.name,
                trunks=trunks,
                channels=spec.channels,
                calls_per_second=spec.calls_per_second,
                cost_per_minute=spec.cost_per_minute,
                post_dial_delay=spec.post_dial_delay,
                quality=spec.quality.transit if spec.quality else CLEAR,
            )
        )
        by_trunk: dict[int | None, list[tables.Mode]] = {}
        for failure in spec.failures:
            if isinstance(failure, faults.Maintenance):
                self._maintenance(spec, failure, trunks)
            else:
                by_trunk.setdefault(failure.trunk, []).append(self._carrier_mode(spec.name, failure))
        for trunk, modes in by_trunk.items():
            name = spec.name if trunk is None else f"{spec.name}/{trunk}"
            taken = trunks if trunk is None else (trunks[trunk - 1],)
            self.units.append(tables.Unit(name, tuple(modes), takes_trunks=taken))

    def _carrier_mode(self, carrier: str, failure: faults.CarrierFailure) -> tables.Mode:
        assert not isinstance(failure, faults.Maintenance)  # planned work has no clock
        name, cause = mode_name(failure), cause_name(carrier, failure)
        fault = Fault(
            name=name,
            kind=Kind(failure.mode),
            status=failure.status if isinstance(failure, faults.Refuses) else 503,
            share=failure.share if isinstance(failure, faults.Refuses) else 1.0,
            channels_left=failure.channels_left if isinstance(failure, faults.Capacity) else 1.0,
            post_dial_delay=failure.post_dial_delay if isinstance(failure, faults.Slow) else None,
            transit=failure.transit if isinstance(failure, faults.PoorAudio) else None,
            cause=cause,
        )
        return tables.Mode(
            name=name,
            cause=cause,
            mtbf=failure.mtbf,
            repair=self._repair(failure.repair),
            fault=self._fault(fault),
        )

    def _maintenance(self, spec: calls.Carrier, plan: faults.Maintenance, trunks: tuple[int, ...]) -> None:
        name, cause = mode_name(plan), cause_name(spec.name, plan)
        fault = self._fault(Fault(name, Kind.MAINTENANCE, cause=cause))
        calendar = tables.Calendar(
            name, cause, plan.every, plan.window, plan.lasts, fault, plan.notice or 0.0
        )
        taken = trunks if plan.trunk is None else (trunks[plan.trunk - 1],)
        where = spec.name if plan.trunk is None else f"{spec.name}/{plan.trunk}"
        self.units.append(tables.Unit(f"{where}/{name}", (), takes_trunks=taken, calendar=calendar))

    def _shared_risk(self, risk: faults.SharedRisk) -> None:
        carriers = {carrier.name: carrier.trunks for carrier in self.carriers}
        groups = {group.name: group.units for group in self.groups}
        trunks = tuple(trunk for name in risk.takes for trunk in carriers.get(name, ()))
        taken = dict.fromkeys(
            unit for name in risk.takes for unit in (*self.sites.get(name, ()), *groups.get(name, ()))
        )
        cause = cause_name(risk.name, risk)
        fault = self._fault(Fault(risk.name, Kind(risk.mode), cause=cause)) if trunks else None
        mode = tables.Mode(risk.mode, cause, risk.mtbf, self._repair(risk.repair), fault=fault)
        self.units.append(tables.Unit(risk.name, (mode,), takes_units=tuple(taken), takes_trunks=trunks))

    def _routing(self) -> policy.RoutingPolicy | None:
        spec = self.scenario.routing
        return routing_policy(spec, self.trunks, self.carriers) if spec is not None else None


def _switchover(spec: platform.Switchover | None) -> tables.Switchover | None:
    if spec is None:
        return None
    nothing = Fixed(0.0)
    return tables.Switchover(
        within_site=spec.time or spec.within_site or nothing,
        between_sites=spec.time or spec.between_sites or nothing,
        success=spec.success,
        otherwise=spec.otherwise or nothing,
    )
