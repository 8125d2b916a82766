"""Credits for broken promises: rates, stacking, caps, minimum, bonus, chronic rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from carriers.calendars import DAY
from results.timeline import Floats
from results.weekly import Index
from sla.assessment import Credits, Customer, Flags, Judged, Windows
from sla.consistency import objective_of
from sla.judging import SLACK, Case, View, highest_of, judge, members, slack_of
from sla.remedies import Base, Bonus, CreditRule, DurationTier, Tier, Worth
from sla.terms import RollingWindow, Terms
from sla.windows import bounds, fee_months, settled_in

_STEP = 1e-9
"""Part of a step by which rounding may miss a full one."""
_SHORT = 27 * DAY
"""Fixed windows shorter than this share a month's cap."""


class GapError(ValueError):
    """A measured value breaks an objective and lies in a gap of the printed tiers that must not be filled."""


@dataclass
class Money:
    """What credits of one customer are worth; remembers what could not be worked out."""

    terms: Terms
    customer: Customer
    lacking: dict[str, None]

    def share(self, worth: Worth, base: Base | None, windows: Windows) -> Floats:
        """Worth of a credit in each window, as a share of one month's amount of the terms' base."""
        terms, fee = self.terms, self.customer.fee
        if worth.unit == "units":
            return self._units(worth, base, windows)
        if worth.unit not in ("share", "days"):
            if worth.unit == terms.currency and fee:
                return np.full(len(windows), worth.amount / fee)
            self.lacking[f"Credits of {worth.amount:g} {worth.unit}: the customer's fee is not known."] = None
            return np.zeros(len(windows))
        months = np.full(len(windows), fee_months(windows) * self._of_base(base))
        if worth.unit == "share":
            return worth.amount * months
        # Local days: one with a clock change is a day too.
        days = np.maximum(np.round((windows.end - windows.start) / DAY), 1.0)
        return np.asarray(np.minimum(worth.amount / days, 1.0) * months)

    def _units(self, worth: Worth, base: Base | None, windows: Windows) -> Floats:
        unit = self.terms.caps.unit_worth
        if unit is None or unit.unit == "units":
            self.lacking["Credits in units: the terms do not say what a unit is worth."] = None
            return np.zeros(len(windows))
        return self.share(Worth(worth.amount * unit.amount, unit.unit), base, windows)

    def _of_base(self, base: Base | None) -> float:
        if base is None or base == self.terms.base:
            return 1.0
        if self.customer.fee and base in self.customer.fees:
            return self.customer.fees[base] / self.customer.fee
        self.lacking[f"Credits that are a share of {base}: its amount, or the fee, is not known."] = None
        return 0.0


def credit(case: Case, judged: tuple[Judged, ...], lacking: dict[str, None]) -> Credits:
    """Work out what is due; what could not be is added to `lacking`, a sentence each."""
    terms, windows = case.terms, case.settled()
    money = Money(terms, case.customer, lacking)
    rates = [_by_rule(case, rule, judged, money, windows) for rule in terms.credits]
    by_rule = np.array(rates).reshape(len(terms.credits), len(windows))
    chronic, extra = _chronic(case, judged, money, windows)
    parts = np.vstack((by_rule, extra[None]))
    stacked = parts.max(axis=0) if terms.caps.stacking == "highest" else parts.sum(axis=0)
    due = limited(case, stacked, windows, lacking)
    if terms.claims.good_standing and not case.customer.good_standing:
        due = np.zeros(len(windows))
    bonus = np.zeros(len(windows))
    for rule in terms.bonus:
        bonus += _bonus(case, rule, judged, windows, lacking)
    fee = case.customer.fee
    return Credits(
        windows=windows,
        by_rule=by_rule,
        due=due,
        bonus=bonus,
        amount=due * (np.nan if fee is None else fee),
        chronic=chronic,
        claim_by=_claim_by(case, due, windows),
    )


def limited(case: Case, share: Floats, windows: Windows, lacking: dict[str, None]) -> Floats:
    """Apply caps and the least credit that is issued."""
    caps = case.terms.caps
    fee = case.customer.fee
    issued_above = 0.0
    if caps.issued_above and fee:
        issued_above = caps.issued_above / fee
    elif caps.issued_above:
        lacking["The least credit that is issued: the customer's fee is not known."] = None
    if caps.per_month is not None:
        if len(windows) and windows.kind == "fixed" and windows.end[0] - windows.start[0] < _SHORT:
            share = _capped(share, caps.per_month, _calendar(case, windows, "month"))
        else:
            share = np.minimum(share, caps.per_month * fee_months(windows))
    share = np.where(share > issued_above, share, 0.0)
    if caps.per_year is not None:
        share = _capped(share, 12 * caps.per_year, _calendar(case, windows, "year"))
    return np.where(share > issued_above, share, 0.0)


def _calendar(case: Case, windows: Windows, kind: str) -> Index:
    """Number the calendar month or year in which each window ends."""
    at = bounds(kind, case.timezone, case.ledger.start, case.ledger.end)
    return np.searchsorted(at, windows.end)


