"""Records of calls: how they sounded, and how they are written."""

import json

import pytest

from callgen.measures.rating import ASSUMED, MEASURED, mos_of, sources_of
from callgen.measures.records import Attempt, CallRecord, Outcome
from callgen.messages import Heard, Rtp
from carriers.codecs import codec, coding_delay
from carriers.quality import Leg, rate

RTP = Rtp(500, 480, 20, rtt=0.2, late=5, loss_share=0.04, burst_ratio=1.5, jitter=0.003, buffer_delay=0.04)
HEARD = Heard(True, 0.25, 0.06, "12", -20.0, 0.1, False)


def test_a_call_is_rated_by_what_was_received_and_half_the_round_trip():
    known = codec("PCMU")
    expected = rate([Leg(known, 25 / 500, 1.5)], 0.1 + 0.04 + coding_delay(known, 0.02))
    mos = mos_of(RTP, "PCMU")
    assert (mos.value, mos.scale, mos.source) == (expected.mos, "MOS-CQE", MEASURED)


def test_without_a_round_trip_it_says_what_was_assumed():
    rtp = Rtp(100, 100, 0, buffer_delay=0.04)
    mos = mos_of(rtp, "PCMU")
    assert (mos.source, round(mos.value, 1)) == (ASSUMED, 4.4)
    assert sources_of(rtp, mos) == {
        "loss": "none",
        "burst_ratio": "none",
        "jitter": "none",
        "rtt": "none",
        "mos": "estimated",
    }
    told = sources_of(RTP, mos_of(RTP, "PCMU"))
    assert (told["loss"], told["rtt"], told["mos"]) == ("own_rx", "far_rtcp", "own_rx")


def test_more_late_packets_than_came_are_all_of_them():
    assert mos_of(Rtp(50, 10, 0, late=12), "PCMU").value == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("rtp", "name"),
    [
        (None, "PCMU"),
        (RTP, None),
        (RTP, "iLBC"),  # no sourced Ie
        (RTP, "G722"),  # no sourced Bpl
        (RTP, "unheard-of"),
        (Rtp(50, 0, 50, burst_ratio=0.0), "PCMU"),
        (Rtp(50, 0, 0), "PCMU"),
    ],
)
def test_what_has_no_figures_has_no_mos(rtp, name):
    assert mos_of(rtp, name) is None


def record(outcome=Outcome.ANSWERED, **last):
    first = Attempt("a/1", 10.0, ended=14.0, status=408, reason="no answer", trace="one")
    seen = Attempt("b/1", 14.0, 14.1, 14.5, 15.5, 25.5, 200, "OK", "us", RTP, HEARD, "id", codec="PCMU")
    seen = Attempt(**{**vars(seen), **last})
    return CallRecord("+12025550100", outcome, seen.status, seen.reason, (first, seen), 1.7e9)


def test_a_record_is_written_as_the_contract_has_it():
    mos = mos_of(RTP, "PCMU")
    assert json.loads(json.dumps(record(trace="two").to_json())) == {
        "call_id": "id",
        "to": "+12025550100",
        "outcome": "answered",
        "class": "answered",
        "started_at": 1.7e9,
        "sip_status": 200,
        "q850_cause": None,
        "reason": "OK",
        "attempts": [
            {
                "trunk": "a/1",
                "target": None,
                "sip_status": 408,
                "reason": "no answer",
                "pdd_s": None,
                "seconds": 4.0,
            },
            {
                "trunk": "b/1",
                "target": None,
                "sip_status": 200,
                "reason": "OK",
                "pdd_s": 0.5,
                "seconds": 11.5,
            },
        ],
        "pdd_s": 4.5,
        "setup_s": 5.5,
        "talk_s": 10.0,
        "hung_up_by": "us",
        "codec": "PCMU",
        "rtp": {
            "sent": 500,
            "received": 480,
            "lost": 20,
            "late": 5,
            "duplicated": 0,
            "loss_share": 0.04,
            "burst_ratio": 1.5,
            "jitter_ms": 3.0,
            "rtt_ms": 200.0,
        },
        "audio": {"two_way": True, "silence_share": 0.25, "echo_delay_ms": 60.0, "dtmf_heard": "12"},
        "mos": {"value": mos.value, "scale": "MOS-CQE", "source": MEASURED},
        "sources": sources_of(RTP, mos),
        "trace": "=== 1. a/1\none\n=== 2. b/1\ntwo",
    }


def test_a_call_that_came_to_nothing_has_no_figures():
    failed = {"final": 14.6, "status": 486, "reason": "Busy Here", "rtp": None, "heard": None, "q850": 17}
    written = record(Outcome.BUSY, hung_up_by=None, **failed).to_json()
    assert (written["class"], written["q850_cause"]) == ("busy", 17)
    for key in ("pdd_s", "setup_s", "rtp", "audio", "mos", "sources", "hung_up_by"):
        assert written[key] is None
    nothing = CallRecord("+12025550100", Outcome.REFUSED_BY_GUARD, None, "no", (), 1.7e9).to_json()
    assert (nothing["attempts"], nothing["talk_s"], nothing["call_id"]) == ([], 0.0, None)
    assert nothing["trace"] is None
