"""Alerts from what the watch loop tells to what people get."""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import watch_lab
from click.testing import CliRunner
from prometheus_client import generate_latest
from test_alert_channels import PATIENCE, Box, apprise_is_old, web_server
from watch_events import NOW, plan_of, probe_of

from callsim.alerting.channels import Channel, ChannelError, named
from callsim.alerting.grouping import GAP, WAIT
from callsim.alerting.listening import Alerts
from callsim.alerting.messages import Message
from callsim.cli import main
from callsim.metrics.budget import Past
from callsim.metrics.listening import Metrics
from callsim.plan import Plan
from callsim.watching.events import Event, PingDone, Reloaded, Ticked
from results.store.entries import Incident

FAILING = {"when": "trunk_failing", "after": 2, "within": "15m", "say_when_over": True}


def alerting(*alerts: Mapping[str, Any], **changes: Any) -> Plan:
    return plan_of(alerts=[{**FAILING, "command": ["page"], **alert} for alert in alerts], **changes)


class Boxes(dict[str, Box]):
    """Channels of plans; each is made once, whatever plan asks for it."""

    def __call__(self, plan: Plan, folder: Path) -> dict[str, Channel]:
        wanted = [name for alert in plan.alerts for name in named(alert)]
        if "env:MISSING" in wanted:
            raise ChannelError("env:MISSING: what is there is no URL that Apprise knows")
        return {name: self.setdefault(name, Box(name)) for name in wanted}


class Desk:
    """Alerts under test, with what they are told and what they tell."""

    def __init__(self, plan: Plan, state: Path | None = None, at: float = NOW, **given: Any) -> None:
        self.plan = plan
        self.boxes = given.pop("boxes") if "boxes" in given else Boxes()
        self.kept: list[Incident] = []
        self.alerts = Alerts(
            plan,
            "berlin",
            folder=Path(),
            state=state,
            keep=self.kept.append,
            at=at,
            channels=self.boxes,
            **{"delays": (0.001,), **given},
        )
        self.at = at

    def tell(self, *events: Event) -> None:
        for event in events:
            self.alerts(event)

    def tick(self, until: float, step: float = 1.0) -> None:
        """Let time go by."""
        while self.at < until:
            self.at = min(self.at + step, until)
            self.alerts(Ticked(self.at))

    def probes(self, results: Iterable[tuple[float, str, bool]]) -> None:
        """Let probes end at times after the start, and time go by between them."""
        for second, over, passed in results:
            self.tick(NOW + second + 10, step=5.0)
            self.alerts(probe_of(self.plan, over, NOW + second, passed))

    def got(self, name: str = "page") -> list[Message]:
        return self.boxes[name].taken


@contextmanager
def desk(plan: Plan, state: Path | None = None, **given: Any) -> Iterator[Desk]:
    made = Desk(plan, state, **given)
    try:
        yield made
    finally:
        made.alerts.close(PATIENCE)


TWO_FAILURES = [(0, "boreal/1", True), (300, "boreal/1", False), (600, "boreal/1", False)]


def test_failure_and_recovery_arrive() -> None:
    with desk(alerting({})) as one:
        one.probes([*TWO_FAILURES, (900, "boreal/1", True)])
        one.tick(NOW + 2000)
    assert [message.state for message in one.got()] == ["began", "over"]


def test_each_alert_tells_its_own_channels() -> None:
    plan = alerting({}, {"after": 3, "command": None, "to": ["env:CHAT", "env:MAIL"]})
    with desk(plan) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
        one.probes([(900, "boreal/1", False)])
        one.tick(NOW + 1300)
    assert len(one.got()) == len(one.got("env:CHAT")) == len(one.got("env:MAIL")) == 1
    assert one.got("env:CHAT")[0].subjects[0]["bad"] == 3


def test_channel_that_hangs_does_not_hold_up_the_loop() -> None:
    go, here = threading.Event(), threading.Event()

    class Hanging(Box):
        def send(self, message: Message) -> str | None:
            here.set()
            go.wait(PATIENCE)
            return super().send(message)

    boxes = Boxes(page=Hanging("page"))
    with desk(alerting({}, {"command": ["other"]}), boxes=boxes) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
        assert here.wait(PATIENCE)
        one.probes([(900, "boreal/1", True)])
        one.tick(NOW + 1300)
        assert not one.got()
        go.set()
    assert [message.state for message in one.got("page")] == ["began", "over"]
    assert [message.state for message in one.got("other")] == ["began", "over"]


