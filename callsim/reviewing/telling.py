"""A review as a person reads it, and as JSON."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from callsim import __version__, figures
from callsim.agreements.accounts import window_name
from callsim.report import SHARES, WINDOWS, promised, quantity, target_of
from callsim.reviewing.deciding import Advice, Disagreement, Say, Why
from callsim.reviewing.predicting import DRAWS_AT_RISK, Forecast, years_for
from callsim.reviewing.refitting import Refitted
from results.estimates import Estimate
from results.fitting.goodness import DOUBTFUL
from sla.consistency import objective_of
from sla.objectives import Objective
from sla.payoff import paid, share_of, steps
from sla.remedies import CreditRule
from sla.terms import Terms

if TYPE_CHECKING:
    from callsim.reviewing.review import Review

WORDS = {Say.LOWER: "lower", Say.RAISE: "raise", Say.KEEP: "keep"}


def headline(review: Review) -> str:
    """Return the answer in one sentence."""
    first, last = review.span
    partial = "" if review.forecasts is None else review.forecasts.partial or ""
    cut = f" (PARTIAL: {partial})" * bool(partial)
    return f"{review.terms.name}, {first} to {last}: {summed(review.advice)}.{cut}"


def summed(advice: Sequence[Advice]) -> str:
    """Say how many targets to keep, raise, lower, and of how many nothing can be said."""
    told, many = Counter(one.say for one in advice), len(advice)
    if len(told) == 1:
        (say,) = told
        which = "its target" if many == 1 else f"each of its {many} targets"
        silent = f"nothing can be said of {'its target' if many == 1 else f'any of its {many} targets'}"
        return silent if say is Say.CANNOT_SAY else f"{WORDS[say]} {which}"
    what = ", ".join(f"{words} {told[say]}" for say, words in WORDS.items() if told[say])
    silent = f"; of {told[Say.CANNOT_SAY]} nothing can be said" * bool(told[Say.CANNOT_SAY])
    return f"of its {many} targets {what}{silent}"


def terminal(review: Review, width: int = 80) -> str:
    """Return the answer first, then each target with its reason, then what it goes by."""
    parts = [textwrap.wrap(headline(review), width)]
    common = _common(review.advice)
    parts[0] += textwrap.wrap(" ".join(common.values()), width)
    told = []
    for one in review.advice:
        told += [f"{_advised(one)}  {_title(review.terms, one.objective)}"]
        text = reason(review, one, common)
        told += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")
    parts += [told, [line for text in _basis(review) for line in textwrap.wrap(text, width)]]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _common(advice: Sequence[Advice]) -> dict[str, str]:
    """Give why no target can be judged, or predicted, where it is the same for all: sentences by reasons."""
    if len(advice) == 1:
        return {}
    seen = {one.record.why_not for one in advice}
    made = {one.forecast.why_not for one in advice}
    found = {}
    if len(seen) == 1 and (why := seen.pop()):
        found[why] = f"Probes judge none of them: {why}."
    if len(made) == 1 and (why := made.pop()):
        found[why] = f"Nor does the scenario tell: {why}." if found else f"Nothing is predicted: {why}."
    return found


def _advised(advice: Advice) -> str:
    if advice.target is None:
        return advice.say.value
    return f"{advice.say.value} to {quantity(advice.objective, advice.target)}"


def _title(terms: Terms, objective: Objective) -> str:
    text = promised(objective)
    if objective.name == "availability":
        text = f"availability of {text}"
    window = window_name(terms, objective)
    return f"{WINDOWS.get(window, window)} {text}"


def reason(review: Review, advice: Advice, known: Collection[str] = ()) -> str:
    """Return why this is advised, as a manager reads it; `known` is what was told of all targets at once."""
    window = window_name(review.terms, advice.objective)
    judged, predicted = advice.record.why_not, advice.forecast.why_not
    if judged in known and predicted in known:
        return ""
    if judged not in known and judged is not None and judged == predicted:
        return f"Neither probes nor the scenario tell of it: {judged}."
    sentences = [
        "" if judged in known else _measured(advice, window),
        "" if predicted in known else _modelled(advice, window),
        _decided(advice, window),
        _cost(review.terms, advice, window),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _measured(advice: Advice, window: str) -> str:
    record, counts, kept = advice.record, advice.counts, advice.kept
    if record.why_not is not None:
        if "holds no whole" in record.why_not:
            return f"No whole {window} lies in this time; --from and --to can give one."
        takes = (
            "probes (callsim watch)"
            if "no probe" in record.why_not or "a day is needed" in record.why_not
            else "another record (callsim sla assess)"
        )
        return f"Probes do not judge it: {record.why_not}; it takes {takes}."
    if not counts.windows:
        return f"No {window} was seen to half."
    text = f"Probes saw {counts.kept} of {_many(counts.windows, window)} keep it"
    if counts.broken:
        text += f", {counts.broken} break it"
    if counts.unclear:
        text += f", {counts.unclear} unclear"
    if kept.low is not None and kept.high is not None:
        text += f" ({100 * kept.low:.0f}..{100 * kept.high:.0f} %)"
    return f"{text}."


def _modelled(advice: Advice, window: str) -> str:
    forecast, objective = advice.forecast, advice.objective
    if forecast.verdict is None:
        return f"Not predicted: {forecast.why_not}." if forecast.why_not else ""
    text = (
        f"The refitted model keeps {figures.percent(forecast.met_share)} of {window}s, "
        f"{figures.plain_percent(1 - objective.risk)} are wanted"
    )
    if forecast.promise is not None:
        text += f"; it can sign {_signed(objective, forecast)}"
    return f"{text}."


def _signed(objective: Objective, forecast: Forecast) -> str:
    """Write what can be signed at the risk: on the safe side, else what is likely."""
    if forecast.safe is not None:
        return f"{_written(objective, forecast.safe)} safely"
    assert forecast.promise is not None  # asked before
    return f"{_written(objective, forecast.promise.value or 0.0)} perhaps, and nothing safely"


def _written(objective: Objective, value: float) -> str:
    if objective.name not in SHARES:
        return target_of(objective, Estimate(value, None, None, 0.95, 0))
    if value in (0.0, 1.0):
        return figures.plain_percent(value)
    missing = 1.0 - value if objective.higher_is_better else value
    decimals = max(1 - math.floor(math.log10(missing * 100.0)), 0)
    scale = 10.0**decimals
    # Never written as more than it is.
    rounded = math.floor if objective.higher_is_better else math.ceil
    return f"{rounded(value * 100.0 * scale + 1e-9) / scale:.{decimals}f} %"


def _decided(advice: Advice, window: str) -> str:
    if advice.say is Say.LOWER:
        return _lowered(advice)
    if advice.say is Say.CANNOT_SAY:
        return _takes(advice, window)
    if advice.say is Say.RAISE:
        return f"The record does not contradict the higher target.{_unclear(advice, window)}"
    if advice.why is Why.DISAGREE and advice.disagreement is not None:
        return f"{_differ(advice.disagreement)}, so nothing is raised."
    needed = f"; the record alone would take {_many(advice.takes, window)}" if advice.takes else ""
    unsure = f"Nothing speaks against it, nothing proves it{needed}."
    kept = {
        Why.UNSURE: unsure,
        Why.UNPREDICTED: unsure,
        Why.RECORD: f"Too many {window}s broke the next higher target.",
        Why.PROBES: "Probes as rare as these show no finer target.",
    }
    return kept.get(advice.why or Why.MODEL, "It holds, and a higher one would not be safe.")


def _many(count: int, window: str) -> str:
    return f"{count} {window}{'s' * (count != 1)}"


def _lowered(advice: Advice) -> str:
    if advice.disagreement is not None and advice.disagreement.better:
        return f"{_differ(advice.disagreement)}: callsim validate may tell which is right."
    return "" if advice.target is not None else "How far to lower it, nobody can tell."


def _differ(disagreement: Disagreement) -> str:
    which = "better" if disagreement.better else "worse"
    return f"What was measured is {which} than the model has it (p = {disagreement.p:.2g})"


def _unclear(advice: Advice, window: str) -> str:
    assert advice.target is not None  # it is raised to it
    unclear = advice.record.counts_at(advice.target).unclear
    if not unclear:
        return ""
    return f" In {_many(unclear, window)} that depends on how long outages were, or on unseen time."


def _takes(advice: Advice, window: str) -> str:
    if advice.why is Why.UNJUDGED:
        return ""
    if advice.why is Why.UNSEEN:
        many = len(advice.record.labels)
        least = f"{math.ceil(many / 2)} of the {many} {window}s" if many > 1 else f"half of the {window}"
        return f"It takes probes in at least {least}."
    if advice.takes is None:
        return "It takes fewer outages, or more probes."
    return f"It takes {_many(advice.takes, window)} that all keep it, or more outages seen to their end."


def _cost(terms: Terms, advice: Advice, window: str) -> str:
    """Say what a broken window costs: on average in the model, else by the mildest tier."""
    rules = [rule for rule in terms.credits if objective_of(terms, rule) is advice.objective]
    if not rules:
        return "No credit hangs on it."
    cost, least = advice.forecast.cost, ""
    if cost is None:
        mildest = [_mildest(terms, rule, advice.objective) for rule in rules]
        known = [one for one in mildest if one]
        if not known:
            return ""
        cost, least = min(known), "at least "
    return f"A broken {window} costs {least}{figures.significant(100 * cost)} % of a month's fee."


def _mildest(terms: Terms, rule: CreditRule, objective: Objective) -> float | None:
    if rule.flat is not None:
        return share_of(terms, rule.flat)
    return paid(terms, rule, objective, steps(rule, objective)[0]) if rule.tiers else None


def _basis(review: Review) -> Iterator[str]:
    """Say what it goes by."""
    if review.known < 0.9995:
        yield f"{figures.significant(100 * review.known)} % of the time was seen."
    if not review.refit.carriers:
        yield f"Nothing is refitted or simulated: {'; '.join(review.refit.left)}."
        return
    for one in review.refit.carriers:
        yield _carrier(one)
    if as_before := (*review.refit.left, *review.refit.stays):
        yield f"Assumed as before: {'; '.join(as_before)}."
    made = review.forecasts
    if made is not None:
        yield (
            f"{made.years:,} years, seed {made.seed}, {made.draws} draws of what is not known of these laws; "
            f"intervals of {figures.plain_percent(review.scenario.simulation.confidence)} cover it."
        )
        least = min(one.objective.risk for one in review.advice)
        if made.draws * least < DRAWS_AT_RISK:
            yield f"Too few to show that a risk of {figures.plain_percent(least)} is kept: " + (
                f"that takes --years {years_for(least)}."
            )


def _carrier(one: Refitted) -> str:
    lives, repairs = one.pair.lives.fitted.mean, one.pair.repairs.fitted.mean
    if one.pair.failures:
        failures = f"{one.pair.failures} failure{'s' * (one.pair.failures > 1)}"
        mtbf = f"{figures.duration(lives)} by {failures}"
    else:
        least = "" if lives.lower is None else f", at least {figures.plain_duration(lives.lower)}"
        mtbf = f"no failure in {figures.plain_duration(one.pair.seconds)}{least}"
    was, repaired = "", ""
    if one.assumed is not None:
        was = f" (assumed: {figures.plain_duration(one.assumed.mtbf)})"
        repaired = f" (assumed: {figures.plain_duration(one.assumed.repair)})"
    repair = "as assumed" if one.repair_assumed or repairs.value is None else figures.duration(repairs)
    mode = one.mode.replace("_", " ")
    tail = "" if repair == "as assumed" else repaired
    sides = {"MTBF": one.pair.lives, "repair": one.pair.repairs}
    unfit = [name for name, side in sides.items() if side.goodness and side.goodness.p_value < DOUBTFUL]
    doubt = f" No law fits its {' and '.join(unfit)} well." if unfit else ""
    return f"{one.carrier} refitted, as {mode}: MTBF {mtbf}{was}, repair {repair}{tail}.{doubt}"


def to_json(review: Review) -> dict[str, Any]:
    """Return all of it for programs; durations are seconds, shares are of one."""
    made = review.forecasts
    return {
        "format": 1,
        "callsim": __version__,
        "terms": review.terms.name,
        "scenario": review.scenario.name,
        "plan": review.plan.name,
        "subject": review.subject,
        "from": review.span[0].isoformat(),
        "to": review.span[1].isoformat(),
        "seen_share": review.known,
        "years": None if made is None else made.years,
        "draws": None if made is None else made.draws,
        "seed": None if made is None else made.seed,
        "partial": None if made is None else made.partial,
        "advice": [_advice_json(review, one) for one in review.advice],
        "refitted": [_carrier_json(one) for one in review.refit.carriers],
        "assumed": [*review.refit.left, *review.refit.stays],
    }


def _advice_json(review: Review, advice: Advice) -> dict[str, Any]:
    objective, record, counts, forecast = advice.objective, advice.record, advice.counts, advice.forecast
    return {
        "objective": objective.name,
        "says": promised(objective),
        "window": window_name(review.terms, objective),
        "target": objective.target,
        "risk": objective.risk,
        "advice": advice.say.value,
        "to": advice.target,
        "why": None if advice.why is None else advice.why.name.lower(),
        "reason": reason(review, advice),
        "measured": {
            "not_judged": record.why_not,
            "windows": [
                {
                    "window": label,
                    "seen": bool(record.seen[n]),
                    "kept": True if record.kept[n] else False if record.broken[n] else None,
                    "shortest": _number(record.shortest[n]),
                    "longest": _number(record.longest[n]),
                }
                for n, label in enumerate(record.labels)
            ],
            "kept": counts.kept,
            "broken": counts.broken,
            "unclear": counts.unclear,
            "kept_share": advice.kept.to_json(),
            "verdict": None if advice.measured is None else advice.measured.value,
            "windows_needed": advice.takes,
        },
        "model": {
            "not_predicted": forecast.why_not,
            "kept_share": forecast.met_share.to_json(),
            "verdict": None if forecast.verdict is None else forecast.verdict.value,
            "promise": None if forecast.promise is None else forecast.promise.to_json(),
            "cost_of_fee": forecast.cost,
        },
        "disagreement": None
        if advice.disagreement is None
        else {"p": advice.disagreement.p, "measured_is_better": advice.disagreement.better},
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _carrier_json(one: Refitted) -> dict[str, Any]:
    return {
        "carrier": one.carrier,
        "mode": one.mode,
        "failures": one.pair.failures,
        "operating_s": one.pair.seconds,
        "mtbf_s": one.pair.lives.fitted.mean.to_json(),
        "repair_s": one.pair.repairs.fitted.mean.to_json(),
        "repair_assumed": one.repair_assumed,
        "fit_p": [
            None if side.goodness is None else side.goodness.p_value
            for side in (one.pair.lives, one.pair.repairs)
        ],
        "assumed": None
        if one.assumed is None
        else {"modes": list(one.assumed.modes), "mtbf_s": one.assumed.mtbf, "repair_s": one.assumed.repair},
    }
