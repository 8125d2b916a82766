"""A result as a person reads it, on a terminal or in a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from callsim import figures
from callsim.agreements.accounts import CreditFigures, Judgement
from callsim.call_rows import call_rows, direction_rows
from callsim.result import HOUR, Cause, Result
from results.estimates import Estimate
from results.verdicts import Verdict
from sla.objectives import Objective

MOST_CAUSES = 6
FEWEST_CAUSES = 2
CRITICAL_UNITS = 3
SMALLEST_STAGE = 0.01
"""A stage with less than this share of the MTTR is left to `result.json`."""
BAR = 16
NAME = 34
LINES_BELOW = 2
"""Where the files are, and the prompt."""
WINDOWS = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}


def verdict_line(result: Result) -> str:
    """Return the answer in one sentence: verdict, what is achieved, what that means for the promise."""
    sentence = f"{result.scenario.name} {_achieved(result)}"
    if result.verdict is None:
        partial = "" if result.study.partial is None else f" (PARTIAL: {result.study.partial})"
        return f"NO OBJECTIVE: {sentence}; nothing is promised{partial}."
    worst = next(j for j in result.objectives if j.verdict is result.verdict)
    sentence = f"{result.verdict.value}: {sentence}; {_kept(worst)}"
    if result.verdict is Verdict.INCONCLUSIVE:
        sentence += f", so {_wanting(result, worst)}"
    if result.study.partial is not None:
        sentence += f" (PARTIAL: {result.study.partial})"
    return f"{sentence}."


def _wanting(result: Result, judgement: Judgement) -> str:
    """Say what would tell: more years, or knowing more of what is uncertain."""
    noise = judgement.met_share.noise
    if noise is None or noise[0] <= 1 - judgement.objective.risk <= noise[1]:
        return "more years have to tell"
    return "more has to be known of what is uncertain"


def _achieved(result: Result) -> str:
    if not result.study.summary.downtime.any():
        most = result.outages_per_year.upper
        bound = f" (at most {figures.significant(most)} a year)" if most is not None else ""
        return f"has no outage in {result.study.years:,} years{bound}"
    down = result.downtime_min_per_year.value or 0.0
    return (
        f"achieves {figures.percent(result.availability)}, "
        f"i.e. {figures.plain_duration(down * 60.0)} down a year"
    )


def _kept(judgement: Judgement) -> str:
    objective = judgement.objective
    kind = WINDOWS.get(judgement.window, f"{judgement.window}'s")
    return (
        f"{'' if judgement.customer is None else f'for {judgement.customer} '}"
        f"the {kind} {promised(objective)} is kept in "
        f"{figures.percent(judgement.met_share)} of {judgement.window}s, "
        f"the target wants {figures.plain_percent(1 - objective.risk)}"
    )


def promised(objective: Objective) -> str:
    """Return what an objective promises: `99.99 %`, `MTTR of at most 30 min`."""
    target = quantity(objective, objective.target)
    if objective.name == "availability":
        text = target
    else:
        bound = "at least" if objective.higher_is_better else "at most"
        text = f"{QUANTITIES[objective.name]} of {bound} {target}"
    priority = getattr(objective, "priority", None)
    details = [objective.scope, priority, objective.requires and f"if {objective.requires}"]
    told = ", ".join(detail.replace("_", " ") for detail in details if detail)
    return f"{text} ({told})" if told else text


def brief(objective: Objective) -> str:
    """Return what an objective promises as a table has room for it: `MTTR 30 min`, `P1 response 15 min`."""
    target = quantity(objective, objective.target)
    name = {"availability": "", "post_dial_delay": "p95 PDD "}.get(objective.name)
    text = (f"{QUANTITIES[objective.name]} " if name is None else name) + target
    priority = getattr(objective, "priority", None)
    scope = None if objective.scope is None else objective.scope.replace("_", " ")
    return " ".join(part for part in (scope, priority, text) if part)


QUANTITIES = {
    "mttr": "MTTR",
    "time_to_restore": "time to restore",
    "mtbf": "MTBF",
    "downtime": "downtime",
    "outages": "outages",
    "post_dial_delay": "p95 post-dial delay",
    "mos": "mean MOS",
    "poor_calls": "poor calls",
    "asr": "ASR",
    "ner": "NER",
    "packet_loss": "packet loss",
    "latency": "latency",
    "jitter": "jitter",
    "support_response": "response",
    "support_resolution": "resolution",
    "change_request": "change",
    "defect_fix": "defect fix",
    "hardware_exchange": "exchange",
    "notification": "notification",
}
"""What objectives are called in a sentence."""
SHARES = ("availability", "asr", "ner", "poor_calls", "packet_loss")
COUNTS = ("mos", "outages")


def quantity(objective: Objective, value: float) -> str:
    """Write a value of an objective in its own unit."""
    if objective.name in SHARES:
        return figures.plain_percent(value)
    return f"{value:.10g}" if objective.name in COUNTS else figures.exact_duration(value)


def target_of(objective: Objective, estimate: Estimate) -> str:
    """Write an estimate of a target in the objective's own unit."""
    if objective.name in SHARES:
        return figures.percent(estimate)
    return figures.number(estimate) if objective.name in COUNTS else figures.duration(estimate)


