"""The table of codecs: figures as G.113 has them, names as SDP has them, sizes and delays that are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carriers.codecs import CODECS, codec, coding_delay

PAGE = Path(__file__).parents[1] / "docs" / "voice.md"


@pytest.mark.parametrize(
    ("name", "ie", "bpl"),
    [
        ("G.711", 0, 4.3),
        ("G.711_with_PLC", 0, 25.1),
        ("G.723.1_with_VAD", 15, 16.1),
        ("G.729", 10, None),
        ("G.729A_with_VAD", 11, 19),
        ("GSM-EFR", 5, 10),
        ("GSM-FR", 20, None),
        ("G.722", 13, None),
        ("AMR-WB_12.65", 13, None),
        ("AMR-WB_23.85", 8, None),
        ("AMR-WB_12.65_diotic", 20, 4.3),
        ("AMR-WB_23.85_diotic", 10, 4.9),
        ("AMR_12.2", None, None),
        ("iLBC", None, None),
        ("speex", None, None),
        ("L16", None, None),
        ("Opus", None, None),
    ],
)
def test_figures_of_g113(name, ie, bpl):
    assert (CODECS[name].ie, CODECS[name].bpl) == (ie, bpl)


@pytest.mark.parametrize("name", CODECS)
def test_a_figure_has_a_source_and_none_has_none(name):
    this = CODECS[name]
    assert bool(this.source) == (this.ie is not None)
    assert this.ie is not None or this.bpl is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("PCMU", "G.711_with_PLC"),
        ("pcma", "G.711_with_PLC"),
        ("G722", "G.722"),
        ("GSM", "GSM-FR"),
        ("GSM-EFR", "GSM-EFR"),
        ("iLBC", "iLBC"),
        ("ILBC", "iLBC"),
        ("speex", "speex"),
        ("L16", "L16"),
        ("G729", "G.729A_with_VAD"),
        ("G723", "G.723.1_with_VAD"),
        ("opus", "Opus"),
        ("AMR", "AMR_12.2"),
        ("G.711", "G.711"),
    ],
)
def test_names(said, meant):
    assert codec(said).name == meant


def test_no_name_means_two_codecs():
    said = [name.lower() for this in CODECS.values() for name in this.rtp]
    assert len(said) == len(set(said))


@pytest.mark.parametrize("unknown", ["", "G.999", "AMR-WB", "g.711"])
def test_unknown_names(unknown):
    with pytest.raises(KeyError, match=re.escape(f"no codec {unknown!r}; there are G.711,")):
        codec(unknown)


# RFC 3551, 4.5; RFC 3952, 3.1; the AMR frame of 12.2 kbit/s has 244 bits (RFC 4867).
@pytest.mark.parametrize(
    ("name", "packet", "octets"),
    [
        ("PCMU", 0.020, 160),
        ("PCMU", 0.010, 80),
        ("G722", 0.020, 160),
        ("G729", 0.020, 20),
        ("G729", 0.060, 60),
        ("G723", 0.030, 24),
        ("G726-32", 0.020, 80),
        ("G728", 0.020, 40),
        ("GSM", 0.020, 33),
        ("GSM-EFR", 0.020, 31),
        ("AMR", 0.020, 31),
        ("AMR-WB_12.65", 0.020, 32),
        ("AMR-WB_23.85", 0.020, 60),
        ("iLBC", 0.030, 50),
        ("speex", 0.020, 38),
        ("G729", 0.015, 20),  # a packet holds whole frames
        ("G723", 0.010, 24),  # and at least one
    ],
)
def test_octets_of_speech(name, packet, octets):
    assert codec(name).octets(packet) == octets


@pytest.mark.parametrize(
    ("name", "packet", "ms"),
    [
        ("PCMU", 0.020, 20.125),
        ("G729", 0.010, 25.0),
        ("G729", 0.020, 35.0),
        ("G723", 0.030, 67.5),
        ("G723", 0.060, 97.5),
        ("GSM", 0.020, 40.0),
        ("AMR", 0.020, 45.0),
    ],
)
def test_delay_of_coding(name, packet, ms):
    """ITU-T G.114 (2003), Annex A."""
    assert 1000 * coding_delay(codec(name), packet) == pytest.approx(ms)


def test_the_usual_packet_holds_whole_frames():
    for this in CODECS.values():
        assert this.frames(this.packet) * this.frame == pytest.approx(this.packet), this.name


def test_the_page_has_the_table():
    def figure(value):
        return "-" if value is None else f"{value:g}"

    def row(this):
        seconds = (figure(1000 * each) for each in (this.frame, this.lookahead, this.packet))
        scale = "wide" if this.wideband else "narrow"
        rate = f"{this.bit_rate / 1000:.4g}"
        cells = [this.name, ", ".join(this.rtp), scale, figure(this.ie), figure(this.bpl), rate, *seconds]
        return " ".join(f"| {' | '.join([*cells, this.source])} |".split())

    expected = [row(this) for this in CODECS.values()]
    rows = [" ".join(line.split()) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    start = next(at for at, line in enumerate(rows) if line.startswith("| codec |")) + 2
    assert rows[start : start + len(expected)] == expected
    assert not rows[start + len(expected)].startswith("|")
