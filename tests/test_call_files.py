"""Files of calls: what each column says, in CSV and in Parquet."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from callsim import call_files
from callsim.errors import CallsimError
from carriers.calendars import Zone
from results.calls import CallColumns, CallRows
from results.timeline import Heard

ZONE = Zone(dt.date(2026, 3, 1), "Europe/London")
SPRING = 28 * 86400.0 + 3600.0
"""29 March 2026, when it turns from 01:00 to 02:00."""
SOUNDS = (
    Heard(4.1234, "MOS-CQE", 0.001, 0.002, 0.1),
    Heard(2.5, "MOS-CQE", 0.1, 0.002, 0.1, spoilt_by="atlantic/poor_audio"),
    Heard(None, "", 0.0, 0.0, 0.0, one_way=True),
)


@pytest.fixture
def calls() -> CallColumns:
    """A call that gets through, one that is blocked and then redialled, two to us."""
    rows = CallRows()
    rows.set_up(0.5, False, 1.6004, 0, 1, 200, False, 0, 0, -1)
    rows.set_up(SPRING - 1.0, False, 0.0, -1, 0, 503, True, -1, 0, -1)
    rows.set_up(SPRING + 20.0, False, 6.0, 2, 2, 200, False, 1, 1, 1)
    rows.set_up(SPRING + 30.0, True, 0.0, 1, 1, 200, False, 2, 0, -1)
    rows.set_up(SPRING + 40.0, True, 0.0, -1, 0, 480, False, -1, 0, -1)
    rows.end(0, 190.0, dropped=False)
    rows.end(3, 12.5, dropped=True)
    return rows.columns([0, 0, 1], ("atlantic", "boreal"), ("atlantic/1", "atlantic/2", "boreal/1"), SOUNDS)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_column_of_the_csv(tmp_path: Path, calls: CallColumns) -> None:
    path = call_files.write_calls(tmp_path / "calls", ZONE, 3, calls, parquet=False)
    assert path == tmp_path / "calls" / "stream-3.csv"
    rows = read(path)
    assert list(rows[0]) == list(call_files.COLUMNS)
    assert list(rows[0].values()) == [
        "0", "2026-03-01T00:00:00.500+00:00", "outbound", "2026-03-01T00:00:02.100+00:00", "1.6", "atlantic",
        "atlantic/1", "1", "200", "no", "190.0", "no", "4.123", "MOS-CQE", "no", "", "0", "",
    ]  # fmt: skip
    assert list(rows[1].values()) == [
        "1", "2026-03-29T00:59:59.000+00:00", "outbound", "2026-03-29T00:59:59.000+00:00", "0.0", "",
        "", "0", "503", "yes", "", "no", "", "", "", "", "0", "",
    ]  # fmt: skip
    assert rows[2]["offered_at"] == "2026-03-29T02:00:20.000+01:00"
    assert (rows[2]["spoilt_by"], rows[2]["redial"], rows[2]["redial_of"]) == (
        "atlantic/poor_audio",
        "1",
        "1",
    )
    assert rows[2]["talk_s"] == ""  # still up at the end
    assert (rows[3]["direction"], rows[3]["post_dial_delay_s"]) == ("inbound", "")
    assert (rows[3]["dropped"], rows[3]["one_way"], rows[3]["mos"]) == ("yes", "yes", "")


def test_parquet_says_the_same(tmp_path: Path, calls: CallColumns) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = call_files.write_calls(tmp_path, ZONE, 0, calls, parquet=True)
    assert path.name == "stream-0.parquet"
    rows = parquet.read_table(path).to_pylist()
    told = read(call_files.write_calls(tmp_path, ZONE, 0, calls, parquet=False))
    for ours, theirs in zip(rows, told, strict=True):
        assert list(ours) == list(theirs)
        for name, value in ours.items():
            if isinstance(value, dt.datetime):
                assert value == dt.datetime.fromisoformat(theirs[name])
            elif isinstance(value, float):
                assert float(theirs[name]) == pytest.approx(value, abs=6e-4)
            elif isinstance(value, bool):
                assert theirs[name] == ("yes" if value else "no")
            else:
                assert theirs[name] == ("" if value is None else str(value))


def test_without_pyarrow_one_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_files, "find_spec", lambda _: None)
    with pytest.raises(CallsimError, match=r"^--parquet needs pyarrow: pip install 'callsim\[parquet\]'$"):
        call_files.check_parquet()


def test_a_file_longer_than_a_block_counts_on(
    tmp_path: Path, calls: CallColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_files, "BLOCK", 2)
    rows = read(call_files.write_calls(tmp_path, ZONE, 0, calls, parquet=False))
    assert [row["call"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["status"] for row in rows] == ["200", "503", "200", "200", "480"]


def test_a_run_without_calls_is_a_head(tmp_path: Path) -> None:
    none = CallRows().columns([0], ("atlantic",), ("atlantic/1",), ())
    assert len(none) == 0
    assert read(call_files.write_calls(tmp_path, ZONE, 0, none, parquet=False)) == []


def test_rows_become_columns_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.calls.BLOCK", 3)
    rows = CallRows()
    numbers = [rows.set_up(float(n), False, 0.0, 0, 1, 200, False, -1, 0, -1) for n in range(8)]
    for n in reversed(numbers):
        rows.end(n, 10.0 + n, dropped=n == 5)
    columns = rows.columns([0], ("atlantic",), ("atlantic/1",), ())
    np.testing.assert_array_equal(columns.offered, np.arange(8.0))
    np.testing.assert_array_equal(columns.talk, 10.0 + np.arange(8.0))
    np.testing.assert_array_equal(np.flatnonzero(columns.dropped), [5])