def terminal(result: Result, width: int = 80, height: int = 40, blocks: str = "█") -> str:
    """Return everything that one screen of `width` by `height` characters holds, the answer first."""
    parts = [
        [*_notes(result, width), *textwrap.wrap(verdict_line(result), width)],
        _objectives(result, width),
        _estimates(rows_of(result), width),
        _causes(result, MOST_CAUSES, blocks),
        [*_critical(result, width), *_footer(result, width)],
    ]

    def room() -> int:
        return height - LINES_BELOW - sum(map(len, parts))

    if room() < 0:
        heading_and_rest = 2
        most = max(len(parts[3]) + room() - heading_and_rest, FEWEST_CAUSES)
        parts[3] = _causes(result, most, blocks)
    if room() < 0:
        parts[1] = _objectives(result, width, brief=True)
        parts[4] = _footer(result, width)
    if room() < 0:
        parts[2] = _estimates(_main(rows_of(result)), width)
    if room() < 0:
        parts[2] = _estimates(_main(rows_of(result, brief=True)), width)
        parts[4] = _footer(result, width, brief=True)
    gap = "\n\n" if room() >= len(parts) else "\n"
    return gap.join("\n".join(part) for part in parts if part)


def _notes(result: Result, width: int) -> list[str]:
    notes = []
    if result.study.partial is not None:
        notes.append(f"PARTIAL: {result.study.partial}; the intervals are those of the years so far.")
    if result.study.missed_precision:
        notes.append("The interval is wider than the precision that was asked for.")
    return [line for note in notes for line in textwrap.wrap(note, width)]


def objective_rows(result: Result) -> list[tuple[str, ...]]:
    """Return a row for each objective: what, how often kept, how often wanted, verdict."""
    names = {judgement.agreement for judgement in result.objectives}
    rows: list[tuple[str, ...]] = []
    for judgement in result.objectives:
        what = f"{brief(judgement.objective)} a {judgement.window}"
        if judgement.customer is not None:
            what = f"{judgement.customer}: {what}"
        if len(names) > 1:
            what = f"{judgement.agreement}: {what}"
        if judgement.verdict is None:
            rows.append((what, "not assessed", "", ""))
            continue
        kept = figures.percent(judgement.met_share)
        rows.append(
            (what, kept, figures.plain_percent(1 - judgement.objective.risk), judgement.verdict.value)
        )
    return rows


