"""Records of outages as CSV: what is read, what is refused, what is written."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ledger_cases import END, START, ledgers, same

from callsim.errors import ScenarioError
from callsim.ledgers.outage_csv import HEADER, outages_text, read_outages
from results.ledger import Blame, Cause

YEAR = (START, END)
FULL = ",".join(HEADER)
WRITTEN = ("failing", "affected_users", "ticket_opened", "notice_given")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that messages name the file as `o.csv`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str | bytes, span=YEAR, **more):
    Path("o.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_outages("o.csv", span, **more)


def said(text: str | bytes, **more) -> list[str]:
    """Everything that is wrong with a file."""
    with pytest.raises(ScenarioError) as raised:
        read(text, **more)
    return [str(problem).removeprefix("o.csv:").strip() for problem in raised.value.problems]


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


# ---- what is read


def test_every_column_is_read(folder):
    ledger, warnings = read(
        FULL
        + "\n2026-10-01T12:00:00+02:00,2026-10-01T10:30:00.250Z,carrier:atlantic/silent + provider,portal,"
        "30%,120,2026-10-01T10:05Z,2026-10-01T11:00Z,2026-09-24T10:00Z,2026-10-01T10:40Z\n"
    )
    table = ledger.outages
    assert warnings == []
    assert (table.start.tolist(), table.end.tolist()) == (
        [at("2026-10-01T10:00Z")],
        [at("2026-10-01T10:30:00.250Z")],
    )
    assert table.cause_sets == ((Cause(Blame.CARRIER, "atlantic/silent"), Cause(Blame.PROVIDER)),)
    assert (table.scopes, table.scope.tolist()) == (("portal",), [0])
    assert (table.failing[0], table.affected_users[0]) == (0.3, 120.0)
    assert table.ticket_opened[0] == at("2026-10-01T10:05Z")
    assert table.ticket_closed[0] == at("2026-10-01T11:00Z")
    assert table.notice_given[0] == at("2026-09-24T10:00Z")
    assert table.restored[0] == at("2026-10-01T10:40Z")
    assert ledger.known == {
        *("failing", "affected_users", "ticket_opened", "ticket_closed", "notice_given", "restored")
    }
    assert ledger.scopes == {"core_voice", "portal"}
    assert (ledger.start, ledger.end) == YEAR


def test_start_and_end_are_enough(folder):
    ledger, _ = read("end,start\n2026-10-01T10:30Z,2026-10-01T10:00Z\n", covers={"portal"})
    assert (ledger.known, ledger.scopes) == (frozenset(), {"portal"})
    assert ledger.outages.cause_sets == ((Cause(Blame.PROVIDER),),)
    assert ledger.outages.scope.tolist() == [-1]


def test_what_is_empty_is_open_or_unknown(folder):
    ledger, _ = read("start,end,cause,failing_calls,ticket_opened\n2026-10-01T10:00Z,,,,\n")
    assert ledger.outages.end.tolist() == [np.inf]
    assert np.isnan([ledger.outages.failing[0], ledger.outages.ticket_opened[0]]).all()
    assert ledger.outages.cause_sets == ((Cause(Blame.PROVIDER),),)


def test_rows_may_stand_in_any_order_touch_overlap_and_last_no_time(folder):
    rows = [
        "2026-10-03T10:00Z,2026-10-03T10:30Z",
        "2026-10-01T10:00Z,2026-10-01T10:00Z",
        "2026-10-01T09:00Z,2026-10-01T11:00Z",
        "2026-10-03T10:30Z,2026-10-03T10:40Z",
    ]
    ledger, warnings = read("\n".join(["start,end", *rows, "", ","]))
    assert warnings == []
    assert np.diff(ledger.outages.start).min() > 0
    assert len(np.unique(ledger.outages.outage)) == 4


def test_what_stands_there_twice_counts_once(folder):
    row = "2026-10-03T10:00Z,2026-10-03T10:30Z"
    ledger, warnings = read(f"start,end\n{row}\n2026-10-04T10:00Z,\n {row} \n{row}\n")
    assert len(ledger.outages) == 2
    assert warnings == [
        "line 4: the same as line 2; it counts once",
        "line 5: the same as line 2; it counts once",
    ]


def test_what_lies_outside_of_the_time_that_is_judged_is_said(folder):
    rows = "2025-12-31T10:00Z,2025-12-31T10:30Z\n2025-12-31T23:00Z,2026-01-01T01:00Z\n2027-01-01T00:00Z,\n"
    _, warnings = read(f"start,end\n{rows}")
    assert warnings == ["2 of 3 outages lie outside of the time that is judged"]


@pytest.mark.parametrize(
    ("rows", "first", "last"),
    [
        ("2026-10-05T10:00Z,2026-10-05T11:00Z", "2026-10-01T00:00+02:00", "2026-11-01T00:00+01:00"),
        ("2026-09-30T22:30Z,2026-09-30T22:40Z", "2026-10-01T00:00+02:00", "2026-11-01T00:00+01:00"),
        ("2026-10-05T10:00Z,2026-10-31T23:00Z", "2026-10-01T00:00+02:00", "2026-11-01T00:00+01:00"),
        ("2026-10-05T10:00Z,2026-10-31T23:01Z", "2026-10-01T00:00+02:00", "2026-12-01T00:00+01:00"),
        ("2026-10-31T23:00Z,2026-10-31T23:00Z", "2026-11-01T00:00+01:00", "2026-12-01T00:00+01:00"),
        ("2026-12-05T10:00Z,", "2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00"),
    ],
)
def test_the_months_of_the_zone_hold_all_rows(folder, rows, first, last):
    ledger, _ = read(f"start,end\n{rows}\n", span=None, timezone="Europe/Berlin")
    assert (ledger.start, ledger.end) == (at(first), at(last))


# ---- what is refused


def test_every_mistake_is_told_with_its_line_all_at_once(folder):
    rows = [
        "2026-10-01T12:00:00,2026-10-01T12:30:00Z,,,,,,,,",
        "2026-10-01,2026-13-01T12:30:00Z,,,,,,,,",
        "2026-10-02T12:00Z,2026-10-02T11:00Z,,,,,,,,",
        ",2026-10-02T11:00Z,,,,,,,,",
        "2026-10-02T12:00Z",
        "2026-10-03T12:00Z,2026-10-03T13:00Z,maintenence,,,,,,,",
        "2026-10-03T12:00Z,2026-10-03T13:00Z,carrier + gremlins:x,,,,,,,",
        "2026-10-03T12:00Z,2026-10-03T13:00Z,,the portal,,,,,,",
        "2026-10-03T12:00Z,2026-10-03T13:00Z,,,0.3,many,,,,",
        "2026-10-03T12:00Z,2026-10-03T13:00Z,,,130%,-4,,,,",
        "2026-10-03T12:00Z,2026-10-03T13:00Z,,,,,2026-10-03T12:10Z,2026-10-03T12:05Z,,2026-10-03T11:00Z",
        "1926-10-03T12:00Z,2026-10-03T13:00Z,,,,,,,soon,",
    ]
    assert said("\n".join([FULL, *rows])) == [
        "2: start: '2026-10-01T12:00:00' has no zone; write 2026-10-01T12:00:00Z for UTC, or its offset, "
        "like 2026-10-01T12:00:00+02:00",
        "3: end: '2026-13-01T12:30:00Z' is not a time; write one like 2026-10-01T12:00:00Z",
        "3: start: '2026-10-01' has no zone; write 2026-10-01T00:00:00Z for UTC, or its offset, "
        "like 2026-10-01T00:00:00+02:00",
        "4: end: before `start`; write it no sooner",
        "5: start: empty; an outage has a start, like 2026-10-01T12:00:00+02:00",
        "6: 1 cells; the first line has 10",
        "7: cause: 'maintenence' is no class of causes; did you mean 'maintenance'?",
        "8: cause: 'gremlins' is no class of causes; write one of provider, maintenance, "
        "emergency_maintenance, carrier, third_party, customer, access, equipment, capacity, attack, "
        "force_majeure, suspended",
        "9: scope: 'the portal' is not a scope; a scope is a name, like core_voice",
        "10: affected_users: 'many' is not a number of users; write one like 120",
        "10: failing_calls: 0.3 has no unit; write a share in percent, like 5%",
        "11: affected_users: '-4' is not a number of users; write one like 120",
        "11: failing_calls: 130% is more than the whole; write a percentage from 0% to 100%",
        "12: restored: before `start`; write it no sooner",
        "12: ticket_closed: before `ticket_opened`; write it no sooner",
        "13: notice_given: 'soon' is not a time; write one like 2026-10-01T12:00:00Z",
        "13: start: '1926-10-03T12:00Z' is too far off; write a year from 1970 to 9500",
    ]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", [f"1: empty; the first line is {FULL}"]),
        ("start;end\n", [f"1: separated by ';', not by commas; the first line is {FULL}"]),
        ("start,cause\n", ["1: end: missing; every record has it"]),
        (
            "start,end,couse,notes,end\nx,\n",
            [
                "1: couse: unknown column; did you mean 'cause'?",
                "1: end: stands here twice; delete one",
                f"1: notes: unknown column; known here: {', '.join(HEADER)}",
                "2: 2 cells; the first line has 5",
            ],
        ),
        (b"start,end\n\xff,\n", ["is not UTF-8 text; save it as such"]),
        ('start,end\n"2026,\n', ["is not CSV: unexpected end of data"]),
    ],
)
def test_what_is_no_record_at_all(folder, text, messages):
    assert said(text) == messages


def test_without_outages_somebody_has_to_say_of_which_time_it_is(folder):
    assert said("start,end\n", span=None) == [
        "no outages, so nothing says of which time it is; give a month, or a start and an end"
    ]
    ledger, _ = read("start,end\n")
    assert len(ledger.outages) == 0


def test_a_file_that_is_not_there_and_one_that_is_a_folder(folder):
    with pytest.raises(ScenarioError, match=r"^none\.csv: cannot be read: no such file or directory$"):
        read_outages("none.csv")
    with pytest.raises(ScenarioError, match=r"^\.: cannot be read: is a directory$"):
        read_outages(".")


# ---- what is written


@settings(max_examples=40, deadline=None)
@given(ledgers(WRITTEN, outages_only=True), st.sampled_from(["UTC", "America/New_York"]))
def test_what_is_written_is_read_as_it_was(tmp_path_factory, ledger, zone):
    file = tmp_path_factory.getbasetemp() / "written.csv"
    file.write_text(outages_text(ledger, zone), encoding="utf-8")
    rows = file.read_text().splitlines()[1:]
    assume(len(set(rows)) == len(rows))  # what stands there twice would count once
    again, _ = read_outages(file, (ledger.start, ledger.end))
    assert again.known == ledger.known
    for name in ("start", "end", "failing", "affected_users", "ticket_opened", "notice_given"):
        assert same(getattr(again.outages, name), getattr(ledger.outages, name)), name
    assert told(again) == told(ledger)


def told(ledger) -> list[tuple[object, ...]]:
    """Causes and scope of each row."""
    table = ledger.outages
    return [
        (table.cause_sets[causes], None if scope < 0 else table.scopes[scope])
        for causes, scope in zip(table.causes.tolist(), table.scope.tolist(), strict=True)
    ]
