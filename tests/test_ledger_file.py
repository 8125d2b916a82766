"""Ledgers as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_cases import END, START, ledgers, same, shares, volumes, weekly

from results.ledger import OPTIONAL, Blame, CallVolumes, Cause, Ledger, outage_table
from results.ledger_file import ledger_text, parse_ledger, read_ledger
from results.timeline import Heard

heard = st.builds(
    Heard,
    st.none() | st.floats(1, 4.5),
    st.sampled_from(["", "MOS-CQE", "MOS-CQEW"]),
    shares,
    shares,
    shares,
    st.booleans(),
    st.sampled_from(["", "atlantic/poor_audio"]),
)


@st.composite
def voiced(draw: st.DrawFn) -> CallVolumes:
    """Calls with all that is known of how they fare and sound."""
    calls = draw(volumes())
    conditions = tuple(
        replace(
            condition,
            branches=tuple(
                replace(
                    branch,
                    inbound=draw(st.booleans()),
                    heard=draw(st.none() | heard),
                    carrier_fault=draw(st.sampled_from(["", "boreal/slow"])),
                )
                for branch in condition.branches
            ),
            unconnected=draw(st.none() | weekly),
            blocked=draw(st.none() | weekly),
            directions=draw(st.none() | st.tuples(weekly, weekly)),
        )
        for condition in calls.conditions
    )
    blames = draw(st.dictionaries(st.text(max_size=5), st.sampled_from(Blame), max_size=2))
    return replace(calls, conditions=conditions, blames=blames)


def plain(**more) -> Ledger:
    table = outage_table([START + 1.25], [np.inf], [(Cause(Blame.CARRIER, "a/b"), Cause(Blame.ACCESS))])
    return Ledger(START, END, table, frozenset({"core_voice"}), frozenset(), **more)


@settings(max_examples=40, deadline=None)
@given(ledgers(OPTIONAL))
def test_a_ledger_comes_back_exactly(ledger):
    assert same(parse_ledger(ledger_text(ledger)), ledger)


@settings(max_examples=40, deadline=None)
@given(voiced())
def test_how_calls_sound_comes_back_exactly(calls):
    ledger = plain(calls=calls)
    assert same(parse_ledger(ledger_text(ledger)), ledger)


def test_hours_that_are_alike_are_written_once():
    rate = np.repeat([0.1, 30.0, 0.1], [8, 10, 150])
    calls = CallVolumes("UTC", rate, *np.empty((2, 0)), np.empty(0, dtype=np.int32), (), (1,))
    ledger = plain(calls=calls)
    text = ledger_text(ledger)
    assert json.loads(text)["calls"]["calls_per_hour"]["values"] == [0.1, 30.0]
    assert same(parse_ledger(text), ledger)


@settings(max_examples=10, deadline=None)
@given(volumes())
def test_a_file_of_the_first_format_is_read(calls):
    data = json.loads(ledger_text(plain(calls=calls)))
    data["format"] = 1
    del data["calls"]["blames"]
    for condition in data["calls"]["conditions"]:
        for key in ("unconnected", "blocked", "directions"):
            del condition[key]
        for branch in condition["branches"]:
            for key in ("inbound", "heard", "carrier_fault"):
                del branch[key]
    assert same(parse_ledger(json.dumps(data)), plain(calls=calls))


def test_what_json_has_no_word_for_is_null_or_text():
    text = ledger_text(plain())
    data = json.loads(text, parse_constant=pytest.fail)
    assert (data["format"], data["holds"]) == (2, "ledger")
    assert (data["outages"]["end"], data["outages"]["restored"]) == (["inf"], [None])
    assert data["outages"]["cause_sets"] == [["carrier:a/b", "access"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a ledger"),
        ('{"format": 1}', "not a ledger"),
        ('{"format": 3, "holds": "ledger"}', "format 3 is not known; this version reads formats 1 and 2"),
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