def _capped(share: Floats, cap: float, group: Index) -> Floats:
    """Let each group of windows, in order of time, have no more than the cap in all."""
    before = np.cumsum(share) - share
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    before = before - before[first][which]
    return np.clip(cap - before, 0.0, share)


def broken_for(case: Case, judged: tuple[Judged, ...], rule: CreditRule) -> tuple[Judged, View] | None:
    """Find what a rule is about: its objective as judged on what can be claimed; None: nothing to go by."""
    objective = objective_of(case.terms, rule)
    found = next((one for one in judged if one.objective is objective), None)
    if found is None or found.not_assessed is not None:
        return None
    if case.terms.claims.ticket:
        return judge(case, found.objective, "claimed"), "claimed"
    return found, "eligible"


def _by_rule(
    case: Case, rule: CreditRule, judged: tuple[Judged, ...], money: Money, windows: Windows
) -> Floats:
    """Shares by window of the terms, before stacking."""
    nothing = np.zeros(len(windows))
    if rule.requires is not None and rule.requires not in case.customer.has:
        money.lacking[
            f"Credits for {rule.objective} that need {rule.requires}: the customer is not known to have it."
        ] = None
        return nothing
    found = broken_for(case, judged, rule)
    if found is None:
        money.lacking[f"Credits for {rule.objective}: the objective was not assessed."] = None
        return nothing
    one, view = found
    share = rate(case, rule, one, view, money)
    return _settle(case, share, one.windows, windows)


def rate(case: Case, rule: CreditRule, one: Judged, view: View, money: Money) -> Floats:
    """Shares by window of the objective."""
    worth = partial(money.share, base=rule.base, windows=one.windows)
    broken = ~one.met
    if rule.flat is not None:
        share = np.where(broken, worth(rule.flat), 0.0)
    elif rule.linear is not None:
        sign = 1.0 if one.objective.higher_is_better else -1.0
        missed = np.where(broken, sign * (one.objective.target - one.actual), 0.0) / rule.linear.per
        steps = np.floor(missed + _STEP) if rule.linear.only_full else missed
        share = worth(rule.linear.credit) * np.maximum(steps, 0.0)
    elif rule.by_duration:
        share = np.where(broken, _by_duration(case, rule, one, view, money), 0.0)
    else:
        share = _tiers(case, rule, one, money)
    if rule.per_affected_user:
        share = share * _affected(case, one, view, money.lacking)
    return share


def lies_in(tier: Tier, value: Floats, one: Judged) -> Flags:
    """Whether values lie in a tier."""
    slack = slack_of(one.objective)
    if tier.below is not None:
        least = -np.inf if tier.down_to is None else tier.down_to - slack
        return np.asarray((value < tier.below - slack) & (value >= least))
    assert tier.above is not None
    most = np.inf if tier.up_to is None else tier.up_to + slack
    return np.asarray((value > tier.above + slack) & (value <= most))


def lasts(tier: DurationTier, seconds: Floats) -> Flags:
    """Whether outages of these lengths are of a tier by duration."""
    least = -np.inf if tier.longer_than is None else tier.longer_than + SLACK["seconds"]
    most = np.inf if tier.up_to is None else tier.up_to + SLACK["seconds"]
    return np.asarray((seconds > least) & (seconds <= most))


def _tiers(case: Case, rule: CreditRule, one: Judged, money: Money) -> Floats:
    broken, share = ~one.met, np.zeros(len(one.actual))
    covered = np.zeros(len(one.actual), dtype=bool)
    for tier in rule.tiers:
        here = broken & lies_in(tier, one.actual, one)
        covered |= here
        share = np.maximum(share, np.where(here, _tier_worth(case, rule, tier, one, money), 0.0))
    gap = broken & ~covered
    if not gap.any() or rule.gap_policy == "nothing":
        return share
    if rule.gap_policy == "error":
        value = float(one.actual[gap][0])
        raise GapError(
            f"{rule.objective} of {value:.10g} breaks its target and lies in no tier of its credits; "
            "the terms say that such a gap must not be filled"
        )
    for window in np.flatnonzero(gap).tolist():
        tier = _next_tier(rule, float(one.actual[window]))
        share[window] = _tier_worth(case, rule, tier, one, money)[window]
    return share


def _next_tier(rule: CreditRule, value: float) -> Tier:
    """Tier that comes next as the value gets worse; the worst where none does."""
    edges = [(tier.below, tier) for tier in rule.tiers if tier.below is not None]
    if edges:
        worse_ones = [edge for edge in edges if edge[0] <= value + _STEP]
        return (max if worse_ones else min)(worse_ones or edges, key=lambda edge: edge[0])[1]
    uppers = [(tier.above, tier) for tier in rule.tiers if tier.above is not None]
    worse_uppers = [edge for edge in uppers if edge[0] >= value - _STEP]
    return (min if worse_uppers else max)(worse_uppers or uppers, key=lambda edge: edge[0])[1]


