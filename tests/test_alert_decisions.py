"""What is told when: episodes, groups, limits."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from watch_events import NOW, missed_of, plan_of, probe_of

from callsim.alerting.alarm import Alarm, key_of
from callsim.alerting.grouping import CAUSED, GAP, HOUR, WAIT, Item
from callsim.alerting.messages import Message, Writer
from callsim.metrics.budget import Budget
from callsim.plan import Plan
from callsim.plan.watching import Alert
from callsim.watching.events import Event, ProbeDone

TRUNKS = ("atlantic/1", "atlantic/2", "boreal/1")
PAGE = {"command": ["page"], "say_when_over": True}
FAILING = {"when": "trunk_failing", "after": 2, "within": "15m", **PAGE}
CADENCE = 300.0


def alarm_of(**changes: Any) -> Alarm:
    return Alarm(Alert.model_validate({**FAILING, **changes}))


class Play:
    """An alarm that is looked at every second, with what it told."""

    def __init__(self, alarm: Alarm, plan: Plan | None = None) -> None:
        self.alarm = alarm
        self.plan = plan or plan_of()
        self.now = NOW
        self.told: list[tuple[float, list[Item]]] = []

    def until(self, second: float, quiet: bool = False) -> None:
        while self.now < NOW + second and self.alarm.group.pending:
            self.now += 1.0
            if items := self.alarm.take(self.now, lambda: quiet):
                self.told.append((self.now - NOW, deepcopy(items)))
        self.now = max(self.now, NOW + second)

    def see(self, event: Event, quiet: bool = False) -> None:
        ended = event.ended if isinstance(event, ProbeDone) else self.now
        self.until(ended - NOW, quiet)
        self.alarm.see(event, self.now)

    def probe(
        self, second: float, over: str, passed: bool | None, *, quiet: bool = False, **more: Any
    ) -> None:
        self.see(probe_of(self.plan, over, NOW + second, passed, **more), quiet)

    def messages(self) -> list[Message]:
        writer = Writer(self.plan, "berlin")
        return [writer.write(self.alarm.alert.when, items, NOW + at) for at, items in self.told]


def test_second_failure_is_told_with_its_bounds() -> None:
    play = Play(alarm_of())
    play.probe(0, "boreal/1", True)
    play.probe(300, "boreal/1", False)
    play.until(595)
    assert not play.told
    play.probe(600, "boreal/1", False)
    play.probe(900, "boreal/1", True)
    play.until(2000)
    began, over = play.messages()
    assert (began.at, over.at) == (NOW + 610 + WAIT, NOW + 610 + WAIT + GAP)
    assert (began.state, over.state) == ("began", "over")
    assert began.title == "watched at berlin: boreal/1: failing"
    assert began.text == (
        "boreal/1: failing; since 2026-01-01 00:00:00..00:05:10 UTC; 2 of 2 probes failed "
        "(2 x 503 Service Unavailable); usually repaired within 4 h"
    )
    assert over.title == "watched at berlin: boreal/1: works again"
    assert over.text == (
        "boreal/1: works again; from 2026-01-01 00:00:00..00:05:10 UTC to 2026-01-01 00:10:00.."
        "00:15:10 UTC; 2 of 3 probes failed (2 x 503 Service Unavailable)"
    )
    (subject,) = over.subjects
    assert subject == {
        "subject": "boreal/1",
        "still": False,
        "began": 0,
        "ended": 1,
        "since": {"earliest": NOW, "latest": NOW + 310},
        "until": {"earliest": NOW + 600, "latest": NOW + 910},
        "probes": 3,
        "bad": 2,
        "findings": {"503 Service Unavailable": 2},
        "expected_repair_s": 4 * 3600.0,
    }


def test_failures_that_are_too_far_apart_are_not_told() -> None:
    play = Play(alarm_of())
    for n in range(10):
        play.probe(901 * n, "boreal/1", n % 2 == 1)
    play.until(10_000)
    assert not play.told


def test_failures_need_not_follow_each_other() -> None:
    play = Play(alarm_of())
    for n, passed in enumerate((False, True, False)):
        play.probe(CADENCE * n, "boreal/1", passed)
    play.until(1000)
    (message,) = play.messages()
    assert message.subjects[0]["probes"] == 3
    assert "or before" in message.text


def test_over_is_when_every_test_that_failed_is_good() -> None:
    tests = [
        {"name": name, "to": "+12025550100", "over": "boreal", "every": "5m"} for name in ("first", "second")
    ]
    play = Play(alarm_of(), plan_of(tests=tests))
    play.probe(0, "boreal/1", False, test="first")
    play.probe(60, "boreal/1", False, test="second")
    play.probe(300, "boreal/1", True, test="first")
    play.until(900)
    assert [message.state for message in play.messages()] == ["began"]
    play.probe(960, "boreal/1", True, test="second")
    play.until(2000)
    assert [message.state for message in play.messages()] == ["began", "over"]


def test_without_say_when_over_the_end_is_not_told() -> None:
    play = Play(alarm_of(say_when_over=False))
    for n, passed in enumerate((False, False, True, False, False)):
        play.probe(CADENCE * n, "boreal/1", passed)
    play.until(5000)
    assert [message.state for message in play.messages()] == ["began", "began"]


def test_all_trunks_at_once_are_one_message() -> None:
    play = Play(alarm_of())
    for slot in range(2):
        for n, trunk in enumerate(TRUNKS):
            play.probe(CADENCE * slot + 75 * n, trunk, False)
    for n, trunk in enumerate(TRUNKS):
        play.probe(600 + 10 * n, trunk, False)
    play.until(2 * 3600)
    (message,) = play.messages()
    assert message.title == "watched at berlin: all 3 trunks: failing"
    assert [subject["bad"] for subject in message.subjects] == [2, 1, 1]


def test_all_trunks_of_a_carrier_are_named_by_it() -> None:
    play = Play(alarm_of())
    play.probe(0, "boreal/1", True)
    for slot in range(2):
        for trunk in TRUNKS[:2]:
            play.probe(20 + CADENCE * slot, trunk, False)
    play.until(400)
    (message,) = play.messages()
    assert message.title == "watched at berlin: all 2 trunks of atlantic: failing"


def test_many_subjects_are_counted_in_the_title() -> None:
    trunks = [{"carrier": f"c{n}", "uri": f"sip:127.0.0.1:{5000 + n}"} for n in range(30)]
    names = [trunk["carrier"] for trunk in trunks]
    tests = [{"name": "echo", "to": "+12025550100", "over": names, "every": "5m"}]
    play = Play(alarm_of(), plan_of(trunks=trunks, tests=tests))
    for slot in range(2):
        for name in names[:25]:
            play.probe(CADENCE * slot, f"{name}/1", False)
    play.until(400)
    (message,) = play.messages()
    assert message.title == "watched at berlin: c0/1, c1/1, c2/1, 22 more: failing"
    assert message.text.endswith("and 5 more")
    assert len(message.subjects) == 25


def test_flapping_trunk_causes_two_messages_an_hour() -> None:
    play = Play(alarm_of(after=1, within="1m"))
    for n in range(24 * 12):
        play.probe(CADENCE * n, "boreal/1", n % 2 == 1)
    play.until(25 * 3600)
    assert len(play.told) <= CAUSED * 25
    items = [item for _, items in play.told for item in items]
    assert sum(item.began for item in items) == sum(item.ended for item in items) == 12 * 12
    assert any("times since it was last told" in message.text for message in play.messages())


def test_failure_that_comes_to_be_one_of_all_trunks_does_not_wait() -> None:
    play = Play(alarm_of(after=1, within="1m"))
    for trunk in TRUNKS:
        play.probe(0, trunk, True)
    play.probe(300, TRUNKS[0], False)
    for trunk in TRUNKS[1:]:
        play.probe(360, trunk, False)
    play.until(400)
    told = [[item.episode.subject for item in items] for _, items in play.told]
    assert told == [list(TRUNKS[:1]), list(TRUNKS[1:])]
    assert play.told[1][0] < 300 + GAP


def test_flapping_trunk_does_not_hold_up_another() -> None:
    play = Play(alarm_of(after=1, within="1m"))
    for n in range(8):
        play.probe(CADENCE * n, "boreal/1", n % 2 == 1)
    play.probe(2500, "atlantic/1", False)
    play.until(2520 + GAP)
    assert [item.episode.subject for item in play.told[-1][1]] == ["boreal/1", "atlantic/1"]


# ---- what each kind sees


def test_poor_audio() -> None:
    play = Play(alarm_of(when="poor_audio", mos_below=3.6))
    for second, mos in ((0, 4.2), (300, 3.5), (600, None), (900, 3.1), (1200, 3.6)):
        play.probe(second, "boreal/1", True, mos=mos)
    play.until(3000)
    began, over = play.messages()
    assert began.title == "watched at berlin: boreal/1: poor audio"
    assert "2 of 2 probes sounded poor (1 x MOS 3.5, 1 x MOS 3.1)" in began.text
    assert over.title == "watched at berlin: boreal/1: sounds good again"


def test_call_that_failed_tells_nothing_of_the_audio() -> None:
    play = Play(alarm_of(when="poor_audio", mos_below=3.6, after=1))
    play.probe(0, "boreal/1", False)
    play.until(100)
    assert not play.told


def test_prober_that_is_blind() -> None:
    play = Play(alarm_of(when="prober_blind"))
    play.see(missed_of(play.plan, "boreal/1", NOW, "stopped", 5))
    play.see(missed_of(play.plan, "boreal/1", NOW + 1, "asleep", 3))
    play.probe(600, "atlantic/1", False)
    play.until(700)
    (message,) = play.messages()
    assert message.title == "watched at berlin: boreal/1: not probed"
    assert "3 of 3 slots went by without a probe (3 x asleep)" in message.text
    play.probe(900, "boreal/1", None)
    play.probe(1200, "boreal/1", False)
    play.until(2000)
    assert play.messages()[-1].title == "watched at berlin: boreal/1: is probed again"


def test_lost_by_the_tool_is_no_failure_of_a_trunk() -> None:
    play = Play(alarm_of(after=1))
    play.probe(0, "boreal/1", None)
    play.see(missed_of(play.plan, "boreal/1", NOW + 300, "own_network"))
    play.until(1000)
    assert not play.told


def test_broken_expectation_is_told_by_its_name() -> None:
    play = Play(alarm_of(after=1))
    kept = {"expect": "status", "wanted": "200", "found": "200", "kept": True}
    broken = {"expect": "answered_within", "wanted": "2 s", "found": "9 s", "kept": False}
    play.probe(0, "boreal/1", False, sip_status=200, outcome="answered", checks=[kept, broken])
    play.until(100)
    assert "(1 x answered_within)" in play.messages()[0].text


def test_what_a_far_end_sends_is_no_control_sequence() -> None:
    play = Play(alarm_of(after=1))
    play.probe(0, "boreal/1", False, reason="No\x1b[31m\r\nway" + "!" * 500)
    play.until(100)
    (message,) = play.messages()
    assert message.text.isprintable()
    assert "503 No [31m way!" in message.text
    assert len(message.text) < 400


def test_different_findings_are_bounded() -> None:
    play = Play(alarm_of(after=1))
    for n in range(30):
        play.probe(60 * n, "boreal/1", False, reason=f"reason {n}")
    (tracker,) = play.alarm.trackers.values()
    assert tracker.episode is not None
    assert len(tracker.episode.findings) == 9
    assert sum(tracker.episode.findings.values()) == 30


def test_budget_that_burns_is_told_as_it_rises() -> None:
    plan = plan_of(sla={"availability": "99%"})
    play = Play(Alarm(Alert.model_validate({"when": "budget_burning", **PAGE})), plan)
    budget = Budget(plan, NOW)
    seen: list[tuple[str, str]] = []
    for minute in range(0, 12 * 60, 5):
        down = 60 <= minute < 120
        for trunk in TRUNKS:
            budget.see(("echo", trunk), NOW + 60 * minute, not down)
        budget.advance(NOW + 60 * (minute + 5) - 1)
        play.until(60 * (minute + 5) - 1)
        play.alarm.look(budget, play.now)
    play.until(13 * 3600)
    seen = [(message.state, message.text) for message in play.messages()]
    assert [state for state, _ in seen] == ["began", "began", "over"]
    assert "over 6h" in seen[0][1] or "over 1h" in seen[0][1] or "over 3d" in seen[0][1]
    assert "over 1h, 100.0 times over 5m" in seen[1][1]
    assert seen[-1][1].startswith("error budget no longer burns")


def test_budget_of_which_nothing_is_known_is_neither_burning_nor_over() -> None:
    plan = plan_of(sla={"availability": "99%"})
    alarm = Alarm(Alert.model_validate({"when": "budget_burning", **PAGE}))
    budget = Budget(plan, NOW)
    for trunk in TRUNKS:
        budget.see(("echo", trunk), NOW, False)
    budget.advance(NOW + 600)
    alarm.look(budget, NOW + 600)
    assert alarm.burning.factor == 14.4
    alarm.look(Budget(plan, NOW + 700), NOW + 700)
    assert alarm.burning.factor == 14.4


# ---- quiet hours


def test_quiet_hours_hold_what_is_still_so() -> None:
    play = Play(alarm_of(quiet="always"))
    for n in range(4):
        play.probe(CADENCE * n, "boreal/1", False, quiet=True)
        play.probe(CADENCE * n + 20, "atlantic/1", n > 1, quiet=True)
    play.until(1500, quiet=True)
    assert not play.told
    play.until(1502)
    (message,) = play.messages()
    assert [subject["subject"] for subject in message.subjects] == ["boreal/1"]
    assert message.subjects[0]["bad"] == 4


def test_end_in_quiet_hours_of_what_was_told_before_is_told_after() -> None:
    play = Play(alarm_of(quiet="always"))
    play.probe(0, "boreal/1", False)
    play.probe(300, "boreal/1", False)
    play.until(500)
    play.probe(900, "boreal/1", True, quiet=True)
    play.probe(1200, "boreal/1", False, quiet=True)
    play.probe(1500, "boreal/1", False, quiet=True)
    play.probe(1800, "boreal/1", True, quiet=True)
    play.until(9000, quiet=True)
    play.until(9001)
    assert [message.state for message in play.messages()] == ["began", "over"]


# ---- plans that change, processes that die


def test_test_that_left_the_plan_keeps_no_episode_open() -> None:
    play = Play(alarm_of())
    for n in range(2):
        play.probe(CADENCE * n, "boreal/1", False)
    play.until(400)
    smaller = plan_of(tests=[{"name": "echo", "to": "+12025550100", "over": "atlantic", "every": "5m"}])
    play.alarm.use(play.alarm.alert, smaller, play.now)
    play.until(1000)
    assert play.messages()[-1].text.startswith("boreal/1: no longer in the plan; from")
    assert not play.alarm.trackers


def test_alert_is_the_same_as_long_as_it_watches_and_tells_the_same() -> None:
    first = Alert.model_validate(FAILING)
    assert key_of(first) == key_of(Alert.model_validate({**FAILING, "say_when_over": False}))
    assert key_of(first) != key_of(Alert.model_validate({**FAILING, "after": 3}))
    assert key_of(first) != key_of(Alert.model_validate({**FAILING, "command": ["other"]}))


Step = tuple[int, str, bool | None]


def steps() -> st.SearchStrategy[list[Step]]:
    one = st.tuples(
        st.integers(11, 700), st.sampled_from(TRUNKS), st.sampled_from((True, False, False, None))
    )
    return st.lists(one, max_size=40)


def plays(found: list[Step], alarm: Alarm, *, restart_at: int | None = None) -> Play:
    """Play steps, then wait until there is nothing left to tell."""
    play, at = Play(alarm), 0
    for n, (gap, trunk, passed) in enumerate(found):
        if n == restart_at:
            known = json.loads(json.dumps(play.alarm.to_json()))
            play.alarm = Alarm(alarm.alert)
            play.alarm.restore(known)
        at += gap
        play.probe(at, trunk, passed)
    play.until(at + 3 * HOUR)
    return play


def all_bad(found: list[Step], until: float) -> bool:
    """Whether the last result of every trunk that told something was bad."""
    last: dict[str, bool] = {}
    at = 0
    for gap, trunk, passed in found:
        at += gap
        if at <= until and passed is not None:
            last[trunk] = passed
    return len(last) > 1 and not any(last.values())


@settings(max_examples=150, deadline=None)
@given(steps(), st.integers(1, 4), st.sampled_from(("1m", "10m", "1h")))
def test_messages_are_few_and_every_episode_is_told_once(found: list[Step], after: int, within: str) -> None:
    alarm = alarm_of(after=after, within=within)
    play = plays(found, alarm)
    times = [at for at, _ in play.told]
    for earlier, later in pairwise(times):
        assert later - earlier >= GAP or (later - earlier >= WAIT and all_bad(found, later))
    for at in times:
        caused = Counter(
            item.episode.subject for when, items in play.told if at - HOUR < when <= at for item in items
        )
        assert min(caused.values()) <= CAUSED, "a message has a subject that may cause one"
    for trunk in TRUNKS:
        items = [item for _, items in play.told for item in items if item.episode.subject == trunk]
        going_on = False
        for item in items:
            assert item.closes == going_on, "what is open is closed before it begins again"
            assert item.began - item.ended == item.episode.still - going_on
            going_on = item.episode.still
        tracker = alarm.trackers.get(trunk)
        assert going_on == (tracker is not None and tracker.episode is not None)


def episodes_of(found: list[tuple[int, bool | None]], after: int, within: float) -> tuple[int, int]:
    """Count episodes of one test over one trunk, and those that ended, run by run of results."""
    began = ended = 0
    failures: list[int] = []
    going_on = False
    for due, passed in found:
        if passed is False and not going_on:
            failures.append(due)
            going_on = len([at for at in failures if due - at <= within]) >= after
            began += going_on
        elif passed and going_on:
            failures, going_on = [], False
            ended += 1
    return began, ended


@settings(max_examples=150, deadline=None)
@given(steps(), st.integers(1, 4), st.sampled_from((60, 600, 3600)))
def test_one_trunk_is_told_exactly_what_it_did(found: list[Step], after: int, within: int) -> None:
    alone = [(gap, "boreal/1", passed) for gap, _, passed in found]
    play = plays(alone, alarm_of(after=after, within=f"{within}s"))
    dues, at = [], 0
    for gap, _, passed in alone:
        at += gap
        dues.append((at, passed))
    items = [item for _, items in play.told for item in items]
    told = sum(item.began for item in items), sum(item.ended for item in items)
    assert told == episodes_of(dues, after, within)


@settings(max_examples=100, deadline=None)
@given(steps(), st.integers(0, 39))
def test_restart_tells_nothing_twice_and_forgets_nothing(found: list[Step], restart_at: int) -> None:
    through = plays(found, alarm_of())
    restarted = plays(found, alarm_of(), restart_at=restart_at)
    assert restarted.told == through.told
