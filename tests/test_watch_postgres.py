"""The prober while its PostgreSQL is away for a minute."""

import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise

import pytest
from postgres import needs_postgres, server
from test_watch_command import LAB

from results.store.opening import open_store

AWAY = 60.0
EVERY = 4.0
SOON = 100.0
CAPS = {"calls_per_hour": 5000, "calls_per_day": 50000, "minutes_per_day": 50000, "spend_per_day": 900}


def slots_of(url):
    """Due times of probes, by leg, with those of slots that were missed."""
    with open_store(url) as store:
        probes = store.probes("lab")
        legs = [probes.of[number].over for number in probes.series.tolist()]
        found = list(zip(legs, probes.due.tolist(), strict=True))
        for one in store.missed("lab"):
            found += [(one.over, one.due_at + n * EVERY) for n in range(one.count)]
        assert store.check() == []
    return Counter((over, round(due, 3)) for over, due in found)


def until(done):
    """Wait for it."""
    ends = time.monotonic() + SOON
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.5)


@needs_postgres
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")
def test_probes_go_on_while_postgres_is_away_and_land_once(tmp_path, monkeypatch):
    pytest.importorskip("pjsua2")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    plan = tmp_path / "plan.yaml"
    plan.write_text(LAB.read_text().replace("every: 1m", f"every: {EVERY:g}s"))
    words = [word for cap, most in CAPS.items() for word in ("--set", f"guard.{cap}={most}")]
    words += ["--set", "guard.at_once=4", "--set", "routing.ring_timeout=1s"]
    with server() as cluster:
        url = cluster.database("one")
        words = ["watch", str(plan), "--lab", "--location", "here", "--store", url, *words]
        with subprocess.Popen(
            [sys.executable, "-m", "callsim", *words], stdout=subprocess.PIPE, text=True
        ) as running:
            try:
                until(lambda: slots_of(url))
                cluster.stop("immediate")
                went = time.time()
                time.sleep(AWAY)
                cluster.start()
                came = time.time()
                until(lambda: max(due for _, due in slots_of(url)) > came)
                running.send_signal(signal.SIGTERM)
                said = running.communicate(timeout=SOON)[0]
            finally:
                running.kill()
        slots = slots_of(url)
    assert running.returncode == 0
    assert set(slots.values()) == {1}, "a slot landed twice"
    legs = {over for over, _ in slots}
    assert len(legs) == 2
    for leg in legs:
        dues = sorted(due for over, due in slots if over == leg)
        assert [b - a for a, b in pairwise(dues)] == pytest.approx([EVERY] * (len(dues) - 1))
        assert sum(went < due < came for due in dues) >= AWAY / EVERY - 1
    assert "spool" in said