def _tier_worth(case: Case, rule: CreditRule, tier: Tier, one: Judged, money: Money) -> Floats:
    if tier.requires is not None and tier.requires not in case.customer.has:
        money.lacking[
            f"Credits for {rule.objective} that need {tier.requires}: the customer is not known to have it."
        ] = None
        return np.zeros(len(one.windows))
    return money.share(tier.credit, tier.base or rule.base, one.windows)


def _by_duration(case: Case, rule: CreditRule, one: Judged, view: View, money: Money) -> Floats:
    """Sum over the outages that begin in each window."""
    down = case.downtime(one.objective.scope)
    found = down.outages(getattr(down, view))
    first, last = members(found, one.windows)
    total = np.zeros(len(one.windows))
    # What a tier pays may differ by window (days of service): worth by window, times outages in it.
    worths = [money.share(tier.credit, rule.base, one.windows) for tier in rule.by_duration]
    best = np.zeros(len(found.length), dtype=np.intp)
    order = sorted(range(len(worths)), key=lambda n: float(worths[n].sum()))
    for n in order:
        best[lasts(rule.by_duration[n], found.length)] = n + 1
    for n, worth in enumerate(worths):
        counts = np.concatenate(([0], np.cumsum(best == n + 1)))
        total += worth * (counts[last] - counts[first])
    return total


def _affected(case: Case, one: Judged, view: View, lacking: dict[str, None]) -> Floats:
    """Largest share of the users that an outage of each window hit; all where there was none."""
    ledger = case.ledger
    if "affected_users" not in ledger.known or not (ledger.users or case.customer.users):
        lacking["Credits by affected user: the record does not say how many were hit; all are taken."] = None
    down = case.downtime(one.objective.scope)
    found = down.outages(getattr(down, view))
    # An outage that began before the window hits it too.
    first = np.searchsorted(np.maximum.accumulate(found.end), one.windows.start, side="right")
    last = np.maximum(np.searchsorted(found.begin, one.windows.end), first)
    return np.nan_to_num(highest_of(found.affected, first, last), nan=1.0)


def _settle(case: Case, share: Floats, own: Windows, windows: Windows) -> Floats:
    """Bring an objective's windows to those of the terms: each belongs where it ends."""
    which, at = settled_in(windows, own.end)
    total = np.zeros(len(windows))
    if isinstance(case.terms.measured.window, RollingWindow) and own.kind == "rolling":
        np.maximum.at(total, at, share[which])
    else:
        np.add.at(total, at, share[which])
    return total


def _chronic(case: Case, judged: tuple[Judged, ...], money: Money, windows: Windows) -> tuple[Flags, Floats]:
    """Return in which windows the chronic rule is fulfilled, and the credit that it brings."""
    rule = case.terms.chronic
    flags = np.zeros(len(windows), dtype=bool)
    if rule is None:
        return flags, np.zeros(len(windows))
    objective = objective_of(case.terms, rule)
    one = next((one for one in judged if one.objective is objective), None)
    if one is None or one.not_assessed is not None:
        money.lacking["The chronic rule: its objective was not assessed."] = None
        return flags, np.zeros(len(windows))
    broken = _settle(case, (~one.met).astype(np.float64), one.windows, windows) > 0
    count = np.concatenate(([0], np.cumsum(broken)))
    since = np.maximum(np.arange(len(windows)) + 1 - rule.of, 0)
    flags = broken & (count[1:] - count[since] >= rule.months)
    worth = np.zeros(len(windows))
    if rule.credit is not None:
        worth = np.where(flags, money.share(rule.credit, None, windows), 0.0)
    return np.asarray(flags), worth


def _bonus(
    case: Case, rule: Bonus, judged: tuple[Judged, ...], windows: Windows, lacking: dict[str, None]
) -> Floats:
    objective = objective_of(case.terms, rule)
    one = next((one for one in judged if one.objective is objective), None)
    if one is None or one.not_assessed is not None:
        lacking[f"The bonus for {rule.objective}: the objective was not assessed."] = None
        return np.zeros(len(windows))
    slack = slack_of(one.objective)
    level = rule.better_than
    better = one.actual > level + slack if one.objective.higher_is_better else one.actual < level - slack
    share = np.where(better, rule.bonus * fee_months(one.windows), 0.0)
    return _settle(case, share, one.windows, windows)


def _claim_by(case: Case, due: Floats, windows: Windows) -> Floats:
    claims = case.terms.claims
    if claims.automatic or claims.within is None:
        return np.full(len(windows), np.nan)
    since = windows.end.copy()
    if claims.after == "incident":
        down = case.downtime()
        found = down.outages(down.claimed)
        # The first outage that ends in a window has to be claimed first.
        at = np.searchsorted(np.sort(found.end), windows.start, side="right")
        ends = np.append(np.sort(found.end), np.inf)[at]
        since = np.where(ends <= windows.end, ends, windows.end)
    return np.where(due > 0, since + claims.within, np.nan)
