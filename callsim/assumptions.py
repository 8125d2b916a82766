"""What a result rests on besides the scenario's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callsim.scenario.model import Scenario


def assumptions_of(scenario: Scenario) -> list[str]:
    """List the assumptions that act in a scenario, a sentence each."""
    found = [
        "The intervals cover the simulation's noise. The MTBFs and repair times given are assumptions.",
        "Units fail independently of each other, but for shared risks, sites and common-cause shares.",
        "A unit's clocks run in operating time; the record starts in equilibrium, not with everything new.",
    ]
    platform = scenario.platform
    if platform is not None and platform.spares:
        found.append(
            "A spare part is on site before its crew sets out: no crew is held while a part is awaited."
        )
    if platform is not None and platform.changes:
        found.append("A change waits for its next turn while its group has a unit out of service.")
    if scenario.carriers:
        found += [
            "Between two changes of state every call fares alike: answers of the carriers are independent.",
            "Callees answer when it rings; calls that they refuse or let ring are their business.",
            "Blocking is quasi-stationary: Erlang B at the hour's load, also right after a carrier is lost.",
            "A full carrier is skipped by the router, which counts its own channels: no INVITE, no delay.",
            "With every trunk believed down calls are refused at once.",
            "Of several faults of one trunk at once only the worst shows.",
        ]
    return found
