"""The live commands, with a desk that answers by a script."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from callgen.load import Kept, Shape, generate, watch_machine
from callgen.messages import Answers, Audio, Ended, Heard, Incoming, Rtp
from callsim import cli
from callsim.live import call_command, inbound, load_command, load_report, probe_command, setup
from callsim.live.called_side import Arrived, called_endpoint
from callsim.live.desk import Errand, lab_plan
from callsim.live.judging import judge
from callsim.live.setup import endpoint_of, guard_of, policy_of
from callsim.plan import load_plan
from callsim.plan.model import Expect
from carriers.policy import Order
from results.store.opening import open_store

LAB = Path(__file__).parent.parent / "scenarios" / "plans" / "lab.yaml"
PRODUCTION = LAB.with_name("production-trunks.yaml")
RTP = {"sent": 500, "received": 495, "lost": 4, "late": 1, "duplicated": 0, "loss_share": 4 / 499}
GOOD = {
    "call_id": "abc@192.0.2.1",
    "to": "+12025550100",
    "outcome": "answered",
    "sip_status": 200,
    "q850_cause": None,
    "reason": "OK",
    "attempts": [
        {"trunk": "atlantic/1", "sip_status": 408, "reason": "no answer", "pdd_s": None, "seconds": 4.0},
        {"trunk": "boreal/1", "sip_status": 200, "reason": "OK", "pdd_s": 0.5, "seconds": 11.5},
    ],
    "pdd_s": 4.5,
    "setup_s": 5.5,
    "talk_s": 10.0,
    "hung_up_by": "us",
    "rtp": {**RTP, "burst_ratio": 1.2, "jitter_ms": 3.25, "rtt_ms": None},
    "audio": {"two_way": True, "silence_share": 0.25, "echo_delay_ms": 60.0, "dtmf_heard": "1234#"},
    "mos": {"value": 4.1, "scale": "MOS-CQE", "source": "own RX + G.107"},
    "trace": "INVITE sip:+12025550100@192.0.2.1 SIP/2.0",
}
BUSY = GOOD | {
    "outcome": "busy",
    "sip_status": 486,
    "q850_cause": 17,
    "reason": "Busy Here",
    "attempts": [
        {"trunk": "atlantic/1", "sip_status": 486, "reason": "Busy Here", "pdd_s": 0.1, "seconds": 0.2}
    ],
    **dict.fromkeys(("pdd_s", "setup_s", "rtp", "audio", "mos", "hung_up_by")),
    "talk_s": 0.0,
}
REFUSED = BUSY | {
    "outcome": "refused_by_guard",
    "sip_status": None,
    "q850_cause": None,
    "reason": "'+12025550100': number not on the allow-list",
    "attempts": [],
    "trace": None,
}
LOST = REFUSED | {"outcome": "lost_by_tool", "reason": "its worker ended with -9"}


class Desk:
    """Answers each errand with the next record of its script, the last one again and again."""

    def __init__(self, *script):
        self.script = list(script)
        self.errands = []
        self.workers = SimpleNamespace(waits=0)
        self.at_once = self.most = 0

    async def call(self, errand, *, patient=True):
        del patient
        self.errands.append(errand)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        record = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(record, BaseException):
            raise record
        if record == "never":
            await asyncio.sleep(3600)
        return record


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """Put a scripted desk in place of the real one; set its script in the test."""
    scripted = Desk(GOOD)

    @contextlib.asynccontextmanager
    async def opened(plan, folder, **_):
        scripted.plan = plan
        yield scripted

    for command in (call_command, probe_command, load_command):
        monkeypatch.setattr(command, "open_desk", opened)
        monkeypatch.setattr(command, "require_live", lambda: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return scripted


def callsim(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(word) for word in words])


def changed(record, **parts):
    """A record with parts of its mappings changed."""
    return record | {key: record[key] | part for key, part in parts.items()}


# ---- call


def test_a_call_is_told_on_one_screen(desk):
    placed = callsim("call", "--lab")
    assert placed.exit_code == 0
    assert placed.stdout.splitlines() == [
        "ANSWERED: +12025550100 over boreal/1, 200 OK, talked 10.00 s until we hung up",
        "",
        "1. atlantic/1  408 no answer, 4.00 s in all",
        "2. boreal/1    200 OK, ringing after 0.50 s, 11.50 s in all",
        "",
        "Post-dial delay  4.50 s",
        "Setup            5.50 s",
        "Call-ID          abc@192.0.2.1",
        "MOS              4.10 MOS-CQE (own RX + G.107)",
        "Loss             1.002 % (4 lost, 1 late of 495 received, burst ratio 1.20)",
        "Jitter           3.2 ms",
        "Round trip       not known; RTCP tells it on calls of more than 5 s",
        "Packets          500 sent, 495 received, 0 twice",
        "Audio            both ways, 25 % silence",
        "Echo             after 60 ms",
        "DTMF heard       1234#",
    ]
    assert desk.errands == [Errand("+12025550100", None, 10.0, Audio("tone", "echo"))]


@pytest.mark.parametrize(
    ("record", "code", "first"),
    [
        (BUSY, 1, "BUSY: +12025550100 over atlantic/1, 486 Busy Here (Q.850 cause 17)"),
        (
            REFUSED,
            5,
            "REFUSED BY THE GUARD: +12025550100, '+12025550100': number not on the allow-list; "
            "nothing was sent",
        ),
        (
            LOST,
            4,
            "LOST BY THE TOOL: +12025550100, its worker ended with -9; it says nothing about a carrier",
        ),
    ],
)
def test_a_call_that_is_not_answered_has_its_own_code(desk, record, code, first):
    desk.script = [record]
    placed = callsim("call", "+12025550100", "--plan", LAB)
    assert placed.exit_code == code
    assert placed.stdout.splitlines()[0] == first
    assert ("SIP trace" in placed.stdout) == (record["trace"] is not None)


def test_the_options_of_a_call_reach_the_desk(desk, tmp_path):
    words = ("--talk", "3s", "--play", "speech", "--dtmf", "12", "--codec", "G722", "--trace")
    placed = callsim("call", "+12025550100", "--plan", LAB, "--over", "boreal", "--record", tmp_path, *words)
    assert placed.stdout.splitlines()[-1] == GOOD["trace"]
    stem = str(tmp_path / "call-12025550100")
    audio = Audio("speech", "anything", "12", stem)
    assert desk.errands == [Errand("+12025550100", 1, 3.0, audio, ("G722",))]


def test_json_of_a_call_is_its_record(desk):
    assert json.loads(callsim("call", "--lab", "--json", "-").stdout) == GOOD


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("call", "+12025550100"), "a call needs --plan PLAN, or --lab"),
        (("call", "--plan", LAB), "whom to call?"),
        (("call", "+12025550100", "--plan", LAB, "--over", "borael"), "did you mean 'boreal'?"),
        (("probe", LAB, "--only", "in-trun"), "no test is called 'in-trun'; did you mean 'in-turn'?"),
        (("load", "--calls-per-second", 1, "--at-once", 1, "--for", "1s"), "a load needs a PLAN, or --lab"),
        (
            ("load", LAB, "--calls-per-second", 1, "--at-once", 1, "--for", "1s", "--ramp", "2s"),
            "--ramp is longer than --for",
        ),
    ],
)
def test_wrong_usage_is_said_and_ends_with_2(desk, words, message):
    ran = callsim(*words)
    assert ran.exit_code == 2
    assert message in ran.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("call", "--lab"),
        ("probe", LAB, "--lab"),
        ("load", "--lab", "--calls-per-second", 1, "--at-once", 1, "--for", "1s"),
    ],
)
def test_without_pjsua2_it_is_said_what_is_missing(monkeypatch, words):
    monkeypatch.setattr(setup, "find_spec", lambda name: None)
    ran = callsim(*words)
    assert (ran.exit_code, ran.stderr.strip()) == (4, setup.NEEDED)


# ---- what a plan becomes


def test_a_plan_becomes_what_the_live_side_takes(monkeypatch):
    plan = load_plan(PRODUCTION)
    for name in ("ATLANTIC_USER", "ATLANTIC_PASSWORD", "BOREAL_USER", "BOREAL_PASSWORD"):
        monkeypatch.setenv(name, "hunter2")
    guard = guard_of(plan, None)
    endpoint = endpoint_of(plan, guard, PRODUCTION.parent)
    assert (endpoint.host, endpoint.transports) == ("", ("tls", "udp"))
    first, second = endpoint.identities
    assert (first.trunk, first.srtp, first.register, second.register) == (
        "atlantic/1",
        "required",
        False,
        True,
    )
    assert first.password is not None
    assert first.password.reveal() == "hunter2"
    assert "hunter2" not in repr(endpoint)
    policy = policy_of(plan)
    assert (policy.order, policy.max_attempts, len(policy.trunks)) == (Order.PRIORITY, 2, 2)
    assert guard.invite("+12025550100", plan.trunks[0].uri, trunk="atlantic/1").number == "+12025550100"


def test_trunks_on_loopback_are_called_from_there():
    plan = lab_plan("+12025550100")
    assert endpoint_of(plan, guard_of(plan, None), Path()).host == "127.0.0.1"


# ---- judging


@pytest.mark.parametrize(
    ("expect", "record", "found", "kept"),
    [
        ({"ringing_within": "5s"}, GOOD, "4.5 s", True),
        ({"answered_within": "5s"}, GOOD, "5.5 s", False),
        ({"mos_at_least": 4.1}, GOOD, "4.10 MOS-CQE, own RX + G.107", True),
        ({"mos_at_least": 4.2}, GOOD, "4.10 MOS-CQE, own RX + G.107", False),
        ({"mos_at_least": 1.0}, GOOD | {"mos": None}, "not measured", False),
        ({"loss_at_most": "1%"}, GOOD, "1.002 %", False),
        ({"loss_at_most": "1.1%"}, GOOD, "1.002 %", True),
        ({"loss_at_most": "99%"}, changed(GOOD, rtp={"received": 0, "lost": 0}), "not measured", False),
        ({"jitter_at_most": "3ms"}, GOOD, "0.003 s", False),
        ({"two_way_audio": True}, GOOD, "two-way", True),
        ({"two_way_audio": True}, changed(GOOD, audio={"two_way": None}), "cannot be known", False),
        ({"two_way_audio": False}, GOOD, "two-way", False),
        ({"silence_at_most": "30%"}, GOOD, "25 %", True),
        ({"echo_within": "50ms"}, GOOD, "0.06 s", False),
        ({"dtmf": "1234#"}, GOOD, "1234#", True),
        ({"dtmf": "1234"}, changed(GOOD, audio={"dtmf_heard": None}), "nothing came back", False),
        ({"caller_id": "+12025550199"}, GOOD | {"caller_id": "+12025550199"}, "+12025550199", True),
        ({"caller_id": "+12025550199"}, GOOD, "none", False),
    ],
)
def test_each_expectation_is_judged(expect, record, found, kept):
    first, check = judge(Expect.model_validate(expect), record)
    assert first.kept
    assert (check.name, check.found, check.kept) == (*expect, found, kept)


def test_a_call_with_another_status_is_judged_by_that_alone():
    (check,) = judge(Expect.model_validate({"answered_within": "5s"}), BUSY)
    assert (check.wanted, check.found, check.kept) == ("200", "busy, 486 (Busy Here)", False)
    (check,) = judge(Expect.model_validate({"status": 486}), BUSY)
    assert check.kept


# ---- probe


@pytest.fixture
def outbound(tmp_path):
    """A plan of one test over two trunks with a repeat, and one by the router."""
    text = LAB.read_text().partition("  - name: our-number")[0]
    text = text.replace(
        "expect: {answered_within: 4s", "again: {after: 0s, times: 1}\n    expect: {answered_within: 6s"
    )
    file = tmp_path / "plan.yaml"
    guard = LAB.read_text().partition("\nguard:")[2].replace("day: 300", "day: 1000")
    file.write_text(
        text.replace("loss_at_most: 1%", "loss_at_most: 2%").replace("within: 2s", "within: 5s")
        + "guard:"
        + guard
    )
    return file


def test_a_test_that_fails_is_repeated_and_both_are_kept(desk, outbound, tmp_path):
    desk.script = [BUSY, GOOD]
    files = tmp_path / "p.json", tmp_path / "p.xml"
    ran = callsim(
        "probe", outbound, "--only", "each-trunk", "--set", "guard.at_once=1",
        "--json", files[0], "--junit", files[1],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    lines = ran.stdout.splitlines()
    assert lines[-1] == "2 of 2 tests passed"
    assert "    BROKEN status: wanted 200, found busy, 486 (Busy Here)" in lines
    told = json.loads(files[0].read_text())
    assert sorted(len(test["tries"]) for test in told["tests"]) == [1, 2]
    assert (told["passed"], told["partial"]) == (2, False)
    suite = ET.fromstring(files[1].read_text())
    assert [case.get("name") for case in suite] == ["each-trunk over atlantic/1", "each-trunk over boreal/1"]
    assert desk.most == 1
    assert {errand.over for errand in desk.errands} == {0, 1}


def test_no_more_calls_at_once_than_the_guard_allows(desk, outbound):
    assert callsim("probe", outbound, "--quiet").stdout == "3 of 3 tests passed\n"
    assert desk.most == 2


@pytest.mark.parametrize(
    ("record", "code", "tries", "tag", "said"),
    [
        (BUSY, 1, 2, "failure", "FAILED"),
        (REFUSED, 5, 1, "error", "REFUSED"),
        (LOST, 4, 2, "error", "NOT TESTED"),
    ],
)
def test_what_does_not_pass_has_its_own_code(desk, outbound, tmp_path, record, code, tries, tag, said):
    desk.script = [record]
    junit = tmp_path / "p.xml"
    ran = callsim("probe", outbound, "--only", "in-turn", "--junit", junit)
    assert (ran.exit_code, len(desk.errands)) == (code, tries)
    assert ran.stdout.splitlines()[-1] == f"0 of 1 tests passed: in-turn over route {said}"
    (case,) = ET.fromstring(junit.read_text())
    assert [part.tag for part in case] == [tag]


def test_a_plan_that_could_break_a_cap_is_refused_before_its_first_call(desk):
    ran = callsim("probe", PRODUCTION, "--set", "guard.calls_per_day=1155")
    assert ran.exit_code == 5
    assert ran.stderr.splitlines() == [
        "refused before the first call: production-trunks could break its caps",
        "  calls_per_day: echo-number over atlantic/1: 289 in 86400 s x 2 tries x 1 = 578; "
        "echo-number over boreal/1: 289 in 86400 s x 2 tries x 1 = 578; 1156 in all, "
        "more than the 1155 allowed",
    ]
    assert desk.errands == []
    words = ("--set", "guard.calls_per_day=1156", "--set", "tests.echo-number.again.after=0s")
    assert callsim("probe", PRODUCTION, *words).exit_code == 1


def test_what_a_run_found_is_kept_where_it_is_said(desk, outbound, tmp_path):
    desk.script = [BUSY]
    url = f"sqlite:///{tmp_path / 'store.db'}"
    ran = callsim("probe", outbound, "--store", url, "--location", "here", "--only", "in-turn")
    assert ran.exit_code == 1
    with open_store(url) as store:
        calls = list(store.calls("lab"))
        assert [(call.test, call.location, call.passed, call.last) for call in calls] == [
            ("in-turn", "here", False, False),
            ("in-turn", "here", False, True),
        ]
        assert store.trace(calls[-1].id) == BUSY["trace"]


def test_ctrl_c_tells_what_is_known(desk, outbound):
    desk.script = [GOOD, "never"]

    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGINT)

    call = desk.call

    async def interrupted(errand, **how):
        if desk.script == ["never"]:
            asyncio.get_running_loop().call_later(0.05, interrupt)
        return await call(errand, **how)

    desk.call = interrupted
    ran = callsim("probe", outbound, "--set", "guard.at_once=1")
    assert ran.exit_code == 130
    assert ran.stdout.splitlines()[-1] == "1 of 3 tests passed (PARTIAL: interrupted after 1)"


# ---- inbound


def arrived(pai: str | None) -> Arrived:
    rtp = Rtp(500, 498, 2, rtt=0.02, jitter=0.003)
    heard = Heard(True, 0.1, None, None, -20.0, 0.1, False)
    incoming = Incoming(
        -1, 10.0, "<sip:+12025550150@192.0.2.1>", '"x" <sip:anonymous@a.invalid>', pai, "atlantic/1"
    )
    return Arrived(incoming, Ended(-1, 21.0, "far", rtp, heard))


class Called:
    """A called side that tells what it is given."""

    def __init__(self, call, trouble=None):
        self.call, self.trouble, self.uri = call, trouble, "sip:127.0.0.1:5060"

    def __call__(self, endpoint):
        self.endpoint = endpoint
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def registered(self):
        return self.trouble

    async def call_to(self, number, seconds):
        return self.call


@pytest.mark.parametrize(
    ("source", "call", "trouble", "outcome", "caller"),
    [
        ("boreal", arrived("<sip:+12025550199@b>"), None, "answered", "+12025550199"),
        ("boreal", arrived(None), None, "answered", None),
        ("boreal", None, None, "failed", None),
        ("boreal", None, "the registration was answered 403 Forbidden", "failed", None),
        ("outside", arrived("<tel:+12025550199>"), None, "answered", "+12025550199"),
        ("outside", None, None, "failed", None),
    ],
)
def test_a_call_to_our_number_is_judged_where_it_arrives(monkeypatch, source, call, trouble, outcome, caller):
    called = Called(call, trouble)
    monkeypatch.setattr(inbound, "CalledSide", called)
    test = load_plan(LAB).tests[2].model_copy(update={"from_": source})
    placing = Desk(GOOD)
    placing.plan = load_plan(LAB)
    placing.endpoint = endpoint_of(placing.plan, guard_of(placing.plan, None), Path())
    record = asyncio.run(inbound.call_us(placing, test, Path(), lab=False))
    assert (record["outcome"], record.get("caller_id")) == (outcome, caller)
    assert [errand.over for errand in placing.errands] == [1] * (source == "boreal" and trouble is None)
    assert record["reason"] == trouble or trouble is None
    if call is not None:
        assert record["rtp"]["received"] == 498
        assert record["rtp"]["jitter_ms"] == pytest.approx(3.0)
    assert called.endpoint.answers == Answers(1.0, 3.0 if source == "outside" else None, plays="tone")
    assert [identity.trunk for identity in called.endpoint.identities] == ["atlantic/1"]
    assert set(record) >= set(GOOD)


def test_a_called_side_has_the_account_of_its_trunk_alone():
    plan = load_plan(LAB)
    endpoint = endpoint_of(plan, guard_of(plan, None), Path())
    assert [i.trunk for i in called_endpoint(endpoint, "boreal/1").identities] == ["boreal/1"]


# ---- the generator of load


def test_calls_are_due_evenly_and_in_a_ramp_as_its_integral_says():
    assert list(Shape(2, 1, 2).due()) == [0.0, 0.5, 1.0, 1.5]
    shape = Shape(10, 1, 20, ramp=8)
    due = list(shape.due())
    assert len(due) == shape.calls == 10 * 4 + 10 * 12
    assert due[10] == pytest.approx(4.0)  # 10 t² / 16 = 10
    assert due[41] - due[40] == pytest.approx(0.1)
    assert due == sorted(due)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"at_once": 0}, {"calls_per_second": 0}, {"ramp": 3}])
def test_a_shape_without_calls_is_none(wrong):
    with pytest.raises(ValueError, match="must be"):
        Shape(**{"calls_per_second": 1, "at_once": 1, "seconds": 2} | wrong)


def test_calls_beyond_at_once_are_held_back_and_counted():
    desk, done, kept = Desk("never"), [], Kept()

    async def run():
        task = asyncio.create_task(generate(lambda: desk.call(None), Shape(100, 3, 0.1), done.append, kept))
        while kept.due < 10:
            await asyncio.sleep(0.01)
        assert (kept.placed, kept.held_back, kept.on_the_line) == (3, 7, 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert done == []


def test_every_call_is_told_of_and_a_fault_of_ours_ends_it():
    done, kept = [], Kept()
    asyncio.run(generate(lambda: Desk(GOOD).call(None), Shape(200, 50, 0.1), done.append, kept))
    assert (len(done), kept.placed, kept.on_the_line) == (20, 20, 0)
    with pytest.raises(RuntimeError, match="ours"):
        asyncio.run(
            generate(lambda: Desk(RuntimeError("ours")).call(None), Shape(10, 5, 30.0), done.append, Kept())
        )


def test_a_plan_of_its_own_is_made_for_a_lab():
    plan = lab_plan("+12025550100", 7, 70)
    assert (plan.guard.allow, plan.guard.at_once, plan.guard.calls_per_day) == (("+12025550100",), 7, 70)
    assert dataclasses.is_dataclass(policy_of(plan))


def test_a_load_that_could_break_a_cap_is_refused_with_the_arithmetic(desk):
    words = ("--calls-per-second", 7, "--at-once", 3, "--for", "20s", "--talk", "61s")
    ran = callsim("load", LAB, *words)
    assert ran.exit_code == 5
    assert ran.stderr.splitlines()[1:] == [
        "  at_once: --at-once 3, 3, is more than the 2 allowed",
        "  calls_per_second: the rate x 2 attempts, 14, is more than the 5 allowed",
        "  calls_per_hour: 140 calls x 2 attempts, 280, is more than the 250 allowed",
    ]
    assert desk.errands == []


# ---- load


@pytest.fixture
def rates(monkeypatch):
    """Rates have tests of their own."""
    figures = {"asr": 50.0, "ner": 90.0, "ser": 51.02, "seer": 81.63, "isa": None}
    monkeypatch.setattr(load_report.Tally, "rates", lambda _: figures)


FAST = ("--calls-per-second", 100, "--at-once", 50, "--for", "100ms")


def test_a_load_tells_rates_delays_and_what_was_the_limit(desk, rates, tmp_path):
    desk.script = [GOOD, BUSY, LOST, GOOD]
    file = tmp_path / "l.json"
    ran = callsim("load", "--lab", *FAST, "--json", file)
    assert ran.exit_code == 3
    assert ran.stdout.splitlines() == [
        "Calls            10 placed, 10 over, 0 on the line",
        "Outcomes         8 answered (80.0 %), 1 busy (10.0 %), 1 lost by tool (10.0 %)",
        "Final statuses   8 x 200, 8 x 408, 1 x 486",
        "  atlantic/1     8 x 408, 1 x 486",
        "  boreal/1       8 x 200",
        "ASR              50.00 %",
        "NER              90.00 %",
        "SER              51.02 %",
        "SEER             81.63 %",
        "ISA              undefined",
        "Post-dial delay  p50 4.500 s",
        "MOS              4.10 MOS-CQE (lowest 4.10)",
        "Loss             1.002 % on average, 1.002 % at most",
        "Packets          4,000 sent, 3,960 received, 32 lost, 8 late",
        "NOTE: the tool was the limit: 1 calls lost and 0 kept waiting for want of a free slot; calls that "
        "nobody answers hold theirs for 32 s",
    ]
    told = json.loads(file.read_text())
    assert (told["placed"], told["outcomes"]["answered"], told["partial"]) == (10, 8, False)
    assert told["statuses"] == {"200": 8, "408": 8, "486": 1}
    assert told["pdd_s"] == {"p50": 4.5, "p95": None, "p99": None}
    assert told["limits"] == [line.removeprefix("NOTE: ") for line in ran.stdout.splitlines()[-1:]]


def test_a_load_that_the_guard_cuts_off_says_so(desk, rates):
    desk.script = [GOOD, REFUSED]
    ran = callsim("load", LAB, "--calls-per-second", 2, "--at-once", 2, "--for", "1s", "--quiet")
    assert ran.exit_code == 5
    assert ran.stdout.splitlines()[0] == "Outcomes  1 answered (50.0 %), 1 refused by guard (50.0 %)"
    assert ran.stdout.splitlines()[1:] == [
        "NOTE: the guard was the limit: '+12025550100': number not on the allow-list"
    ]


def test_ctrl_c_ends_a_load_with_what_is_known(desk, rates):
    desk.script = [GOOD, "never"]
    call = desk.call

    async def interrupted(errand, **how):
        if desk.script == ["never"]:
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        return await call(errand, **how)

    desk.call = interrupted
    ran = callsim("load", "--lab", "--calls-per-second", 20, "--at-once", 2, "--for", "60s")
    assert ran.exit_code == 130
    assert "1 answered" in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("PARTIAL: interrupted, ")


def test_what_limits_a_load_is_named():
    tally, shape = load_report.Tally(), Shape(10, 2, 1)
    kept = Kept(due=10, placed=8, held_back=2, latest=0.5, waits=3, busy=0.99)
    said = load_report.limits(tally, kept, shape)
    assert [line.partition(":")[0] for line in said] == [
        "the tool was the limit",
        "the tool was the limit",
        "--at-once 2 was the limit",
    ]
    assert load_report.limits(tally, Kept(due=10, placed=10, latest=0.01, busy=0.99), shape) == []
    tally.packets["lost"] = 1
    busy = [load_report.limits(tally, Kept(due=10, placed=10, busy=share), shape) for share in (0.5, 0.99)]
    assert busy == [[], ["this machine was 99 % busy: packets may have been lost or late for that"]]


def test_what_is_offered_is_told_while_it_lasts():
    shape = Shape(2.5, 1000, 60)
    said = [load_report.offered(shape, at)[1].partition("; ")[2] for at in (None, 12.4, 60.0)]
    assert said == ["workers are starting", "12 of 60 s", "all were offered, the last are talked over"]


def test_the_table_fits_its_terminal():
    found = [("Calls", "80 placed, 67 over, 13 on the line, 4 held back"), ("ASR", "50.00 %")]
    lines = load_report.table(found, ["a note that is longer than the terminal is wide"], 40).splitlines()
    assert lines == [
        "Calls  80 placed, 67 over, 13 on the",
        "       line, 4 held back",
        "ASR    50.00 %",
        "NOTE: a note that is longer than the",
        "      terminal is wide",
    ]


def test_carriers_are_told_apart():
    tally, kept = load_report.Tally(), Kept(placed=3)
    tried = {**BUSY, "attempts": [{**BUSY["attempts"][0], "trunk": "boreal/1", "sip_status": 503}]}
    for call in (GOOD, BUSY, tried):
        tally.add(call)
    told = dict(load_report.rows(tally, kept))
    assert told["  boreal/1"] == "1 x 200, 1 x 503"
    assert tally.to_json()["trunks"]["boreal/1"] == {"200": 1, "503": 1}


def test_how_busy_the_machine_is_is_known_where_it_says_so():
    kept = Kept()

    async def look():
        watching = asyncio.create_task(watch_machine(kept))
        while kept.busy is None and not watching.done():
            await asyncio.sleep(0.05)
        watching.cancel()

    asyncio.run(look())
    assert (kept.busy is None) == (not Path("/proc/stat").exists())
    assert kept.busy is None or 0 <= kept.busy <= 1


@pytest.mark.parametrize(
    ("number", "why"), [("911", "emergency number"), ("hello", "not a full telephone number")]
)
def test_what_is_no_number_is_refused_in_the_lab_too(number, why):
    ran = callsim("call", number, "--lab", "--talk", "1s")
    assert (ran.exit_code, why in ran.stdout) == (5, True)
