"""What a plan can see, as it is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from reading_cases import PLAN, written

from callsim.cli import main
from callsim.exits import Exit
from callsim.live.doctor import examine
from callsim.plan import load_plan
from callsim.reading.plan_view import brief, terminal, to_json
from callsim.reading.seeing import seeing

PLANS = Path(__file__).resolve().parent.parent / "scenarios" / "plans"
ALERT = "alerts: [{when: trunk_failing, after: 3, within: %s, command: ['true']}]\n"
ROUTED = """
routing: {order: least_cost, routes: [boreal, atlantic], max_attempts: 2, no_reply_timeout: 3s}
"""


def seen_of(tmp_path, text=PLAN, **more):
    return seeing(load_plan(written(tmp_path, "plan.yaml", text)), **more)


def test_a_plan_is_told_on_one_screen():
    seen = seeing(load_plan(PLANS / "production-trunks.yaml"))
    lines = terminal(seen, 0.9999).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
    text = " ".join(" ".join(lines).split())
    assert "What production-trunks can see, from 1 location" in text
    assert "atlantic/1, boreal/1 288 2.9 min 5.3 min" in text
    assert "99.99 % 29,956 104 " in text
    assert "one probe stands for 5.0 min" in text
    assert "A month costs 17,280 calls, 17,280 min, 85.54; at the worst 34,560 calls" in text
    assert "It is no proof of what it cannot see: of outages of 2.9 min it misses half" in text
    assert "NO: 99.99 % leaves 4.3 min a month" in text


def test_figures_are_told_as_json(tmp_path):
    told = json.loads(json.dumps(to_json(seen_of(tmp_path), None)))
    (view,) = told["sees"]
    assert view["what"] == ["atlantic/1", "boreal/1"]
    assert (view["probes_per_day"], view["one_probe_stands_for_s"]) == (144, 600)
    assert view["found_s"]["p50"] == pytest.approx(300, abs=0.5)
    assert view["alerted_s"] is None
    assert [level["availability"] for level in view["to_show"]] == [0.999, 0.9999, 0.99999]
    assert view["to_show"][0]["days"] == pytest.approx(2995 / 144)
    assert told["for"] is None
    assert told["cost_a_month"]["usual"] == pytest.approx({"calls": 8640, "minutes": 8640, "spend": 129.6})


def test_more_locations_see_more(tmp_path):
    one, three = seen_of(tmp_path), seen_of(tmp_path, locations=3)
    assert three.views[0].per_day == 3 * one.views[0].per_day
    assert three.views[0].found.quantile(0.95) < one.views[0].found.quantile(0.95)
    assert three.usual.calls == 3 * one.usual.calls
    assert "3 locations, all together" in terminal(three)


def test_somebody_is_told_after_so_many_or_never(tmp_path):
    told = seen_of(tmp_path, PLAN + ALERT % "30m").views[0]
    assert told.alerted.mean == pytest.approx(told.noticed.mean + 2 * 600, abs=1.0)
    never = seen_of(tmp_path, PLAN + ALERT % "10m")
    assert never.views[0].alerted is None
    assert "never: 3 do not fit" in terminal(never, width=100)


def test_a_routed_test_costs_its_first_choice_as_a_rule_and_the_dearest_at_the_worst(tmp_path):
    text = PLAN.replace("[atlantic, boreal]", "route") + ROUTED
    seen = seen_of(tmp_path, text)
    (view,) = seen.views
    assert view.names == ("service (route)",)
    assert (seen.usual.calls, seen.usual.spend) == pytest.approx((4320, 43.2))
    assert (seen.worst.calls, seen.worst.spend) == pytest.approx((8640, 4320 * 0.03))
    ordered = seen_of(tmp_path, text.replace("least_cost", "priority"))
    assert ordered.usual.spend == pytest.approx(86.4)
    free = text.replace("least_cost", "priority").replace(", cost_per_minute: 0.01", "")
    unpriced = seen_of(tmp_path, free)
    assert (unpriced.usual.spend, unpriced.worst.spend) == (pytest.approx(86.4), None)


def test_a_test_without_a_cadence_sees_nothing_by_itself(tmp_path):
    idle = seen_of(tmp_path, PLAN.replace(", every: 10m", ""))
    assert idle.views == ()
    assert "echo: without `every`" in terminal(idle)
    assert brief(idle) == "nothing by itself: no test has `every`"


def test_a_plan_is_asked_what_it_can_show(tmp_path):
    plan = str(written(tmp_path, "plan.yaml", PLAN))

    def asked(*arguments):
        return CliRunner().invoke(main, ["plan", plan, *arguments])

    assert asked().exit_code == Exit.MET
    no = asked("--for", "99.9%")
    assert (no.exit_code, "NO: 99.9 %" in no.output) == (Exit.INCONCLUSIVE, True)
    yes = asked("--for", "99%", "--mttr", "5m", "--json", "-")
    assert yes.exit_code == Exit.MET
    assert json.loads(yes.output)["for"] == {"availability": 0.99, "can_show_in_a_month": True}
    assert "YES: a month without a failure shows 99 %" in asked("--for", "99%", "--mttr", "5m").output


def test_the_doctor_says_what_a_plan_sees(tmp_path):
    plan = load_plan(written(tmp_path, "plan.yaml", PLAN))
    (told,) = (finding for finding in examine(lambda: None, plan) if finding.name == "sees")
    assert told.good
    assert told.found.startswith("95 % of outages of 9.5 min, half of those of 5.0 min")
