"""What a review came to."""

from __future__ import annotations

from dataclasses import dataclass

from callsim.agreements.sla_judging import Span
from callsim.exits import Exit
from callsim.plan.model import Plan
from callsim.reviewing.deciding import Advice, Say
from callsim.reviewing.predicting import Forecasts
from callsim.reviewing.refitting import Refit
from callsim.scenario.model import Scenario
from sla.terms import Terms


@dataclass(frozen=True)
class Review:
    """Everything that a review came to."""

    terms: Terms
    scenario: Scenario
    plan: Plan
    subject: str
    span: Span
    advice: tuple[Advice, ...]
    known: float
    """Share of the time that was seen."""
    refit: Refit
    forecasts: Forecasts | None
    """None: no carrier was refitted, or what was seen is not what the scenario predicts."""

    @property
    def exit_code(self) -> Exit:
        """What the command ends with."""
        partial = None if self.forecasts is None else self.forecasts.partial
        if partial is not None and partial.startswith("interrupted"):
            return Exit.INTERRUPTED
        said = {one.say for one in self.advice}
        if Say.LOWER in said:
            return Exit.BREACHED
        return Exit.INCONCLUSIVE if Say.CANNOT_SAY in said else Exit.MET