def test_outage_of_a_watched_trunk_is_told_within_bounds_that_hold_it() -> None:
    plan = watch_lab.plan_of(alerts=[{**FAILING, "command": ["page"]}], sla={"availability": "99%"})
    begins, ends = watch_lab.BEGINS + 5000.0, watch_lab.BEGINS + 8000.0
    metrics = Metrics(plan, "here", at=watch_lab.BEGINS)
    with desk(plan, at=watch_lab.BEGINS, metrics=metrics) as one:
        faults = [watch_lab.Fault("boreal/1", begins, ends, "refuses")]
        watch_lab.WatchLab(plan, faults, listeners=[metrics, one.alerts]).run(3 * 3600.0)
    began, over = one.got()
    assert (began.title, over.title) == (
        "fast at berlin: boreal/1: failing",
        "fast at berlin: boreal/1: works again",
    )
    (subject,) = over.subjects
    assert subject["since"]["earliest"] <= begins <= subject["since"]["latest"]
    assert subject["until"]["earliest"] <= ends <= subject["until"]["latest"]
    assert subject["since"]["latest"] - subject["since"]["earliest"] < 330.0
    assert began.at - begins < 600 + WAIT + 30
    page = generate_latest(metrics.registry).decode()
    assert 'callsim_probe_success{location="here",over="boreal/1",test="each"} 1.0' in page
    assert 'callsim_calls_total{carrier="boreal",sip_status="503"} 10.0' in page
    assert 'callsim_sla_availability_ratio{window="month"} 1.0' in page


# ---- over a restart


def test_what_was_told_is_not_told_again(tmp_path: Path) -> None:
    state, plan, boxes = tmp_path / "alerts.json", alerting({}), Boxes()
    with desk(plan, state, boxes=boxes) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
    with desk(plan, state, boxes=boxes, at=NOW + 800) as one:
        one.tell(Reloaded(ok=True, at=NOW + 800, plan=plan))
        one.probes([(900, "boreal/1", False), (1200, "boreal/1", False)])
        one.tick(NOW + 2000)
        wait_for(lambda: len(one.got()) == 1)
        one.probes([(2100, "boreal/1", True)])
        one.tick(NOW + 3000)
    began, over = one.got()
    assert (began.state, over.state) == ("began", "over")
    assert (over.subjects[0]["bad"], over.subjects[0]["probes"]) == (4, 5)


def test_failures_before_and_after_a_restart_count_together(tmp_path: Path) -> None:
    state, plan = tmp_path / "alerts.json", alerting({})
    with desk(plan, state) as one:
        one.probes(TWO_FAILURES[:2])
    with desk(plan, state, at=NOW + 400) as one:
        one.probes(TWO_FAILURES[2:])
        one.tick(NOW + 700)
    assert len(one.got()) == 1


def test_message_that_nobody_took_is_sent_by_the_next_process(tmp_path: Path) -> None:
    state, plan = tmp_path / "alerts.json", alerting({})
    broken = Boxes(page=Box("page", *["no"] * 10_000))
    with desk(plan, state, boxes=broken, delays=(3600.0,)) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
    assert not one.got()
    with desk(plan, state, at=NOW + 800) as one:
        wait_for(one.got)
    (message,) = one.got()
    assert message.at == NOW + 610 + WAIT
    with desk(plan, state, at=NOW + 900) as one:
        pass
    assert not one.got()


