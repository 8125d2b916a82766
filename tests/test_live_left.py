"""What a run leaves that was killed: records as they were written, and calls that are told of later."""

from __future__ import annotations

import json
import time

import pytest

from callgen.guarding.counters import Left
from callgen.measures.records import Attempt, CallRecord, Outcome
from callsim.errors import WriteError
from callsim.live.left import words
from callsim.live.record_file import record_file

RECORD = CallRecord("+12025550100", Outcome.BUSY, 486, "Busy Here", (Attempt("a/1", 0.0, status=486),), 1.0)


def test_a_record_is_in_its_file_before_the_next_call(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text("what was there before")
    with record_file(path) as keep:
        for count in (1, 2):
            keep(RECORD)
            lines = path.read_text("utf-8").splitlines()
            assert [json.loads(line) for line in lines] == [RECORD.to_json()] * count


def test_without_a_file_nothing_is_kept():
    with record_file(None) as keep:
        assert keep is None


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(WriteError, match="cannot be written"), record_file(tmp_path / "no" / "calls.jsonl"):
        pass


def test_calls_that_were_left_are_told_in_one_line():
    at = time.mktime((2026, 11, 23, 7, 24, 31, 0, 0, -1))
    assert words([Left("boreal/1", at)]) == (
        "1 call of a process that died was counted as its worst case: how it ended is not known: "
        "boreal/1, 2026-11-23 07:24:31"
    )
    many = [Left(f"t{n}/1", at + n) for n in (1, 2, 2, 3, 4, 5, 6)]
    told = words(many)
    assert told.startswith("7 calls of a process that died were counted as their worst case")
    assert "t2/1 x 2, 2026-11-23 07:24:33; t1/1, " in told
    assert told.endswith("; ...")
    assert "t6" not in told
