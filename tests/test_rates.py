"""Rates of INVITEs by their final statuses."""

import pytest

from callgen.measures.rates import StatusClass, class_of, rates_of

HUNDRED = [302] * 2 + [200] * 50 + [486] * 20 + [480] * 10 + [503] * 10 + [404] * 5 + [408] * 3


def test_a_hundred_invites_have_the_rates_of_the_rfc():
    rates = rates_of(HUNDRED)
    assert rates.invites == 100
    assert (round(rates.ser, 2), round(rates.seer, 2)) == (51.02, 81.63)
    assert (rates.isa, rates.asr, rates.ner, rates.scr) == (13.0, 50.0, 80.0, 50.0)


def test_where_there_is_nothing_to_count_a_rate_is_undefined():
    nothing = rates_of([])
    assert {nothing.asr, nothing.ner, nothing.ser, nothing.seer, nothing.isa, nothing.scr} == {None}
    redirected = rates_of([302])
    assert (redirected.ser, redirected.seer, redirected.asr) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("status", "name", "seer", "isa", "ner"),
    [
        (202, "answered", 1, 0, 1),
        (404, "rejected", 0, 0, 0),
        (408, "timeout", 0, 1, 0),
        (480, "not_available", 1, 0, 1),
        (486, "busy", 1, 0, 1),
        (487, "cancelled", 0, 0, 1),
        (500, "out_of_service", 0, 1, 0),
        (501, "failed", 0, 0, 0),
        (503, "out_of_service", 0, 1, 0),
        (504, "out_of_service", 0, 1, 0),
        (600, "busy", 1, 0, 1),
        (603, "declined", 1, 0, 1),
        (604, "rejected", 0, 0, 0),
    ],
)
def test_each_status_counts_for_what_it_is(status, name, seer, isa, ner):
    assert class_of(status) is StatusClass(name)
    rates = rates_of([status])
    assert (rates.seer, rates.isa, rates.ner) == (100.0 * seer, 100.0 * isa, 100.0 * ner)


@pytest.mark.parametrize("status", [100, 199, 700, 0])
def test_what_is_not_final_is_no_status(status):
    with pytest.raises(ValueError, match="must be a final one"):
        class_of(status)