def test_process_that_is_killed_after_it_decided_sends_later(tmp_path: Path) -> None:
    """Nothing is closed here: the state on the disk is what a killed process leaves."""
    state, plan = tmp_path / "alerts.json", alerting({})
    go = threading.Event()

    class Hanging(Box):
        def send(self, message: Message) -> str | None:
            go.wait(PATIENCE)
            return "killed"

    killed = Desk(plan, state, boxes=Boxes(page=Hanging("page")))
    killed.probes(TWO_FAILURES)
    killed.tick(NOW + 700)
    killed.alerts._memory.settle(PATIENCE)
    left = state.read_text()
    go.set()
    killed.alerts.close(PATIENCE)
    state.write_text(left)
    with desk(plan, state, at=NOW + 800) as one:
        one.probes([(900, "boreal/1", False)])
        one.tick(NOW + 2000)
    assert [message.state for message in one.got()] == ["began"]


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 1, "alarms": {"KEY": {"trackers": 7}}}',
        '{"format": 1, "alarms": 3, "failing": 4, "outbox": 5}',
        '{"format": 1, "outbox": [["page", {"id": "x"}]]}',
        '{"format": 1, "failing": {"episodes": {"page": [1]}}}',
    ],
)
def test_state_that_makes_no_sense_is_begun_anew(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan, state = alerting({}), tmp_path / "alerts.json"
    with desk(plan, state) as one:
        one.probes(TWO_FAILURES[:1])
    (key,) = json.loads(state.read_text())["alarms"]
    state.write_text(text.replace("KEY", key))
    with desk(plan, state) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
    assert "some may be told again" in caplog.text
    assert [message.state for message in one.got()] == ["began"]


# ---- quiet hours


@pytest.mark.parametrize(
    ("day", "fails_at", "told_at"),
    [
        ((2026, 3, 29), "01:30", "2026-03-29T04:00:00+00:00"),
        ((2026, 10, 25), "01:30", "2026-10-25T05:00:00+00:00"),
        ((2026, 6, 15), "01:30", "2026-06-15T04:00:00+00:00"),
        ((2026, 6, 15), "21:30", "2026-06-15T19:30:20+00:00"),
    ],
)
def test_quiet_hours_end_by_the_local_clock(day: tuple[int, int, int], fails_at: str, told_at: str) -> None:
    plan = alerting({"quiet": "Mon-Sun 22:00-06:00", "after": 1}, timezone="Europe/Berlin")
    time = dt.time.fromisoformat(fails_at)
    begins = dt.datetime.combine(dt.date(*day), time, ZoneInfo("Europe/Berlin")).timestamp()
    with desk(plan, at=begins) as one:
        one.tell(probe_of(plan, "boreal/1", begins, passed=False))
        one.at = begins + 10
        one.tick(begins + 8 * 3600, step=10.5)
    (message,) = one.got()
    expected = dt.datetime.fromisoformat(told_at).timestamp()
    assert expected <= message.at < expected + 11


# ---- channels that fail


def failing_boxes(refusals: int) -> Boxes:
    return Boxes(page=Box("page", *["no net"] * refusals))


def test_channel_that_fails_is_an_incident_and_told_over_the_others() -> None:
    plan = alerting({}, {"after": 5, "command": ["other"]})
    metrics = Metrics(plan, "berlin", at=NOW)
    go = threading.Event()

    class Failing(Box):
        def send(self, message: Message) -> str | None:
            if not go.is_set():
                return "no net"
            return super().send(message)

    with desk(plan, boxes=Boxes(page=Failing("page")), metrics=metrics) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
        wait_for(lambda: one.tick(one.at + 1) or bool(one.kept))
        assert 'callsim_alert_channel_up{channel="page"} 0.0' in generate_latest(metrics.registry).decode()
        one.tick(one.at + WAIT + 1)
        wait_for(lambda: one.tick(one.at + 1) or bool(one.got("other")))
        go.set()
        wait_for(lambda: one.tick(one.at + 1) or len(one.kept) == 2)
        one.tick(one.at + GAP + WAIT)
    began, ended = one.kept
    assert (began.id, began.kind, began.subject, began.location) == (
        ended.id,
        "alert_failing",
        "page",
        "berlin",
    )
    assert (began.ended_latest, began.cause, began.failed) == (None, "no net", 3)
    assert ended.ended_latest is not None
    assert ended.revision > began.revision
    told = one.got("other")
    assert [message.title for message in told] == [
        "watched at berlin: page: alerts do not get through",
        "watched at berlin: page: alerts get through again",
    ]
    assert "3 of 3 tries failed (3 x no net)" in told[0].text
    assert [message.kind for message in one.got()] == ["trunk_failing", "alert_failing"]
    page = generate_latest(metrics.registry).decode()
    assert 'callsim_alert_channel_up{channel="page"} 1.0' in page
    assert 'callsim_alerts_total{channel="page",outcome="delivered"}' in page


def wait_for(condition: Any) -> None:
    """Wait until something is so."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it never came to be")


def test_channel_that_still_fails_after_a_restart_is_one_incident(tmp_path: Path) -> None:
    state, plan = tmp_path / "alerts.json", alerting({})
    with desk(plan, state, boxes=failing_boxes(10_000)) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
        wait_for(lambda: one.tick(one.at + 1) or bool(one.kept))
    (began,) = one.kept
    with desk(plan, state, boxes=failing_boxes(10), at=NOW + 2000) as one:
        wait_for(lambda: one.tick(one.at + 1) or bool(one.kept))
    (ended,) = one.kept
    assert ended.id == began.id
    assert ended.ended_latest is not None


# ---- plans that change


def test_new_plan_brings_a_channel_and_takes_one_away() -> None:
    metrics = Metrics(alerting({}), "berlin", at=NOW)
    with desk(alerting({}), metrics=metrics) as one:
        one.plan = alerting({"command": ["other"]})
        one.tell(Reloaded(ok=True, at=NOW, plan=one.plan))
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
    assert not one.got()
    assert len(one.got("other")) == 1
    page = generate_latest(metrics.registry).decode()
    assert 'callsim_alert_channel_up{channel="other"}' in page
    assert 'callsim_alert_channel_up{channel="page"}' not in page


def test_new_plan_keeps_what_was_told() -> None:
    with desk(alerting({})) as one:
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
        one.tell(Reloaded(ok=True, at=NOW + 700, plan=alerting({}, {"after": 7})))
        one.tell(Reloaded(ok=False, at=NOW + 750, why="broken"))
        one.probes([(900, "boreal/1", False), (1200, "boreal/1", True)])
        one.tick(NOW + 2000)
    assert [message.state for message in one.got()] == ["began", "over"]


def test_channel_that_cannot_be_had_is_refused_at_the_start_and_logged_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    missing = alerting({"command": None, "to": ["env:MISSING"]}, {})
    with pytest.raises(ChannelError):
        Desk(missing)
    with desk(alerting({})) as one:
        one.tell(Reloaded(ok=True, at=NOW, plan=missing))
        one.probes(TWO_FAILURES)
        one.tick(NOW + 700)
    assert "alerts go where they went before: env:MISSING" in caplog.text
    assert len(one.got()) == 1


# ---- the error budget


def burning(**changes: Any) -> Plan:
    return plan_of(
        alerts=[{"when": "budget_burning", "command": ["page"], "say_when_over": True}],
        sla={"availability": "99.9%"},
        **changes,
    )


def test_budget_that_burns_is_told() -> None:
    plan = burning()
    names = plan.trunk_names()
    with desk(plan) as one:
        one.tell(PingDone("boreal/1", "boreal", NOW, 200, 0.1))
        for slot in range(24):
            one.probes((300 * slot + n, trunk, slot < 12) for n, trunk in enumerate(names))
        one.tick(NOW + 7300, step=5.0)
    first = one.got()[0]
    assert first.title == "watched at berlin: error budget is burning"
    assert "of the month's budget is left; since 2026-01-01 01:0" in first.text


def test_restart_does_not_take_a_burning_budget_for_over(tmp_path: Path) -> None:
    plan, state = burning(), tmp_path / "alerts.json"
    past = [Past("echo", trunk, NOW + 300.0 * n, n < 6) for n in range(12) for trunk in plan.trunk_names()]
    with desk(plan, state, at=NOW + 3600) as one:
        one.alerts.restore(past)
        one.tick(NOW + 3630)
    assert len(one.got()) == 1
    with desk(plan, state, at=NOW + 3700) as one:
        one.alerts.restore(past)
        one.tick(NOW + 4000)
    assert not one.boxes["page"].tried
    with desk(plan, state, at=NOW + 4000) as one:  # nothing is known of the time before
        one.tick(NOW + 40 * 3600, step=10.0)
    assert not one.boxes["page"].tried


# ---- the command

COMMAND_PLAN = """\
name: watched
trunks:
  - {{carrier: boreal, uri: "sip:127.0.0.1:5073"}}
tests:
  - {{name: echo, to: "+12025550100", over: boreal, every: 5m}}
guard: {{allow: ["+12025550100"], at_once: 1, calls_per_day: 1000}}
alerts:
  - {{when: trunk_failing, after: 2, within: 15m, to: [env:HOOK]}}
  - {{when: prober_blind, after: 2, within: 15m, command: [{python}, -c, "raise SystemExit({code})"]}}
"""


def sent(tmp_path: Path, code: int, *arguments: str) -> tuple[int, str]:
    file = tmp_path / "plan.yaml"
    file.write_text(COMMAND_PLAN.format(python=sys.executable, code=code))
    done = CliRunner().invoke(main, ["alert", "test", str(file), "--location", "berlin", *arguments])
    return done.exit_code, done.output


@apprise_is_old
def test_alert_test_says_what_became_of_each_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as (url, posted):
        monkeypatch.setenv("HOOK", url)
        assert sent(tmp_path, 0) == (
            0,
            f"env:HOOK: sent\n{sys.executable} -c 'raise SystemExit(0)': sent\n",
        )
        code, output = sent(tmp_path, 4)
    assert (code, output.splitlines()[1]) == (
        1,
        f"{sys.executable} -c 'raise SystemExit(4)': ended with 4",
    )
    assert [one["title"] for one in posted] == ["TEST: watched at berlin"] * 2
    assert "Nothing is wrong" in posted[0]["message"]


@apprise_is_old
def test_alert_test_of_one_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    assert sent(tmp_path, 0, "--only", "2")[0] == 0
    code, output = sent(tmp_path, 0, "--only", "1")
    assert (code, output) == (2, "alerts: the environment has no HOOK\n")
    code, output = sent(tmp_path, 0, "--only", "3")
    assert code == 2
    assert "--only 3: watched has 2 alerts" in output
    with web_server(500) as (url, _):
        monkeypatch.setenv("HOOK", url)
        code, output = sent(tmp_path, 0, "--only", "1")
    assert (code, output) == (1, "env:HOOK: not taken: error 500\n")


def test_alert_test_without_alerts(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    text = COMMAND_PLAN.format(python=sys.executable, code=0)
    file.write_text(text.partition("alerts:")[0])
    done = CliRunner().invoke(main, ["alert", "test", str(file)])
    assert (done.exit_code, done.output) == (2, "watched has no alerts; write `alerts`\n")
