"""Ledgers as JSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from ledger_cases import END, START, ledgers, same

from results.ledger import OPTIONAL, Blame, Cause, Ledger, outage_table
from results.ledger_file import ledger_text, parse_ledger, read_ledger


def plain(**more) -> Ledger:
    table = outage_table([START + 1.25], [np.inf], [(Cause(Blame.CARRIER, "a/b"), Cause(Blame.ACCESS))])
    return Ledger(START, END, table, frozenset({"core_voice"}), frozenset(), **more)


@settings(max_examples=40, deadline=None)
@given(ledgers(OPTIONAL))
def test_a_ledger_comes_back_exactly(ledger):
    assert same(parse_ledger(ledger_text(ledger)), ledger)


def test_what_json_has_no_word_for_is_null_or_text():
    text = ledger_text(plain())
    data = json.loads(text, parse_constant=pytest.fail)
    assert (data["format"], data["holds"]) == (1, "ledger")
    assert (data["outages"]["end"], data["outages"]["restored"]) == (["inf"], [None])
    assert data["outages"]["cause_sets"] == [["carrier:a/b", "access"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a ledger"),
        ('{"format": 1}', "not a ledger"),
        ('{"format": 2, "holds": "ledger"}', "format 2 is not known; this version reads format 1"),
        ('{"format": 1, "holds": "ledger"}', "not a whole ledger: KeyError: 'requests'"),
        ("{", "Expecting property name"),
        (ledger_text(plain()).replace('"carrier:a/b"', '"nobody"'), "'nobody' is not a valid Blame"),
    ],
)
def test_anything_else_is_refused(tmp_path, text, message):
    file = tmp_path / "ledger.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"ledger\.json: ") as raised:
        read_ledger(file)
    assert message in str(raised.value)