def _objectives(result: Result, width: int, brief: bool = False) -> list[str]:
    """Set the objectives in a table; where that has to be `brief`, what is met is counted only."""
    rows = objective_rows(result)
    if not rows:
        return []
    head = ("Objective", "windows that keep it", "wanted", "verdict")
    open_ones = (Verdict.BREACHED.value, Verdict.INCONCLUSIVE.value)
    told = [row for row in rows if not brief or row[-1] in open_ones]
    met = sum(row[-1] == Verdict.MET.value for row in rows)
    counts = {"MET": met, "not assessed": len(rows) - len(told) - met}
    left = ", ".join(f"{count} {what}" for what, count in counts.items() if count > 0)
    return columns([head, *told], width) + ([f"and {left}"] if len(told) < len(rows) else [])


def columns(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Set rows of text in columns; rows that are too long for `width` go on with an indent."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip() for row in rows)
    return [part for line in lines for part in textwrap.wrap(line, width, subsequent_indent="    ")]


def _main(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the rows that say more about the one above them."""
    return [row for row in rows if not row[0].startswith(" ")]


def rows_of(result: Result, brief: bool = False) -> list[tuple[str, str]]:
    """Return the estimates with their intervals, a name and a text each; fewer if `brief`."""
    rows = [
        ("Availability", figures.percent(result.availability)),
        *_after_exclusions(result),
        *direction_rows(result),
        ("Downtime", f"{figures.duration(result.downtime_min_per_year.scaled(60.0))} a year"),
        *_noise(result),
        (
            "Outages",
            f"{figures.number(result.outages_per_year)} a year, "
            f"MTBF {figures.duration(result.mtbf_h.scaled(HOUR))}",
        ),
        ("MTTR", figures.duration(result.mttr_min.scaled(60.0)) + _stages(result)),
    ]
    rows += call_rows(result, brief)
    rows += [("Credits", credited(figures_of, brief)) for figures_of in _credits(result)]
    delay = result.post_dial_delay_s
    if delay is not None:
        text = f"median {delay['p50']:.1f} s, p95 {delay['p95']:.1f} s, p99 {delay['p99']:.1f} s"
        rows.append(("Post-dial delay", text))
    return rows


def _noise(result: Result) -> list[tuple[str, str]]:
    """Write what the simulation's noise alone makes of the interval, where that covers more."""
    down = result.downtime_min_per_year
    if down.noise is None:
        return []
    alone = Estimate(down.value, *down.noise, down.confidence, down.count)
    return [("  noise alone", figures.duration(alone.scaled(60.0)))]


def _after_exclusions(result: Result) -> list[tuple[str, str]]:
    """Write eligible and claimed availability, each where it tells something new."""
    told, rows = figures.percent(result.availability), []
    for name, found in (("eligible", result.accounts.eligible), ("claimed", result.accounts.claimed)):
        if found is not None and figures.percent(found) != told:
            told = figures.percent(found)
            rows.append((f"  {name}", told))
    return rows


def _credits(result: Result) -> list[CreditFigures]:
    """Return the portfolio's figures; each customer's are left to `result.json`."""
    portfolio = result.accounts.portfolio
    return [] if portfolio is None or not portfolio.promised else [portfolio]


def credited(found: CreditFigures, brief: bool = False) -> str:
    """Write what is paid: the mean, in money too, and the bad windows (if `brief` the worst only)."""
    mean = figures.number(found.mean_share_of_fee.scaled(100.0))
    money = ""
    if found.fee is not None and found.mean_share_of_fee.value is not None:
        amount = figures.significant(found.mean_share_of_fee.value * found.fee)
        money = f" = {amount} {found.currency}"
    if brief:
        return f"{mean} % of the fee a window{money}; CVaR99 {_share(found.cvar99)}"
    return (
        f"{mean} % of the fee a window{money}; VaR95 {_share(found.var95)}, VaR99 {_share(found.var99)}, "
        f"CVaR99 {_share(found.cvar99)}"
        + (f"; bonus {_share(found.bonus_share)}" if found.bonus_share else "")
    )


def _stages(result: Result) -> str:
    least = SMALLEST_STAGE * (result.mttr_min.value or 0.0)
    known = sorted(
        ((minutes, name) for name, minutes in result.mttr_stages_min.items() if minutes and minutes >= least),
        reverse=True,
    )
    text = ", ".join(f"{name} {figures.plain_duration(minutes * 60.0)}" for minutes, name in known)
    return f": {text}" if text else ""


def _estimates(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    indent = 17
    return [
        line
        for name, text in rows
        for line in textwrap.wrap(name.ljust(indent) + text, width, subsequent_indent=" " * indent)
    ]


def cause_name(cause: Cause) -> str:
    """Return what a cause set is called."""
    return " + ".join(cause.causes) or "no failure"


def _causes(result: Result, most: int, blocks: str) -> list[str]:
    shown, rest = list(result.causes[:most]), result.causes[most:]
    if not shown:
        return []
    rows = [(cause_name(cause), cause.downtime_share, cause.outages_per_year) for cause in shown]
    if rest:
        others = sum(cause.downtime_share for cause in rest), sum(cause.outages_per_year for cause in rest)
        rows.append((f"{len(rest)} more", *others))
    lines = [f"{'Causes of downtime':<{NAME}}  {'share':<{BAR + 8}}outages a year"]
    for name, share, outages in rows:
        short = name if len(name) <= NAME else f"{name[: NAME - 2]}.."
        bar = blocks * max(round(share * BAR), 0)
        lines.append(f"{short:<{NAME}}  {_share(share):>6} {bar:<{BAR}} {figures.significant(outages):>6}")
    return [line.rstrip() for line in lines]


def _share(share: float) -> str:
    return f"{figures.significant(share * 100)} %"


def _critical(result: Result, width: int) -> list[str]:
    units = sorted(
        (unit for unit in result.units if unit.importance is not None and unit.importance > 0),
        key=lambda unit: -(unit.importance or 0.0),
    )[:CRITICAL_UNITS]
    if not units:
        return []
    named = ", ".join(f"{unit.name} {_share(unit.importance or 0.0)}" for unit in units)
    return textwrap.wrap(f"Chance of being down while failed: {named}", width, subsequent_indent="  ")


def _footer(result: Result, width: int, brief: bool = False) -> list[str]:
    study = result.study
    confidence = figures.plain_percent(result.availability.confidence)
    covered, rest = "the simulation's noise", "the MTBFs and repair times are assumptions"
    if result.uncertain is not None:
        many = len(result.uncertain.parameters)
        covered += f" and what is not known of {many} law{'s'[: many != 1]} of time ({study.draws} draws)"
        rest = "the other MTBFs and repair times are assumptions"
    if brief:
        noise = f"The {confidence} intervals cover {covered}."
        return textwrap.wrap(f"{study.years:,} years, seed {study.seed}. {noise}", width)
    speed = f"{study.years / study.wall_s:,.0f}" if study.wall_s else "many"
    text = (
        f"{study.years:,} years in {study.wall_s:,.1f} s ({speed} a second), seed {study.seed}. The "
        f"{confidence} intervals cover {covered}; {rest}."
    )
    return textwrap.wrap(text, width)


def html(result: Result) -> str:
    """Return what a notebook shows."""
    causes = [
        (cause_name(c), _share(c.downtime_share), figures.significant(c.outages_per_year))
        for c in result.causes[:MOST_CAUSES]
    ]
    notes = "".join(f"<p>{escape(note)}</p>" for note in _notes(result, 10_000))
    return (
        f"{notes}<p><b>{escape(verdict_line(result))}</b></p>"
        + table(("objective", "windows that keep it", "wanted", "verdict"), objective_rows(result))
        + table(("quantity", "estimate"), rows_of(result))
        + table(("cause of downtime", "share", "outages a year"), causes)
        + f"<p>{escape(' '.join(_footer(result, 10_000)))}</p>"
    )


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return an HTML table, nothing without rows."""
    if not rows:
        return ""

    def line(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"
