"""Two records of the same time, and which of them counts."""

import pytest
from sla_cases import TIERS, down, made, month, terms_of, volumes

from sla.disputes import not_theirs, settle

PROVIDER, CUSTOMER, THIRD = "provider", "customer", "third_party"
CREDITS = [{"objective": "availability", "tiers": TIERS}]


def terms(**measured):
    return terms_of(measured=measured, credits=CREDITS)


def settled(hours, by=(PROVIDER, CUSTOMER), **measured):
    """Which record counts, of two with an outage of so many hours each."""
    return settle([made(terms(**measured), down(one)) for one in hours], by)


@pytest.mark.parametrize(
    ("measured", "counts"),
    [
        ({}, 0),
        ({"measured_by": CUSTOMER}, 1),
        ({"measured_by": THIRD}, None),
        ({"disputes": CUSTOMER}, 1),
        ({"measured_by": CUSTOMER, "disputes": PROVIDER}, 0),
        ({"disputes": THIRD}, None),
        ({"disputes": "lower"}, 1),
        ({"disputes": "higher"}, 0),
    ],
)
def test_terms_say_whose_record_counts(measured, counts):
    found = settled((0.5, 9), **measured)
    assert (found.differ.tolist(), found.counts) == ([True], (counts,))
    swapped = settled((9, 0.5), (CUSTOMER, PROVIDER), **measured)
    assert swapped.counts == (None if counts is None else 1 - counts,)


def test_where_both_agree_there_is_no_dispute():
    found = settled((9, 9), disputes=THIRD)
    assert (found.differ.tolist(), found.counts, found.why) == ([False], (0,), ("the records agree",))


def test_a_third_partys_record_counts_once_it_is_given():
    found = settled((0.5, 9), (CUSTOMER, THIRD), disputes=THIRD)
    assert (found.counts, found.why) == ((1,), ("the record of a third party counts",))
    missing = settled((0.5, 9), disputes=THIRD)
    assert missing.why == ("the record of a third party counts, and is not given",)


def test_credits_may_differ_where_the_availability_does_not():
    # The same hours down, once as one outage and once as two.
    rule = {"objective": "mttr", "tiers": [{"above": "2h", "credit": "10%"}]}
    parts = {"objectives": [{"name": "mttr", "at_most": "2h"}], "credits": [rule]}
    one = made(terms_of(**parts, measured={"disputes": "lower"}), month((1, 5, "provider")))
    two = made(one.terms, month((1, 3, "provider"), (7, 9, "provider")))
    found = settle([one, two], (CUSTOMER, PROVIDER))
    assert (found.differ.tolist(), found.counts) == ([True], (1,))


def test_an_availability_that_is_not_known_is_neither_lower_nor_higher():
    rule = {"measured": {"by": "call_success", "disputes": "lower"}, "credits": CREDITS}
    lacking = made(terms_of(**rule), month((1, 2, "provider")))
    known = made(lacking.terms, month((1, 2, "provider"), calls=volumes()))
    found = settle([lacking, known], (PROVIDER, CUSTOMER))
    assert (found.differ.tolist(), found.counts) == ([True], (None,))


def test_records_are_of_two_parties_and_of_the_same_windows():
    one, other = (made(terms(), record) for record in (down(1), month()))
    with pytest.raises(ValueError, match="must be two parties"):
        settle([one, one], (CUSTOMER, CUSTOMER))
    with pytest.raises(ValueError, match="must be of the same windows"):
        settle([one, other], (PROVIDER, CUSTOMER))


def test_a_single_record_is_said_to_be_by_the_wrong_party():
    measured = terms(measured_by=THIRD).measured
    assert not_theirs(measured, THIRD) is None
    assert not_theirs(measured, CUSTOMER) == (
        "Whose record counts: the terms name that of a third party, and this one is by the customer."
    )
