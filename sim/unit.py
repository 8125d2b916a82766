"""One unit: the race of its failure modes in operating time, and what it takes with it when it fails."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim import tables
from sim.draws import Draw, Randomness
from sim.groups import Group, Place
from sim.recorder import Incident
from sim.tables import Standby

if TYPE_CHECKING:
    from sim.clock import Timer
    from sim.stream import Stream


class Unit:
    """State of something that fails by its own clock.

    The clocks of its modes run while it operates: not while it is failed, without its site, or being changed.
    Only the mode that fires first is on SimPy's list. In a warm or cold group a second set of clocks runs
    while the unit stands by.
    """

    __slots__ = (
        "_ageing", "_clocks", "_draws", "_env", "_left", "_lives", "_on_fire", "_racing", "_since",
        "_standby_draws", "_standby_left", "_timer", "causes", "common", "group", "index", "latent", "place",
        "site", "spec", "stream",
    )  # fmt: skip

    def __init__(self, index: int, spec: tables.Unit, stream: Stream, random: Randomness) -> None:
        self.index = index
        self.spec = spec
        self.stream = stream
        self._env = stream.env
        self.site = spec.site
        self.group: Group | None = None
        self.place = Place.SERVING
        self.latent: int | None = None
        """Mode of a fault that nobody has noticed."""
        self.causes: list[Incident] = []
        """Why it is out of service."""
        self._timer: Timer | None = None
        plain = len(spec.modes) == 1 and not spec.modes[0].common_cause and not spec.modes[0].latent
        self._on_fire = self._fire_plainly if plain else self._fire
        self._since = 0.0
        self._racing = 0
        self._draws: list[Draw] = [random.law(m.mtbf, f"{spec.name}/{m.name}/life") for m in spec.modes]
        self._left = [
            float(m.mtbf.residual(random.generator(f"{spec.name}/{m.name}/first"), 1)[0]) for m in spec.modes
        ]
        self.common: list[Draw | None] = [
            random.uniform(f"{spec.name}/{m.name}/common") if m.common_cause else None for m in spec.modes
        ]
        self._ageing = False
        self._standby_draws: list[Draw] = []
        self._standby_left: list[float] = []
        self._clocks = self._left
        """What is left of the lives that run, or did before it stopped; new ones come from `_lives`."""
        self._lives = self._draws

    def join(self, group: Group, standby: Standby, random: Randomness) -> None:
        """Become a member of a group."""
        self.group = group
        self._ageing = standby in (Standby.WARM, Standby.COLD) and bool(self.spec.modes)
        if self._ageing:
            for mode in self.spec.modes:
                law = mode.standby_mtbf
                name = f"{self.spec.name}/{mode.name}/standby"
                if law is None:
                    self._standby_draws.append(lambda: math.inf)
                    self._standby_left.append(math.inf)
                else:
                    self._standby_draws.append(random.law(law, name))
                    self._standby_left.append(float(law.residual(random.generator(f"{name}/first"), 1)[0]))

    def start(self) -> None:
        """Set the clocks going."""
        if self._left:
            self._run()

    def _choose_clocks(self) -> None:
        if self.place is Place.SERVING:
            self._clocks, self._lives = self._left, self._draws
        else:
            self._clocks, self._lives = self._standby_left, self._standby_draws

    def _run(self) -> None:
        if self._ageing:
            self._choose_clocks()
        clocks = self._clocks
        left = clocks[0]
        racing = 0
        if len(clocks) > 1 and (least := min(clocks)) != left:
            left = least
            racing = clocks.index(left)
        self._racing = racing
        env = self._env
        self._since = env.now
        if left < math.inf:
            # Two clocks that end at once may differ by a rounding, which must not be a step back.
            self._timer = env.after(left if left > 0.0 else 0.0, self._on_fire)

    def _pause(self) -> None:
        self._timer = None
        passed = self._env.now - self._since
        clocks = self._clocks
        if len(clocks) == 2:  # most hardware has two, and a loop costs twice as much
            clocks[0] -= passed
            clocks[1] -= passed
            return
        for mode, left in enumerate(clocks):
            clocks[mode] = left - passed

    def moved(self, place: Place) -> None:
        """Take another place in the group; the clocks of standing by and of serving differ."""
        self.place = place
        if self._ageing and not self.causes and self.latent is None:
            if self._timer is not None:
                self._pause()
            self._run()

    def _fire(self, timer: Timer) -> None:
        if timer is not self._timer:
            return
        number = self._racing
        mode = self.spec.modes[number]
        # The mode that fires has a new life ahead; it is drawn now and runs from the repair on.
        self._pause()
        self._clocks[number] = self._lives[number]()
        if mode.latent and self.place is Place.STANDBY:
            self.latent = number
            self.stream.latent_fault(self)
            return
        common = self.common[number]
        if common is not None and common() < mode.common_cause:
            self.stream.fail_group(self, number)
        else:
            self.stream.fail(self, number)

    def _fire_plainly(self, timer: Timer) -> None:
        """Do as `_fire`, for the one mode of a unit that shares no cause and is never latent."""
        if timer is self._timer:
            self._timer = None
            # The life that begins with the repair is drawn now, as in `_fire`.
            self._clocks[0] = self._lives[0]()
            self.stream.fail(self, 0)

    def reveal(self) -> bool:
        """Find a latent fault, if there is one; its repair begins now."""
        mode = self.latent
        if mode is None:
            return False
        self.latent = None
        self.stream.fail(self, mode)
        return True

    def test(self, _: Timer) -> None:
        """Try it out as it stands by, which finds a latent fault."""
        self.reveal()

    def take(self, incident: Incident, planned: bool = False) -> float:
        """Put it out of service for one more reason; returns the share of calls in progress lost with it."""
        self.causes.append(incident)
        if len(self.causes) > 1:
            return 0.0
        if self._timer is not None:
            self._pause()
        return self.group.unit_down(self, incident, planned) if self.group is not None else 0.0

    def give(self, incident: Incident) -> None:
        """Take one reason away; without any it operates again. A latent fault shows when it starts."""
        if self.latent is not None:
            self.reveal()
        self.causes.remove(incident)
        if self.causes:
            return
        if self.group is not None:
            self.group.unit_up(self, incident)
        if self._left and self._timer is None and self.latent is None:
            self._run()
