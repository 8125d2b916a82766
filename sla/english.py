"""An agreement's terms in plain English, on one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from carriers.calendars import DAY, WeeklyHours
from carriers.hours import DAYS
from carriers.units import UNITS, format_duration, format_share
from sla.consistency import objective_of, written
from sla.objectives import Availability, Latency, Objective, PoorCalls
from sla.payoff import Step, share_of, steps, window_length
from sla.remedies import CreditRule, Worth
from sla.terms import BillingCycle, Exclusion, FixedWindow, Measured, RollingWindow, Terms

WIDTH = 80

_BASES = {
    "monthly_recurring": "the monthly recurring fee",
    "usage": "the usage charges",
    "per_seat": "the fees per seat",
    "affected_part": "the fees of the affected part",
}
_CAUSES = {
    "maintenance": "planned maintenance",
    "emergency_maintenance": "emergency maintenance",
    "carrier": "the carriers underneath",
    "third_party": "third parties",
    "customer": "the customer's own doing",
    "access": "the customer's internet or access line",
    "equipment": "the customer's own devices",
    "capacity": "channels or licences used up",
    "attack": "attacks",
    "force_majeure": "force majeure",
    "suspended": "a suspended account",
}
_PROMISES = {
    "availability": "availability at least",
    "mttr": "mean time to restore at most",
    "time_to_restore": "each outage restored within",
    "mtbf": "mean time between outages at least",
    "downtime": "down at most",
    "outages": "outages: at most",
    "post_dial_delay": "post-dial delay: 95% of the calls within",
    "mos": "mean MOS at least",
    "asr": "answer-seizure ratio at least",
    "ner": "network effectiveness ratio at least",
    "packet_loss": "packet loss at most",
    "jitter": "jitter at most",
    "support_response": "first response within",
    "support_resolution": "resolved within",
    "change_request": "moves, adds and changes done within",
    "defect_fix": "software faults fixed within",
    "hardware_exchange": "devices exchanged within",
    "notification": "customers told of an outage within",
}
_SIDES = {"provider": "the provider's", "customer": "the customer's", "third_party": "a third party's"}
_DISPUTES = {"lower": "the lower availability", "higher": "the higher availability"}
_CLOCKS = {
    "fault": "its start",
    "detected": "its detection",
    "ticket_opened": "the ticket's opening",
    "notice_given": "the notice of it",
    "restored": "restoration",
    "ticket_closed": "the ticket's closing",
}
_CALLS = {"not_connected": "unconnected", "one_way_audio": "one-way", "poor_audio": "poor"}


def english(terms: Terms) -> str:
    """Say what is promised, allowed, excluded and paid, and what has to be done for it."""
    title = terms.title or ""
    if terms.provider and terms.provider not in title:
        title = f"{title} by {terms.provider}".lstrip()
    lines = _wrapped(f"{terms.name}: {title}" if title else terms.name, "")
    parts: tuple[tuple[str, Iterable[str]], ...] = (
        ("PROMISED", [*_measured(terms), *(_promise(terms, o) for o in terms.objectives)]),
        ("NOT COUNTED", _exclusions(terms)),
        ("PAID", _credits(terms)),
        ("TO DO", _claims(terms)),
        ("DUTIES", [f"[ ] {duty}" for duty in terms.duties]),
        ("NOT KNOWN", terms.unknown),
        ("ASSUMED", terms.assumed),
        ("READ AT", _source(terms)),
    )
    for heading, texts in parts:
        body = [line for text in texts for line in _wrapped(text, "  ")]
        lines += [heading, *body] if body else []
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    if len(indent + text) <= WIDTH:
        return [indent + text]  # tables keep their columns
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _measured(terms: Terms) -> Iterator[str]:
    measured = terms.measured
    yield f"For {terms.scope}, per {_window(measured)} ({measured.timezone}){_requires(terms.requires)}."
    told = [_how(measured)]
    if measured.min_outage:
        which = "Outages" if measured.continuous else "All outages of a window together"
        kept = "longer ones count whole" if measured.counts == "whole" else "only what is over counts"
        told.append(f"{which} under {format_duration(measured.min_outage)} do not count; {kept}.")
    clock = measured.clock
    if (clock.from_, clock.to) != ("fault", "restored"):
        told.append(f"An outage counts from {_CLOCKS[clock.from_]} to {_CLOCKS[clock.to]}.")
    if measured.measured_by != "provider" or measured.disputes:
        told.append(f"{_SIDES[measured.measured_by].capitalize()} record counts.")
    if measured.disputes:
        whose = _SIDES.get(measured.disputes, _DISPUTES.get(measured.disputes, ""))
        told.append(f"Where records differ: {whose}.")
    yield " ".join(part for part in told if part)


def _window(measured: Measured) -> str:
    window = measured.window
    if isinstance(window, BillingCycle):
        return f"billing cycle from day {window.billing_cycle}"
    if isinstance(window, FixedWindow):
        return f"{format_duration(window.fixed)}, one after the other"
    if isinstance(window, RollingWindow):
        return f"{format_duration(window.rolling)} before each midnight"
    return {"event": "outage"}.get(window, window.replace("_", " "))


def _how(measured: Measured) -> str:
    if measured.by == "user_minutes":
        return "Minutes down are weighted by the users they hit."
    if measured.by == "call_success":
        return f"Not time but calls count: the share that is not {_failing(measured)}."
    if measured.by == "error_rate" and measured.over and measured.down_above:
        partly = "" if measured.partial == "kept" else "; parts of them at the ends are dropped"
        few = f" of at least {measured.at_least}" if measured.at_least > 1 else ""
        return (
            f"Each {format_duration(measured.over)} is down in which more than "
            f"{format_share(measured.down_above)}{few} attempts are {_failing(measured)}{partly}."
        )
    return "Time down counts."


def _failing(measured: Measured) -> str:
    return " or ".join(_CALLS[kind] for kind in measured.failing)


def _requires(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f", only with {listed}" if listed else ""


def _promise(terms: Terms, objective: Objective) -> str:
    target = written(objective.target, objective.unit)
    if isinstance(objective, PoorCalls):
        text = f"calls with a MOS below {objective.mos_below:g}: at most {target}"
    elif isinstance(objective, Latency):
        text = f"latency ({objective.direction.replace('_', ' ')}) at most {target}"
    else:
        text = f"{_PROMISES[objective.name]} {target}"
    priority = getattr(objective, "priority", None)
    share, hours = getattr(objective, "share", 1.0), getattr(objective, "hours", None)
    scope = objective.scope if objective.scope != terms.scope else None
    more = [
        f"{objective.scope}" if scope else "",
        f"{priority}" if priority else "",
        f"in {format_share(share)} of the cases" if share < 1 else "",
        _hours(hours) if hours is not None and not hours.always else "",
        "waiting for the customer apart" if getattr(objective, "stops_while_waiting", False) else "",
        f"per {objective.window}" if objective.window else "",
        f"broken by {objective.consecutive} windows in a row" if objective.consecutive > 1 else "",
        f"only with {objective.requires}" if objective.requires else "",
        f"risk {format_share(objective.risk)}" if "risk" in objective.model_fields_set else "",
    ]
    text += "".join(f", {part}" for part in more if part)
    return f"- {text}{_allowed(terms, objective)}"


def _allowed(terms: Terms, objective: Objective) -> str:
    """Tell how long an availability lets a window be down."""
    length = window_length(terms, objective)
    timed = isinstance(objective, Availability) and length > 0 and terms.measured.by != "call_success"
    if not timed or objective.target == 1:
        return ""

    def allowed(days: float) -> str:
        return _rough((1 - objective.target) * days * DAY)

    fixed = isinstance(terms.measured.window, FixedWindow | RollingWindow) and objective.window is None
    if fixed or length != 30 * DAY:
        return f": down {allowed(length / DAY)} in {format_duration(length)}"
    return f": down {allowed(30)} in 30d, {allowed(31)} in 31d, {allowed(365)} in 1y"


def _rough(seconds: float) -> str:
    """Write a duration to a tenth of a second."""
    return format_duration(round(seconds, 1))


def _hours(hours: WeeklyHours) -> str:
    """Write hours of the week as a terms file has them."""
    daily: dict[tuple[float, float], list[list[int]]] = {}
    for opens, closes in hours.openings:
        day = int(opens // DAY)
        runs = daily.setdefault((opens - day * DAY, closes - day * DAY), [])
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = []
    for (opens, closes), runs in daily.items():
        for run in runs:
            first, last = DAYS[run[0]], DAYS[run[-1]]
            if closes > opens + DAY or (closes == opens + DAY and opens):
                ends = DAYS[(run[0] + int(closes // DAY)) % 7]
                parts.append(f"{first} {_time(opens)}-{ends} {_time(closes % DAY)}")
            else:
                days = first if len(run) == 1 else f"{first}-{last}"
                parts.append(f"{days} {_time(opens)}-{_time(closes if closes <= DAY else closes - DAY)}")
    return ", ".join(parts)


def _time(seconds: float) -> str:
    return f"{int(seconds // UNITS['h']):02d}:{int(seconds % UNITS['h'] // UNITS['m']):02d}"


def _exclusions(terms: Terms) -> Iterator[str]:
    plain = [e for e in terms.excludes if e.notice is None and e.hours is None and e.quota is None]
    if plain:
        yield f"- {'; '.join(_CAUSES[exclusion.cause] for exclusion in plain)}"
    yield from (f"- {_conditions(exclusion)}" for exclusion in terms.excludes if exclusion not in plain)
    if not terms.excludes:
        yield "No exclusion is written here."
    elif terms.excluded_time == "out_of_both":
        yield "What is excluded leaves the downtime and the time: (A-B)/(A-C)."
    else:
        yield "What is excluded counts as up: (A-B+C)/A."


def _conditions(exclusion: Exclusion) -> str:
    conditions = []
    if exclusion.notice is not None:
        conditions.append(f"told {format_duration(exclusion.notice)} before")
    if exclusion.hours is not None:
        conditions.append(f"within {_hours(exclusion.hours)}")
    if exclusion.quota is not None:
        conditions.append(f"up to {format_duration(exclusion.quota.seconds)} a {exclusion.quota.per}")
    return f"{_CAUSES[exclusion.cause]}, if {', '.join(conditions)}"


def _credits(terms: Terms) -> Iterator[str]:
    if not terms.credits:
        yield "No credit is written here" + (
            "." if terms.unknown else ": a commitment without a remedy (SLC)."
        )
    else:
        yield f"Of each 100 {terms.currency} of {_BASES[terms.base]}, a month of 30 days:"
    for rule in terms.credits:
        yield from _rule(terms, rule)
    caps = terms.caps
    limits = [
        f"at most {format_share(share)} a {period}"
        for share, period in ((caps.per_month, "month"), (caps.per_year, "year"))
        if share is not None
    ]
    if len(terms.credits) > 1:
        limits.append("several credits add up" if caps.stacking == "sum" else "of several the highest counts")
    if caps.issued_above:
        limits.append(f"only if more than {caps.issued_above:g} {terms.currency}")
    if caps.unit_worth is not None:
        limits.append(f"a unit is worth {_worth(caps.unit_worth)}")
    if limits:
        text = ", ".join(limits)
        yield f"{text[0].upper()}{text[1:]}."
    for bonus in terms.bonus:
        objective = objective_of(terms, bonus)
        level = written(bonus.better_than, objective.unit) if objective else f"{bonus.better_than:g}"
        yield f"Better than {level}, {bonus.objective} costs the customer {format_share(bonus.bonus)} more."
    if terms.chronic is not None:
        often = f"{terms.chronic.months} broken months out of {terms.chronic.of} ({terms.chronic.objective})"
        worth = terms.chronic.credit
        what = "the customer may leave" if worth is None else f"{_worth(worth)} is credited"
        yield f"Chronic: after {often} {what}."


def _rule(terms: Terms, rule: CreditRule) -> Iterator[str]:
    objective = objective_of(terms, rule)
    if objective is None:
        return
    told = [rule.window, rule.scope, rule.priority, "per affected user" if rule.per_affected_user else None]
    told += [f"of {_BASES[rule.base]}" if rule.base is not None and rule.base != terms.base else None]
    told += [f"only with {rule.requires}" if rule.requires else None]
    name = ", ".join([rule.objective, *(part for part in told if part)])
    if rule.flat is not None:
        yield _row(f"- {name}, whenever broken", "", _worth(rule.flat), _money(terms, rule.flat))
    elif rule.linear is not None:
        per = written(rule.linear.per, objective.unit) + (" point" if objective.unit == "share" else "")
        full = " full" if rule.linear.only_full else ""
        worth = rule.linear.credit
        yield _row(f"- {name}, for each{full} {per} missed", "", _worth(worth), _money(terms, worth))
    else:
        yield f"- {name}:"
    for tier in rule.by_duration:
        limits = [f"over {format_duration(tier.longer_than)}"] if tier.longer_than else []
        limits += [f"up to {format_duration(tier.up_to)}"] if tier.up_to else []
        what = f"  each outage {', '.join(limits)}"
        yield _row(what, "", _worth(tier.credit), _money(terms, tier.credit))
    if rule.tiers:
        for step in steps(rule, objective):
            yield from _step(terms, rule, objective, step)


def _step(terms: Terms, rule: CreditRule, objective: Objective, step: Step) -> Iterator[str]:
    better, worse = (written(value, objective.unit) for value in (step.better, step.worse))
    side = "below" if objective.higher_is_better else "above"
    what = f"  {side} {better}" if step.worse in (0.0, float("inf")) else f"  {better} to {worse}"
    length = window_length(terms, objective)
    down = ""
    if isinstance(objective, Availability) and length > 0 and terms.measured.by != "call_success":
        down = f"down over {_rough((1 - step.better) * length)}"
    tier = step.tier
    if tier is None:
        policy = {"nothing": "nothing", "next_tier": "as the next", "error": "not assessed"}[rule.gap_policy]
        yield _row(what, down, f"no tier: {policy}", "")
        return
    yield _row(what, down, _worth(tier.credit), _money(terms, tier.credit))
    if tier.base is not None and tier.base != terms.base:
        yield f"    ... of {_BASES[tier.base]}"
    if tier.requires:
        yield f"    ... only with {tier.requires}"


def _row(what: str, down: str, credit: str, money: str) -> str:
    left = f"{what:<21} {down}" if down else what
    return f"{left:<50} {credit:>13} {money:>7}".rstrip()


def _worth(worth: Worth) -> str:
    if worth.unit == "share":
        return format_share(worth.amount)
    name = {"days": "service day", "units": "unit"}.get(worth.unit, worth.unit)
    plural = "s" if worth.unit in ("days", "units") and worth.amount != 1 else ""
    return f"{worth.amount:g} {name}{plural}"


def _money(terms: Terms, worth: Worth) -> str:
    share = share_of(terms, worth)
    return "" if share is None else f"{share * 100:.2f}"


def _claims(terms: Terms) -> Iterator[str]:
    claims = terms.claims
    if claims.automatic and not terms.credits:
        return
    if claims.automatic:
        yield "Nothing: credits come by themselves" + (", to paid accounts." if claims.good_standing else ".")
        return
    after = {"incident": "the outage's end", "window": "the window's end"}[claims.after]
    when = f"within {format_duration(claims.within)} after {after}" if claims.within else "in time"
    needs = [f"{_SIDES[claims.evidence]} record as evidence"]
    needs += ["a ticket for each outage"] if claims.ticket else []
    needs += ["a paid account"] if claims.good_standing else []
    yield f"The customer has to claim {when}, with {', '.join(needs)}."
    if claims.customers_who_claim < 1:
        yield f"A simulation takes it that {format_share(claims.customers_who_claim)} of the claims are made."


def _source(terms: Terms) -> Iterator[str]:
    source = terms.source
    if source is None:
        return
    more = f" and {len(source.documents) - 1} more" if len(source.documents) > 1 else ""
    yield f"{source.documents[0]}{more}"
    facts = [f"terms of {source.effective}" if source.effective else "", source.trust or ""]
    told = "; ".join(fact for fact in facts if fact)
    yield f"{told}. {source.caution}" if told else source.caution
