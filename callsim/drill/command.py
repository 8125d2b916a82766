"""Runs a drill: chooses the stretch, predicts it, plays it, tells how the two compare."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from callgen.dialer import LostByToolError
from callgen.lab.lab import LabError
from callsim.drill import report
from callsim.drill.comparing import WITHIN, Drill
from callsim.drill.kamailio import require_kamailio, translated
from callsim.drill.live import Stage, play_all
from callsim.drill.predicting import predict
from callsim.drill.proxied import ProxyStage, unannounced
from callsim.drill.stretch import (
    YEARS,
    Episode,
    Setting,
    day_of,
    episodes_of,
    modes_of,
    simulated_years,
    typical,
    unplayed,
)
from callsim.drill.tables import CannotDrillError, lab_tables
from callsim.exits import Exit
from callsim.live.errors import NotLiveError
from callsim.live.setup import require_live
from callsim.scenario.load import load_scenario, scenario_hash
from callsim.scenario.model import Scenario
from callsim.writing import check_target, write_json
from documents.words import nearest

WITHIN_KAMAILIO = 0.25
"""Seconds by which times may differ on average where Kamailio keeps them: its timers tick."""
PACE = 10.0
"""How many times as fast health timers run, unless in real time."""
DAYS = {"typical": 0.5, "worst": 1.0}
"""Days that can be asked for, by the share of the bad days that are less bad."""


@dataclass(frozen=True)
class DrillOptions:
    """What `callsim drill` is told."""

    scenario: Path
    stretches: tuple[str, ...]
    everything: bool
    repeat: int | None
    real_time: bool
    abreast: int
    carriers: str
    seed: int | None
    overrides: tuple[str, ...]
    json: str | None
    quiet: bool


def drill(options: DrillOptions) -> Exit:
    """Play a stretch with real calls beside its prediction; exit code as the verdict has it."""
    check_target(options.json)
    scenario = load_scenario(options.scenario, options.overrides)
    seed = scenario.simulation.seed if options.seed is None else options.seed
    pace = 1.0 if options.real_time else PACE
    setting = setting_of(scenario, pace, seed)
    require_live()
    if options.carriers == "kamailio":
        require_kamailio()
        setting = replace(setting, lab=translated(setting.lab))
    names = options.stretches or ("typical",)
    wanted = None if options.everything else names
    episodes, left_out = stretch_of(setting, wanted, options.repeat, options.abreast)
    begun = time.monotonic()
    found = run(setting, episodes, options.abreast, by_kamailio=options.carriers == "kamailio")
    if options.json != "-":
        if options.quiet:
            click.echo(report.headline(found))
        else:
            _tell(scenario, found, pace, time.monotonic() - begun, left_out)
    if options.json is not None:
        answer = report.to_json(found, scenario.name, scenario_hash(scenario), seed, pace)
        write_json(options.json, answer)
    return found.verdict


def setting_of(scenario: Scenario, pace: float, seed: int) -> Setting:
    """Make what all episodes share; raises CannotDrillError for a scenario without carriers."""
    full, lab = lab_tables(scenario, pace)
    return Setting(full, lab, pace, seed)


def stretch_of(
    setting: Setting, names: Sequence[str] | None, repeat: int | None, abreast: int
) -> tuple[list[Episode], dict[str, str]]:
    """Make the episodes of days and causes; without names a fault of every cause.

    Each is there `repeat` times, or as often as can be played at once. With them come the causes that are not
    played, and why. Raises CannotDrillError for what is no cause, for one of those by name, and where nothing
    is left.
    """
    years = simulated_years(setting.full, setting.seed)
    left_out = unplayed(setting.full)
    known = {mode.cause for mode in modes_of(setting.full).values()}
    for cause in known - left_out.keys() - {incident.mode.cause for incident in years.incidents}:
        left_out[cause] = f"it does not happen within {YEARS} simulated years"
    causes = sorted(known - left_out.keys())
    for name in names or ():
        if name in left_out:
            raise CannotDrillError(f"'{name}' is not played: {left_out[name]}")
        if name not in DAYS and name not in causes:
            raise CannotDrillError(_no_stretch(name, causes))

    def made(times: int) -> list[Episode]:
        episodes: list[Episode] = []
        for name in causes if names is None else names:
            if name in DAYS:
                episodes += episodes_of(setting, f"{name} day", day_of(years, DAYS[name]), times)
            else:
                episodes += episodes_of(setting, name, typical(years.incidents, name), times, meet=True)
        return episodes

    found = made(repeat or 1)
    if repeat is None and found:
        found = made(max(1, abreast // len(found)))
    if not found:
        raise CannotDrillError(f"no carrier fails within {YEARS} simulated years in a way that can be played")
    return found, left_out


def _no_stretch(name: str, causes: Sequence[str]) -> str:
    """Say that nothing is called so, and what may have been meant."""
    carrier, _, fault = name.partition("/")
    meant = nearest(carrier, {cause.partition("/")[0] for cause in causes})
    own = {cause.partition("/")[2]: cause for cause in causes if cause.partition("/")[0] == meant}
    guess = nearest(fault, own)
    if guess is not None:
        return f"'{name}' is no stretch of this scenario; did you mean '{own[guess]}'?"
    if own:
        return f"'{name}' is no stretch of this scenario; of {meant} there are {', '.join(own.values())}"
    there = ", ".join((*DAYS, *causes))
    return f"'{name}' is no carrier's fault, and no other is played; there are {there}"


def run(setting: Setting, episodes: Sequence[Episode], abreast: int, *, by_kamailio: bool = False) -> Drill:
    """Predict episodes and play them; raises NotLiveError where the lab does not start."""
    if by_kamailio:
        episodes = [unannounced(episode) for episode in episodes]
    predicted = [predict(setting.lab, episode) for episode in episodes]
    left = sum(episode.length for episode in episodes) / min(abreast, len(episodes))
    _note(f"{len(episodes)} stretches of {sum(len(e.calls) for e in episodes)} calls, some {left:.0f} s")
    make = ProxyStage if by_kamailio else Stage
    playing = play_all(setting.lab, episodes, predicted, abreast, setting.seed % 2**31, _played, make)
    try:
        played = asyncio.run(playing)
    except (LabError, LostByToolError, TimeoutError, ExceptionGroup) as error:
        trouble: BaseException = error
        while isinstance(trouble, ExceptionGroup):
            trouble = trouble.exceptions[0]
        if not isinstance(trouble, LabError | LostByToolError | TimeoutError):
            raise trouble from None
        raise NotLiveError(f"the lab does not start: {trouble or 'no answer in time'}") from None
    # Of one that could not be told when to ping the instants are known by now.
    episodes = [episode for episode, _ in played]
    predicted = [predict(setting.lab, episode) for episode in episodes]
    within = WITHIN_KAMAILIO if by_kamailio else WITHIN
    return Drill(setting.lab, episodes, predicted, [account for _, account in played], within)


def _played(episode: Episode) -> None:
    _note(f"played: {episode.name}, {len(episode.calls)} calls")


def _note(text: str) -> None:
    """Tell a person who waits."""
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _tell(scenario: Scenario, found: Drill, pace: float, seconds: float, left_out: dict[str, str]) -> None:
    how = "in real time" if pace == 1.0 else f"{pace:g} times as fast"
    click.echo(
        f"{scenario.name}: {len(found.faults)} faults in {len(found.episodes)} stretches, {seconds:.0f} s; "
        f"health timers {how}"
    )
    for line in report.lines(found):
        click.echo(line)
    for cause, why in left_out.items():
        click.echo(f"Not played: {cause}: {why}.")
