"""What a result rests on besides the scenario's figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from callsim.ledgers.plan import overruns_show
from carriers.codecs import codec
from carriers.units import format_duration

if TYPE_CHECKING:
    from callsim.agreements.uncertainty import Uncertain
    from callsim.scenario.model import Scenario


def assumptions_of(scenario: Scenario, uncertain: Uncertain | None = None) -> list[str]:
    """List the assumptions that act in a scenario, a sentence each; `uncertain` is what was drawn of it."""
    found = [
        *_of_intervals(uncertain),
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
    found += _of_voice(scenario)
    if scenario.sla is not None or scenario.customers:
        found += _of_promises(scenario)
    return found


def _of_intervals(uncertain: Uncertain | None) -> Iterator[str]:
    if uncertain is None:
        yield "The intervals cover the simulation's noise. The MTBFs and repair times given are assumptions."
        return
    many = len(uncertain.parameters)
    yield (
        f"The intervals cover what is not known of {many} law{'s'[: many != 1]} of time, and the "
        "simulation's noise. The other MTBFs and repair times are assumptions."
    )
    yield "What is not known of one law tells nothing about another: they are drawn independently."
    forms = {
        "failures": "Counts of failures give a mean time by Jeffreys' posterior, as of failures at random.",
        "median": "What one believes of a time is lognormal, through the median and the 95 % point given.",
        "log_errors": "What was fitted is normal on the logarithms of the law's parameters.",
    }
    for key, sentence in forms.items():
        if any(getattr(parameter, key) is not None for parameter in uncertain.parameters):
            yield sentence


def _of_voice(scenario: Scenario) -> Iterator[str]:
    traffic, path, platform = scenario.traffic, scenario.path, scenario.platform
    if traffic is not None and traffic.codec is not None:
        yield "MOS is the E-model's (ITU-T G.107, G.107.1), of the worse direction. It is no part of DPM."
        yield "Over the path delay adds up, loss is 1 - prod(1 - p), jitter adds by root sum of squares."
        yield "The burst ratio of a path is the mean of its segments', weighted by their loss."
        yield "Delay variation is exponential; what the adaptive jitter buffer finds too late is lost."
        if codec(traffic.codec).ie is None:
            yield f"No sourced figures are known of {traffic.codec}: its calls get no MOS."
        if path is not None and path.access is not None and path.access.link is not None:
            yield "A call sounds as the access line is when it begins, with a Poisson number of other calls."
    if traffic is not None and traffic.inbound:
        yield "Calls to us do not fail over by our routing; only their home carrier can forward them."
    if platform is not None and platform.devices is not None:
        every = format_duration(platform.devices.every)
        yield f"After a failover that loses registrations phones are back one by one, evenly over {every}."


def _of_promises(scenario: Scenario) -> Iterator[str]:
    yield "An outage hits all users of every customer."
    if scenario.support is not None:
        yield "Support opens a ticket once it knows of an outage; none for planned work, or if it is over."
    if scenario.support is not None and scenario.support.notify is None:
        yield "Whether customers are told of outages is not known: the scenario's support has no `notify`."
    changes = scenario.platform.changes if scenario.platform else ()
    if any(change.goes_wrong > 0 and not overruns_show(scenario, change.name) for change in changes):
        yield "A change that goes wrong counts as planned work to its end: nothing tells its rollback apart."
    if any(customer.handsets for customer in scenario.customers):
        yield "Handsets break at random instants (a Poisson process), the same at any age."
