"""Scenarios that depart from a given one by a factor: repairs that take longer, failures that come sooner."""

from __future__ import annotations

from dataclasses import replace

from carriers.laws import Empirical, Exponential, Fixed, Gamma, Law, Lognormal, Weibull
from sim.tables import Mode, Tables


def scaled(law: Law, factor: float) -> Law:
    """Give the law of so many times the duration."""
    match law:
        case Exponential(mean):
            return Exponential(mean * factor)
        case Fixed(mean):
            return Fixed(mean * factor)
        case Lognormal(median, p95):
            return Lognormal(median * factor, p95 * factor)
        case Gamma(mean, cv):
            return Gamma(mean * factor, cv)
        case Weibull(scale, shape):
            return Weibull(scale * factor, shape)
        case Empirical(values):
            return Empirical(tuple(value * factor for value in values))


def slower_repairs(tables: Tables, factor: float) -> Tables:
    """Give the tables with every repair so many times as long; what comes before it stays."""

    def change(mode: Mode) -> Mode:
        return replace(mode, repair=replace(mode.repair, time=scaled(mode.repair.time, factor)))

    return _changed(tables, [tuple(map(change, unit.modes)) for unit in tables.units])


def more_failures(tables: Tables, factor: float) -> Tables:
    """Give the tables with every failure so many times as often."""

    def change(mode: Mode) -> Mode:
        standby = None if mode.standby_mtbf is None else scaled(mode.standby_mtbf, 1.0 / factor)
        return replace(mode, mtbf=scaled(mode.mtbf, 1.0 / factor), standby_mtbf=standby)

    return _changed(tables, [tuple(map(change, unit.modes)) for unit in tables.units])


def _changed(tables: Tables, modes: list[tuple[Mode, ...]]) -> Tables:
    units = tuple(replace(unit, modes=own) for unit, own in zip(tables.units, modes, strict=True))
    return replace(tables, units=units)
