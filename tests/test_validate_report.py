"""What `validate` says of its figures: which needs the least, no range that tells nothing, short lists."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from callsim.validating.facts import Metric
from callsim.validating.judging import MTBF, MTTR, Compared, Judged
from callsim.validating.report import terminal
from results.agreement import Agreement

DAY = 86400.0
YEAR = 365.25 * DAY


def row(subject, metric, needs=math.inf, verdict=Agreement.TOO_FEW, **more):
    known = {
        "predicted": (1.0, 0.74, 1.0),
        "measured": 1.0,
        "interval": (0.19, 1.0),
        "has": 150.0,
        "needs": needs,
    }
    return Compared(subject, metric, verdict, **(known | more))


def missing(subject, *metrics):
    return [Compared(subject, metric, Agreement.NOT_PREDICTED) for metric in metrics]


def told(rows, width=80):
    subjects = tuple(dict.fromkeys(one.subject for one in rows))
    found = SimpleNamespace(
        scenario="office",
        plan=SimpleNamespace(name="night"),
        measured=SimpleNamespace(pattern=SimpleNamespace(length=150.0)),
        reference=SimpleNamespace(
            matching=SimpleNamespace(subjects=subjects), null=SimpleNamespace(values=[0.0])
        ),
        # Any of all figures together finds both sooner than each by itself.
        judged=Judged(tuple(rows), 0.05, 2.0, {MTTR: 539 * DAY, MTBF: 3.1 * YEAR}),
        notes=(),
    )
    return terminal(found, width)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [row("atlantic", Metric.AVAILABILITY, 73 * YEAR), row("boreal", Metric.AVAILABILITY, 34 * YEAR)],
            "Availability of boreal needs the least, 34 years of such probing: then repairs twice as long or "
            "failures twice as often would show with 90 %.",
        ),
        (
            [row("atlantic", Metric.OUTAGES, 4 * YEAR), row("atlantic", Metric.AVAILABILITY, 5 * YEAR)],
            "The rate of outages of atlantic needs the least, 4.0 years of such probing: then failures twice "
            "as often would show",
        ),
        (
            [row("atlantic", Metric.LENGTH, 40 * DAY)],
            "40 d of such probing: then repairs twice as long would show",
        ),
        (
            [row("atlantic", Metric.PDD, 9 * DAY)],
            "9.0 d of such probing: then delays twice as long would show",
        ),
        ([row("atlantic", Metric.MOS_P5, 9 * DAY)], "then a MOS lower by 0.5 would show"),
        (
            [row("atlantic", Metric.AVAILABILITY)],
            "None of the figures without enough would have it in a hundred years.",
        ),
    ],
)
def test_the_answer_names_the_figure_that_needs_the_least(rows, says):
    text = " ".join(told(rows).split())
    assert text.startswith("TOO FEW DATA: in 2.5 min night measured nothing that contradicts office.")
    assert says in text
    assert "539 d" not in text


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (row("atlantic", Metric.AVAILABILITY, 73 * YEAR), "100 % 100 % needs 73 years"),
        (row("atlantic", Metric.OUTAGES, predicted=(0.0, 0.0, 0.01), measured=0.0, interval=(0.0, 0.04)),
         "outages, 30 d 0 0 never enough"),
        (row("atlantic", Metric.AVAILABILITY, 73 * YEAR, has=DAY), "100 % (74..100) 100 % (19..100) needs"),
        (row("atlantic", Metric.PDD, 9 * DAY, predicted=(2.0, 1.0, 3.0), measured=2.0, interval=(1.0, 3.0)),
         "PDD, mean 2.0 s (1.0..3.0) 2.0 s (1.0..3.0) needs"),
    ],
)  # fmt: skip
def test_ranges_that_say_nothing_are_not_printed(one, shown):
    text = " ".join(told([one]).split())
    assert shown in text
    assert ("not given of less than a day" in text) == ("(" not in shown)


@pytest.mark.parametrize(
    ("subjects", "of", "says"),
    [
        (("a", "b", "c"), ("a", "b", "c"), "all: PDD mean, PDD p95"),
        (("a", "b", "c"), ("a", "b"), "a, b: PDD mean, PDD p95"),
        (tuple("abcdefg"), tuple("abcdef"), "a, b, c and 3 more: PDD mean, PDD p95"),
    ],
)
def test_what_is_not_predicted_is_listed_together(subjects, of, says):
    rows = [row(subject, Metric.AVAILABILITY) for subject in subjects]
    rows += [one for subject in of for one in missing(subject, Metric.PDD, Metric.PDD_P95)]
    assert f"Not predicted: {says}." in told(rows)


@pytest.mark.parametrize(("count", "verb"), [(1, "1 of a is worth 1"), (3, "3 of a are worth 1")])
def test_one_call_is_no_plural(count, verb):
    assert verb in told([row("a", Metric.CONNECTED, count=count, worth=1.0)])


def test_the_table_is_within_80_columns():
    rows = [row(name, Metric.AVAILABILITY, YEAR) for name in ("atlantic", "boreal", "service")]
    assert all(len(line) <= 80 for line in told(rows).splitlines())
