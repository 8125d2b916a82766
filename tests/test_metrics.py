"""Metrics as Prometheus scrapes them."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML
from watch_events import NOW, leg_of, missed_of, plan_of, probe_of

from callgen.guarding.caps import Caps, Used
from callsim.errors import CallsimError
from callsim.metrics import names
from callsim.metrics.guarding import guard_used
from callsim.metrics.listening import Metrics
from callsim.metrics.serving import address_of, served
from callsim.plan import Plan
from callsim.watching.events import KeeperChanged, PingDone, Reloaded, Ticked, TrunkBelieved

CONTRIB = Path(__file__).resolve().parent.parent / "contrib"
RULES = CONTRIB / "prometheus"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
ROUTING = {"order": "priority", "routes": ["atlantic", "boreal"]}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(url: str) -> Samples:
    with urllib.request.urlopen(url, timeout=5) as page:
        return parsed(page.read().decode())


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def shown(metrics: Metrics) -> Samples:
    return parsed(generate_latest(metrics.registry).decode())


def metrics_of(plan: Plan, **given: Any) -> Metrics:
    return Metrics(plan, "berlin", at=NOW, **given)


# ---- names


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_name_follows_the_rules_of_prometheus(metric: names.Metric) -> None:
    assert re.fullmatch(r"callsim_[a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not metric.unit or metric.name.endswith(f"_{metric.unit}")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help.endswith((".", "1 or 0."))
    assert not {"number", "to", "call_id", "le"} & set(metric.labels)


def test_every_metric_is_listed_once() -> None:
    listed = [metric.name for metric in names.METRICS]
    defined = {metric.name for metric in vars(names).values() if isinstance(metric, names.Metric)}
    assert len(listed) == len(set(listed))
    assert set(listed) == defined


def used_names(query: str) -> set[str]:
    """Names of metrics in a query, without what Prometheus adds to those of histograms."""
    histograms = {metric.name for metric in names.METRICS if metric.kind == "histogram"}
    found = set(re.findall(r"\b(?:callsim_[a-z_]+)", query))
    for name in list(found):
        for end in ("_bucket", "_sum", "_count"):
            if name.removesuffix(end) in histograms:
                found = found - {name} | {name.removesuffix(end)}
    return found


def labels_of(query: str) -> Iterator[tuple[str, set[str]]]:
    """Labels that a query asks of each metric."""
    for name, matchers in re.findall(r"(callsim_[a-z_]+)\{([^}]*)\}", query):
        yield name, set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)))


def queries() -> list[tuple[str, str]]:
    dashboard = json.loads((CONTRIB / "grafana" / "callsim.json").read_text("utf-8"))
    found = [
        (panel["title"], target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    found += [(one["name"], one["expr"]) for one in dashboard["annotations"]["list"]]
    found += [
        (one["name"], one["definition"]) for one in dashboard["templating"]["list"] if "definition" in one
    ]
    rules = YAML(typ="safe").load((RULES / "callsim-rules.yml").read_text("utf-8"))
    return found + [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(("where", "query"), queries())
def test_dashboard_and_rules_ask_for_what_there_is(where: str, query: str) -> None:
    known = {metric.name: metric for metric in names.METRICS}
    used = used_names(query)
    assert used <= known.keys()
    assert used or "up{" in query
    for name, labels in labels_of(query):
        base = next(iter(used_names(name)))
        assert labels <= {*known[base].labels, "instance", "job"}


def test_dashboard_shows_every_metric() -> None:
    shown_names = {name for _, query in queries() for name in used_names(query)}
    assert {metric.name for metric in names.METRICS} == shown_names


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads((CONTRIB / "grafana" / "callsim.json").read_text("utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *arguments], cwd=RULES, capture_output=True, text=True, check=False)


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", "callsim-rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_rules_fire_when_they_should() -> None:
    done = promtool("test", "rules", "callsim-rules.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_no_fault_with_the_page(tmp_path: Path) -> None:
    plan = plan_of(routing=ROUTING, sla={"availability": "99.9%"})
    metrics = metrics_of(plan)
    metrics(probe_of(plan, "atlantic/1", NOW, pdd_s=1.2, setup_s=2.0, mos=4.2, loss_share=0.0))
    metrics(PingDone("atlantic/1", "atlantic", NOW, 200, 0.02))
    with served(metrics.registry, "127.0.0.1:0") as url, urllib.request.urlopen(url, timeout=5) as page:
        text = page.read()
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


# ---- the page


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9108", ("127.0.0.1", 9108)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("prober.example.com:9108", ("prober.example.com", 9108)),
        ("[::1]:9108", ("::1", 9108)),
    ],
)
def test_address(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "9108", "localhost", ":99999", ":", "::1:80", "a b:80"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(CallsimError, match="is no address; write :9108"):
        address_of(text)


def test_address_that_is_taken() -> None:
    metrics = metrics_of(plan_of())
    with served(metrics.registry, ":0") as url:
        address = url.removeprefix("http://").removesuffix("/metrics")
        with (
            pytest.raises(CallsimError, match=rf"--metrics {address}: cannot be listened at: address"),
            served(metrics.registry, address),
        ):
            pass


def test_page_can_be_scraped_while_probes_go_on() -> None:
    plan = plan_of(sla={"availability": "99.9%"})
    metrics = metrics_of(plan)
    stop = threading.Event()

    def probes() -> None:
        n = 0
        while not stop.wait(0.001):
            n += 1
            metrics(probe_of(plan, "atlantic/1", NOW + n, n % 3 != 0, mos=4.0, pdd_s=1.0))

    thread = threading.Thread(target=probes)
    with served(metrics.registry, ":0") as url:
        thread.start()
        try:
            counts = [
                sum(count for (name, _), count in scraped(url).items() if name == "callsim_calls_total")
                for _ in range(20)
            ]
        finally:
            stop.set()
            thread.join()
    assert counts == sorted(counts)


# ---- what is on it


def test_probe_is_shown() -> None:
    plan = plan_of()
    metrics = metrics_of(plan)
    found = {"pdd_s": 1.2, "setup_s": 2.5, "mos": 4.25, "loss_share": 0.01}
    metrics(probe_of(plan, "atlantic/1", NOW, **found))
    metrics(probe_of(plan, "boreal/1", NOW + 5, passed=False))
    samples = shown(metrics)
    leg = {"test": "echo", "over": "atlantic/1", "location": "berlin"}
    assert value(samples, "callsim_probe_success", **leg) == 1
    assert value(samples, "callsim_probe_success", **{**leg, "over": "boreal/1"}) == 0
    assert value(samples, "callsim_last_probe_timestamp_seconds", **leg) == NOW + 10
    assert value(samples, "callsim_last_mos", **leg) == 4.25
    assert value(samples, "callsim_packet_loss_ratio", **leg) == 0.01
    assert value(samples, "callsim_calls_total", carrier="atlantic", sip_status="200") == 1
    assert value(samples, "callsim_calls_total", carrier="boreal", sip_status="503") == 1
    assert value(samples, "callsim_post_dial_delay_seconds_sum", carrier="atlantic") == 1.2
    assert value(samples, "callsim_setup_seconds_bucket", carrier="atlantic", le="3.0") == 1
    assert value(samples, "callsim_setup_seconds_bucket", carrier="atlantic", le="2.0") == 0
    assert value(samples, "callsim_mos_count", carrier="atlantic") == 1
    assert ("callsim_mos_count", frozenset({("carrier", "boreal")})) not in samples


def test_no_label_has_a_number() -> None:
    plan = plan_of()
    metrics = metrics_of(plan)
    metrics(probe_of(plan, "atlantic/1", NOW))
    assert "2025550100" not in str(shown(metrics))


def test_probe_that_says_nothing_of_the_carrier_leaves_the_last_result() -> None:
    plan = plan_of()
    metrics = metrics_of(plan)
    metrics(probe_of(plan, "atlantic/1", NOW))
    metrics(probe_of(plan, "atlantic/1", NOW + 300, passed=None))
    samples = shown(metrics)
    assert value(samples, "callsim_probe_success", test="echo", over="atlantic/1", location="berlin") == 1
    assert value(samples, "callsim_calls_total", carrier="atlantic", sip_status="none") == 1


def test_tries_before_the_last_are_calls_but_no_result() -> None:
    plan = plan_of()
    metrics = metrics_of(plan)
    failed, good = probe_of(plan, "atlantic/1", NOW, passed=False), probe_of(plan, "atlantic/1", NOW + 20)
    first = replace(failed.entries[0], last=False)
    metrics(replace(good, entries=(first, failed.entries[1], *good.entries)))
    samples = shown(metrics)
    assert value(samples, "callsim_probe_success", test="echo", over="atlantic/1", location="berlin") == 1
    assert value(samples, "callsim_calls_total", carrier="atlantic", sip_status="503") == 1


def test_missed_slots_are_counted_by_reason() -> None:
    plan = plan_of()
    metrics = metrics_of(plan)
    metrics(missed_of(plan, "atlantic/1", NOW, "asleep", 7))
    metrics(missed_of(plan, "boreal/1", NOW, "asleep"))
    samples = shown(metrics)
    assert value(samples, "callsim_probes_missed_total", reason="asleep") == 8
    assert value(samples, "callsim_probes_missed_total", reason="guard") == 0


def test_pings_and_beliefs() -> None:
    metrics = metrics_of(plan_of(routing=ROUTING))
    metrics(PingDone("atlantic/1", "atlantic", NOW, 200, 0.03))
    metrics(PingDone("atlantic/1", "atlantic", NOW, None, None))
    metrics(TrunkBelieved("atlantic/1", "atlantic", False, NOW))
    samples = shown(metrics)
    trunk = {"carrier": "atlantic", "trunk": "atlantic/1"}
    assert value(samples, "callsim_ping_seconds_count", **trunk) == 1
    assert value(samples, "callsim_pings_unanswered_total", **trunk) == 1
    assert value(samples, "callsim_trunk_up", **trunk) == 0
    assert value(samples, "callsim_carrier_up", carrier="atlantic") == 1
    metrics(TrunkBelieved("atlantic/2", "atlantic", False, NOW))
    samples = shown(metrics)
    assert value(samples, "callsim_carrier_up", carrier="atlantic") == 0
    assert value(samples, "callsim_carrier_up", carrier="boreal") == 1


def test_plan_that_is_refused_leaves_the_time_of_the_one_that_holds() -> None:
    metrics = metrics_of(plan_of())
    metrics(Reloaded(ok=False, at=NOW + 60, why="broken"))
    samples = shown(metrics)
    assert value(samples, "callsim_config_last_reload_successful") == 0
    assert value(samples, "callsim_config_last_reload_timestamp_seconds") == NOW
    metrics(Reloaded(ok=True, at=NOW + 120, plan=plan_of()))
    samples = shown(metrics)
    assert value(samples, "callsim_config_last_reload_successful") == 1
    assert value(samples, "callsim_config_last_reload_timestamp_seconds") == NOW + 120


def test_new_plan_takes_away_what_it_no_longer_has() -> None:
    plan = plan_of(routing=ROUTING)
    metrics = metrics_of(plan)
    metrics(probe_of(plan, "atlantic/1", NOW))
    metrics(probe_of(plan, "boreal/1", NOW))
    smaller = plan_of(tests=[{"name": "echo", "to": "+12025550100", "over": "boreal", "every": "5m"}])
    metrics(Reloaded(ok=True, at=NOW + 60, plan=smaller))
    samples = shown(metrics)
    gauges = [labels for (name, labels) in samples if not name.endswith(("_total", "_created"))]
    assert "boreal/1" in str(gauges)
    assert "atlantic/1" not in str(gauges)
    assert not [name for name, _ in samples if name == "callsim_trunk_up"]
    assert [labels for name, labels in samples if name == "callsim_build_info"]


def test_store_that_spools() -> None:
    waiting = [0]
    metrics = metrics_of(plan_of(), waiting=lambda: waiting[0])
    assert value(shown(metrics), "callsim_store_writable") == 1
    waiting[0] = 12
    metrics(KeeperChanged("spooling since 10:00, 12 waiting", NOW))
    samples = shown(metrics)
    assert value(samples, "callsim_store_writable") == 0
    assert value(samples, "callsim_store_spooled_entries") == 12


def test_guard_is_looked_at_now_and_then() -> None:
    looks = [0]

    def used() -> Used:
        looks[0] += 1
        return Used(at_once=1, second=0, hour=10, day=250, minutes=0, spend=0.0, answered=0, short=0)

    metrics = metrics_of(plan_of(), used=used)
    for second in range(31):
        metrics(Ticked(NOW + second))
    assert looks == [3]
    samples = shown(metrics)
    assert value(samples, "callsim_guard_used_ratio", cap="calls_per_day") == 0.25
    assert value(samples, "callsim_guard_used_ratio", cap="at_once") == 0.25
    metrics(Ticked(NOW - 3600))  # the clock was put back
    assert looks == [4]


def test_share_of_each_cap() -> None:
    used = Used(at_once=1, second=1, hour=30, day=50, minutes=60, spend=2.0, answered=40, short=3)
    caps = Caps(
        at_once=4,
        calls_per_second=0.5,
        calls_per_hour=60,
        calls_per_day=100,
        minutes_per_day=240,
        spend_per_day=0.0,
        short_calls_at_most=0.1,
    )
    assert guard_used(used, caps) == {
        "at_once": 0.25,
        "calls_per_second": 1.0,
        "calls_per_hour": 0.5,
        "calls_per_day": 0.5,
        "minutes_per_day": 0.25,
        "spend_per_day": 1.0,
        "short_calls_at_most": 0.75,
    }
    assert guard_used(used, Caps()) == {}


def test_without_a_promise_there_is_no_budget() -> None:
    samples = shown(metrics_of(plan_of()))
    assert math.isnan(value(samples, "callsim_error_budget_remaining_ratio"))
    assert math.isnan(value(samples, "callsim_error_budget_burn_rate", window="1h"))


def test_outage_burns_the_budget() -> None:
    plan = plan_of(sla={"availability": "99.9%"})
    metrics = metrics_of(plan)
    for minute in range(0, 60, 5):
        for over in plan.trunk_names():
            metrics(probe_of(plan, over, NOW + 60 * minute - 10, passed=minute < 30))
    metrics(Ticked(NOW + 3600))
    samples = shown(metrics)
    assert value(samples, "callsim_sla_availability_ratio", window="month") == pytest.approx(0.5)
    assert value(samples, "callsim_error_budget_burn_rate", window="1h") == pytest.approx(500.0)
    assert value(samples, "callsim_error_budget_burn_rate", window="5m") == pytest.approx(1000.0)
    allowed = 0.001 * 31 * 86400
    assert value(samples, "callsim_error_budget_remaining_ratio") == pytest.approx(1 - 1800 / allowed)


def test_leg_of_another_plan_is_not_shown() -> None:
    plan = plan_of()
    metrics = metrics_of(plan)
    metrics(Reloaded(ok=True, at=NOW, plan=plan_of(tests=[])))
    assert leg_of(plan, "atlantic/1").over == "atlantic/1"
    metrics(probe_of(plan, "atlantic/1", NOW))
    assert not [name for name, _ in shown(metrics) if name == "callsim_probe_success"]
