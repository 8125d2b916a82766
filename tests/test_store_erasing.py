"""Numbers can be hashed, and forgotten everywhere."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postgres import needs_postgres, server
from store_cases import DAY, NUMBER, PLAN, T0, TRACE, call, incident, one_of_each

from results.store import erasing
from results.store.entries import Attempt, Document, Recording, Trace, new_id
from results.store.errors import StoreError
from results.store.numbers import digits_of, hashed, hashed_number, pattern_of, spellings
from results.store.opening import open_store

KEY = bytes(32)
DIGITS = digits_of(NUMBER)
NATIONAL = "2025550100"
OTHER = "+442079460018"


def test_a_hash_is_the_same_for_every_spelling_and_for_no_other_key():
    mine = hashed_number(NUMBER, KEY)
    assert re.fullmatch(r"hashed:[0-9a-f]{32}", mine)
    assert {hashed_number(text, KEY) for text in ("+1 (202) 555-0100", "12025550100", "%2B12025550100")} == {
        mine
    }
    assert hashed_number(NUMBER, bytes([1] * 32)) != mine
    assert hashed_number(OTHER, KEY) != mine


def test_a_call_has_its_number_hashed_wherever_it_is():
    mine = hashed_number(NUMBER, KEY)
    told = call(
        T0,
        reason=f"no route to tel:{NUMBER}",
        record={
            "to": NUMBER,
            "via": [f"sip:{DIGITS}@192.0.2.1:5060"],
            "n": 12025550100,
            "said": f"({DIGITS})",
        },
    )
    found = hashed(told, KEY)
    assert found.number == mine
    assert found.reason == f"no route to tel:{mine}"
    assert found.record == {
        "to": mine,
        "via": [f"sip:{mine}@192.0.2.1:5060"],
        "n": 12025550100,
        "said": f"({mine})",
    }
    assert hashed(found, KEY) == found
    assert replace(found, number=NUMBER, reason=told.reason, record=told.record) == told


def test_a_trace_keeps_its_form_without_its_numbers():
    (trace,) = (entry for entry in one_of_each() if isinstance(entry, Trace))
    sip = hashed(trace, KEY).sip
    mine, ours = hashed_number(NUMBER, KEY), hashed_number("12025550199", KEY)
    assert sip == (
        f"INVITE sip:{mine}@192.0.2.1:5060 SIP/2.0\n"
        f'From: "{ours}" <sip:{ours}@example.com>;tag=1\n'
        f"To: <sip:{mine};user=phone@192.0.2.1>\n"
        "Contact: <sip:192.0.2.7:5060>\n"
        "Call-ID: 17@example.com\n"
    )


def test_a_plan_has_its_numbers_hashed_and_a_scenario_is_as_it_was():
    text = f'trunks: [{{uri: "sip:192.0.2.1:5060"}}]\ntests: [{{to: "{NUMBER}"}}]\n'
    assert NUMBER not in hashed(Document.of("plan", PLAN, text), KEY).text
    assert "sip:192.0.2.1:5060" in hashed(Document.of("plan", PLAN, text), KEY).text
    scenario = Document.of("scenario", "mine", text)
    assert hashed(scenario, KEY) is scenario


@given(
    st.sampled_from(["+", "%2B", "", "00", "011", "9999"]),
    st.sampled_from("- ."),
    st.text("abc <>:@", max_size=3),
)
def test_every_spelling_is_found(prefix, gap, around):
    for digits in (DIGITS, f"1{gap}202{gap}555{gap}0100"):
        assert pattern_of(NUMBER).sub("", f"{around}{prefix}{digits}{around}") == around * 2


@pytest.mark.parametrize("text", ["120255501001", "0.12025550100", "2025550101", "1020255501"])
def test_other_digits_are_left(text):
    assert pattern_of(NUMBER).sub("", text) == text


def files_of(path):
    return [file.read_bytes() for file in path.parent.glob(f"{path.name}*")]


def entries_with_numbers(folder, key=None):
    """Entries that have a number in every place, and others that have another one."""
    recording = folder / "1.wav"
    recording.write_bytes(b"RIFF")
    placed = [call(T0, passed=False), call(T0 + DAY), call(T0 + 2.0, number=OTHER, record={"to": OTHER})]
    first = placed[0]
    entries = [
        *placed,
        call(
            T0 + 3.0, number=OTHER, record={"to": OTHER}, reason=f"forwarded to +1 202 555 0100, then {OTHER}"
        ),
        Attempt(
            id=new_id(T0),
            call=first.id,
            no=1,
            trunk="atlantic/1",
            carrier=None,
            sip_status=404,
            reason=f"{NATIONAL} is not assigned",
        ),
        Trace(id=first.id, sip=TRACE),
        Trace(id=placed[2].id, sip=TRACE.replace(NUMBER, OTHER) + f"Diversion: <tel:{NUMBER}>\n"),
        Recording(id=new_id(T0), call=first.id, direction="heard", path=str(recording), sha256="0" * 64),
        Recording(
            id=new_id(T0), call=first.id, direction="sent", path="/of/another/machine.wav", sha256="0" * 64
        ),
        incident(T0),
        Document.of("plan", PLAN, f'tests: [{{to: "{NUMBER}"}}, {{to: "{OTHER}"}}]\n'),
    ]
    return entries if key is None else [hashed(entry, key) for entry in entries]


@pytest.mark.parametrize("numbers", ["plain", "hashed"])
def test_an_erased_number_is_nowhere_in_the_file(tmp_path, numbers):
    path = tmp_path / "store.db"
    with open_store(str(path)) as store:
        key = store.number_key() if numbers == "hashed" else None
        store.write(entries_with_numbers(tmp_path, key))
        gone = call(T0 - 500 * DAY)
        store.write([gone if key is None else hashed(gone, key)])
        with store.writing() as connection:  # pruned without being overwritten
            connection.exec_driver_sql("PRAGMA secure_delete = OFF")
            connection.exec_driver_sql("DELETE FROM calls WHERE id = ?", (gone.id,))
        secrets = [NATIONAL.encode(), b"202 555 0100"]
        secrets += [hashed_number(text, store.number_key()).encode() for text in (NUMBER, NATIONAL)]
        assert any(secret in data for secret in secrets for data in files_of(path))
        erased = erasing.erase(store, NUMBER)
        assert (erased.calls, erased.traces, erased.recordings) == (2, 1, 1)
        assert erased.elsewhere == ("/of/another/machine.wav",)
        assert erased.texts >= 4
        assert not any(secret in data for secret in secrets for data in files_of(path))
        assert not (tmp_path / "1.wav").exists()
        mine, others = OTHER if key is None else hashed_number(OTHER, key), list(store.calls(PLAN))
        assert [one.number for one in others] == [erasing.ERASED, mine, mine, erasing.ERASED]
        assert others[0].record == {"to": erasing.ERASED, "rtp": {"jitter_ms": 2.5}}
        assert mine in others[2].reason
        traces = [store.trace(one.id) for one in others]
        assert traces[0] is None
        assert mine in traces[1]
        assert DIGITS not in traces[1]
        assert not any(secret.decode() in traces[1] for secret in secrets)
        assert erasing.erase(store, NUMBER) == erasing.Erased(0, 0, 0, 0, ())
        assert store.check() == []
        assert [leg.passed for leg in store.month(PLAN, T0, T0 + 2 * DAY)] == [3]


@needs_postgres
def test_an_erased_number_is_nowhere_in_a_database(tmp_path):
    with server() as cluster, open_store(cluster.database("one")) as store:
        store.write(entries_with_numbers(tmp_path))
        erased = erasing.erase(store, "+1 202-555-0100")
        assert (erased.calls, erased.traces, erased.recordings) == (2, 1, 1)
        with store.reading() as connection:
            tables = ("calls", "attempts", "incidents", "documents", "traces")
            rows = [connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in tables]
        assert NATIONAL not in repr(rows)
        assert OTHER in repr(rows)


def test_what_is_no_number_is_not_erased(tmp_path):
    with open_store(f"{tmp_path}/store.db") as store:
        for text in ("", "12", "abc"):
            with pytest.raises(StoreError, match="is no telephone number"):
                erasing.erase(store, text)


def test_a_reader_keeps_the_log_from_being_swept_and_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(erasing, "PATIENCE", 0.1)
    monkeypatch.setattr("results.store.opening.BUSY", 0.05)
    path = tmp_path / "store.db"
    with open_store(str(path)) as store:
        store.write([call(T0)])
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM calls").fetchone()
            with pytest.raises(StoreError, match="do it again"):
                erasing.erase(store, NUMBER)
        assert erasing.erase(store, NUMBER).calls == 0
        assert not any(NATIONAL.encode() in data for data in files_of(path))


def test_numbers_of_unknown_countries_are_taken_as_they_are():
    assert spellings("+99912345678")[0] == "99912345678"
    assert pattern_of("+99912345678").search(json.dumps({"to": "+99912345678"}))
