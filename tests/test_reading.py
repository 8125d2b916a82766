"""What is read back from a store: state, month, files, judged terms."""

import csv
import datetime as dt
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from postgres import needs_postgres, server
from reading_cases import DAY, NOW, ONE_TRUNK, PLAN, SLA, call, missed, probed, written
from scipy import stats
from watch_lab import BEGINS, Fault, WatchLab, plan_of

from callsim.agreements.measured import Source, judge_measured
from callsim.cli import main
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.ledgers.from_probes import measured_of
from callsim.plan import load_plan
from callsim.reading import export, export_command, status_command
from callsim.reading.legs import reaches_of, subjects_in
from callsim.reading.looking import look, month_of, sight_of
from callsim.reading.standing import standings
from callsim.reading.tracking import IncidentTracker
from callsim.watching.events import ProbeDone, SlotMissed
from results.incidents import State
from results.ledger import Blame
from results.probes import Series, misses_of
from results.sight import see
from results.store.entries import Incident
from results.store.opening import open_store
from results.verdicts import Verdict
from sla.assessment import Customer

MONTH = dt.datetime(2026, 11, 1, tzinfo=dt.UTC).timestamp()
NOVEMBER = (dt.date(2026, 11, 1), dt.date(2026, 12, 1))
TERMS = """
name: ours
objectives: [{name: availability, at_least: 99.5%}]
credits: [{objective: availability, tiers: [{below: 99.5%, credit: 10%}, {below: 99%, credit: 25%}]}]
"""


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def url_of(store):
    return f"sqlite:///{store.path}"


def fill(store, *parts):
    store.write([entry for part in parts for entry in part])


# ---- faults that are played, from the wire to the store


def test_faults_on_the_lab_are_found_with_bounds_that_hold(store):
    rng, every = np.random.default_rng(4), 60.0
    plan = plan_of(every="1m", trunks=2)
    kinds = rng.choice(["silent", "refuses", "deaf"], 50)
    begins = BEGINS + every * 8 * np.arange(1, 51) + rng.uniform(0, 2 * every, 50)
    long = begins + rng.uniform(2 * every, 4 * every, 50)
    short = begins + 0.5 * every
    faults = [Fault("atlantic", b, e, str(k)) for b, e, k in zip(begins, long, kinds, strict=True)]
    faults += [Fault("boreal", b, e, "refuses") for b, e in zip(begins, short, strict=True)]
    incidents = {}
    tracker = IncidentTracker(plan, "here", lambda *some: incidents.update({one.id: one for one in some}))
    lab = WatchLab(plan, faults, [tracker])
    lab.run(every * 8 * 52)
    for event in lab.events:
        if isinstance(event, ProbeDone | SlotMissed):
            store.write(event.entries)
    whole = look(store, plan, BEGINS, BEGINS + lab.ended).seen.whole
    found = whole["atlantic/1"].outages
    assert len(found) == 50
    for outage, begin, end in zip(found, begins, long, strict=True):
        assert outage.began_earliest <= begin <= outage.began_latest
        assert outage.ended_earliest <= end <= outage.ended_latest
    hits = len(whole["boreal/1"].outages)
    # A slot takes the time from its INVITE to the call's end: what is as short as that is hit no more often.
    assert stats.binomtest(hits, 50, 0.5).pvalue > 6e-5
    told = sorted(one.began_latest for one in incidents.values() if one.subject == "atlantic/1")
    assert told == [outage.began_latest for outage in found]


# ---- several probers


def two_probers(opened, tmp_path):
    """One goes on, the other one died two hours ago."""
    plan = written(tmp_path, "plan.yaml", PLAN + SLA)
    for location, end in (("berlin", NOW), ("oslo", NOW - 7200.0)):
        fill(
            opened,
            *(probed(over, NOW - 2 * DAY, end, location=location) for over in ("atlantic/1", "boreal/1")),
        )
    return plan


def told_of(opened, plan, month=None, now=NOW):
    status = status_command.status_of(opened, plan, month, now)
    return status, status_command.terminal(status, 80)


@pytest.mark.parametrize("where", ["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def test_a_prober_that_died_is_blind_and_that_is_no_outage(where, store, tmp_path):
    if where == "sqlite":
        status, text = told_of(store, two_probers(store, tmp_path))
    else:
        with server() as running, open_store(running.database("two")) as opened:
            status, text = told_of(opened, two_probers(opened, tmp_path))
    assert list(status.blind) == ["oslo"]
    assert "oslo: blind since 09:5" in text
    assert "that is no outage" in text
    whole, oslo = status.looked.seen.whole, status.looked.seen.by_location["oslo"]
    assert {sight.state for sight in whole.values()} == {State.UP}
    assert {sight.state for sight in oslo.values()} == {State.BLIND}
    assert not any(sight.outages for sight in [*whole.values(), *oslo.values()])


def test_outside_its_hours_no_prober_is_blind(store, tmp_path):
    plan = two_probers(store, tmp_path)
    hours = PLAN.replace("every: 10m", "every: 10m, hours: 'Mon-Fri 08:00-11:00'")
    status, text = told_of(store, written(tmp_path, "hours.yaml", hours), now=NOW + 7200.0)
    assert status.blind == {}
    assert "blind" not in text
    later, text = told_of(store, plan, now=NOW + 7200.0)
    assert list(later.blind) == ["berlin", "oslo"]
    assert "not seen" in text


def test_what_was_down_when_it_was_seen_last_is_told(store, tmp_path):
    plan = written(tmp_path, "plan.yaml", ONE_TRUNK)
    fill(store, probed("atlantic/1", NOW - DAY, NOW - 7200.0, [(NOW - 9000.0, NOW)]))
    assert "not seen, was DOWN" in told_of(store, plan)[1]


def test_a_prober_that_never_saw_anything_is_told_too(store, tmp_path):
    plan = two_probers(store, tmp_path)
    fill(store, probed("atlantic/1", NOW, NOW, location="rome"))
    _, text = told_of(store, plan)
    assert "rome: has seen nothing at all; that is no outage." in text


# ---- state and month


def test_status_is_one_screen(store, tmp_path):
    plan = written(tmp_path, "plan.yaml", PLAN + SLA)
    begin = MONTH
    fill(
        store,
        probed("atlantic/1", begin, NOW, [(NOW - 5 * DAY, NOW - 5 * DAY + 3600.0)]),
        probed("boreal/1", begin + 60.0, NOW, [(NOW - 3000.0, NOW)]),
        [missed("boreal/1", NOW - 2 * DAY + 30.0, count=2)],
    )
    status, text = told_of(store, plan)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
    rows = {line.split()[0]: line for line in lines if line}
    assert lines[0] == "night, 2026-11-20 12:00 UTC, seen from berlin"
    assert next(line for line in lines if line.startswith("boreal/1")).endswith("!x  DOWN 11:11")
    assert "Slots without a probe: guard 2." in text
    assert "Promised: 99.5 %, which leaves 3.6 h of the month." in text
    assert rows["atlantic/1:"] == "atlantic/1: MET, 2.4..2.8 h left"
    assert rows["boreal/1:"].startswith("boreal/1: MET, 2.6..2.9 h left")
    by_name = {one.name: one for one in status.standings}
    assert by_name["service"].verdict is Verdict.MET
    assert by_name["atlantic/1"].failed == 6
    assert by_name["atlantic/1"].mos == pytest.approx(4.2)
    told = json.loads(json.dumps(status_command.to_json(status)))
    assert [one["name"] for one in told["subjects"] if one["state"] == "down"] == [
        "echo over boreal/1", "boreal/1", "boreal"
    ]  # fmt: skip
    assert told["missed"] == {"guard": 2}


def test_a_promise_is_broken_once_that_is_proven(store, tmp_path):
    plan = written(tmp_path, "plan.yaml", ONE_TRUNK + SLA)
    fill(store, probed("atlantic/1", MONTH, NOW, [(MONTH + 60.0, MONTH + 5 * 3600.0)]))
    status, text = told_of(store, plan)
    assert "service: BREACHED, none left" in text
    assert status.breached
    result = CliRunner().invoke(main, ["status", str(plan), "--store", url_of(store), "--month", "2026-11"])
    # The clock of this machine is not that of the test: the month may be over, or to come.
    assert result.exit_code in (Exit.BREACHED, Exit.USAGE)


def test_a_promise_is_kept_where_the_probes_are_enough_to_say(store, tmp_path):
    lax = ONE_TRUNK + "sla: {availability: 99%}\n"
    fill(store, probed("atlantic/1", MONTH, NOW))
    status, _ = told_of(store, written(tmp_path, "lax.yaml", lax))
    assert {one.verdict for one in status.standings} == {Verdict.MET}
    strict = ONE_TRUNK + "sla: {availability: 99.99%}\n"
    _, text = told_of(store, written(tmp_path, "strict.yaml", strict))
    assert "too few to say, it takes 29,956" in " ".join(text.split())
    _, none = told_of(store, written(tmp_path, "none.yaml", ONE_TRUNK))
    assert "Promised" not in none


def test_a_month_that_is_over_is_told_whole(store, tmp_path):
    plan = written(tmp_path, "plan.yaml", ONE_TRUNK)
    fill(store, probed("atlantic/1", MONTH - 40 * DAY, MONTH + DAY))
    october = (dt.date(2026, 10, 1), dt.date(2026, 11, 1))
    status, text = told_of(store, plan, october)
    assert "the month, 16 h a mark" in text
    assert status.looked.until == MONTH
    (one,) = [s for s in status.standings if s.name == "service"]
    assert one.seen_share == 1.0
    with pytest.raises(CallsimError, match="still to come"):
        told_of(store, plan, (dt.date(2027, 1, 1), dt.date(2027, 2, 1)))


def test_an_empty_store_says_so(store, tmp_path):
    plan = written(tmp_path, "plan.yaml", PLAN + SLA)
    _, text = told_of(store, plan)
    assert "seen from nowhere" in text
    assert "no probe says anything of it" in text
    result = CliRunner().invoke(main, ["status", "--store", url_of(store)])
    assert "no prober has written into it yet" in result.output
    assert CliRunner().invoke(main, ["status", "--month", "2026-11"]).exit_code == Exit.USAGE


def test_without_a_plan_the_probers_are_listed(store, tmp_path):
    two_probers(store, tmp_path)
    going_on = Incident(id="1" * 32, location="oslo", plan="night", kind="outage", subject="boreal/1",
                        began_earliest=NOW, began_latest=NOW)  # fmt: skip
    over = replace(going_on, id="2" * 32, subject="atlantic/1", ended_earliest=NOW, ended_latest=NOW)
    store.write([going_on, over])
    lines = CliRunner().invoke(main, ["status", "--store", url_of(store)]).output.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["night", "berlin"], ["night", "oslo"]]
    assert lines[1].endswith("none")
    assert lines[2].endswith("boreal/1 outage")


def test_strips_show_what_probes_said(store, tmp_path):
    plan_file = written(tmp_path, "plan.yaml", ONE_TRUNK)
    fill(
        store,
        probed("atlantic/1", NOW - 20 * 3600.0, NOW, [(NOW - 3600.0, NOW), (NOW - 7400.0, NOW - 7000.0)]),
    )
    plan = load_plan(plan_file)
    looked = look(store, plan, MONTH, NOW)
    one = standings(looked, 30 * DAY, (NOW - DAY, NOW))[-1]
    assert one.strip == " " * 8 + "." * 36 + "!.xx"


def test_legs_that_the_plan_has_no_more_are_passed_over(store, tmp_path):
    fill(
        store,
        probed("atlantic/1", NOW - 7200.0, NOW, [(NOW - 3600.0, NOW - 3000.0)]),
        probed("boreal/1", NOW - 7200.0, NOW, [(NOW - 5000.0, NOW)]),
    )
    whole, less = (load_plan(written(tmp_path, "plan.yaml", text)) for text in (PLAN, ONE_TRUNK))
    sights = [look(store, plan, MONTH, NOW).seen.whole["atlantic/1"] for plan in (whole, less)]
    assert [vars(outage) for outage in sights[0].outages] == [vars(outage) for outage in sights[1].outages]
    assert len(sights[1].outages) == 1


def test_hours_that_are_steady_are_not_read_and_what_is_found_is_the_same(store, tmp_path):
    plan, rng = load_plan(written(tmp_path, "plan.yaml", PLAN)), np.random.default_rng(8)
    for location in ("berlin", "oslo"):
        for over in ("atlantic/1", "boreal/1"):
            begins = NOW - rng.uniform(0, 18 * DAY, 6)
            faults = [(begin, begin + rng.uniform(0, 7200)) for begin in begins]
            entries = probed(over, MONTH - 2 * DAY, NOW - rng.uniform(0, DAY), faults, location)
            lost = set(rng.choice(len(entries) - 1, 8, replace=False).tolist())
            gaps = [missed(over, entries[n].due_at, location=location) for n in lost]
            dead = rng.integers(0, len(entries) - 100)
            lost |= set(range(dead, dead + 40))
            fill(store, [one for n, one in enumerate(entries) if n not in lost], gaps)
    fast = look(store, plan, MONTH, NOW)
    every = store.probes("night")
    assert len(fast.probes) < 0.5 * len(every)
    misses = misses_of(
        (Series(one.location, one.test, one.over), one.due_at, one.count) for one in store.missed("night")
    )
    reaches = reaches_of(plan, ["berlin", "oslo"])
    slow = see(every, misses, lambda legs: subjects_in(plan, legs), reaches, MONTH, NOW)
    for one, other in [
        (fast.seen.whole, slow.whole),
        *((fast.seen.by_location[where], slow.by_location[where]) for where in ("berlin", "oslo")),
    ]:
        for name, sight in one.items():
            assert [vars(outage) for outage in sight.outages] == [vars(o) for o in other[name].outages]
            assert sight.unknown.start.tolist() == other[name].unknown.start.tolist()
            assert sight.unknown.end.tolist() == other[name].unknown.end.tolist()
            assert sight.state is other[name].state
    assert {w: list(map(vars, some)) for w, some in fast.seen.blind.items()} == {
        w: list(map(vars, some)) for w, some in slow.blind.items()
    }
    told = {one.name: (one.told, one.failed) for one in standings(fast, 30 * DAY, (NOW - DAY, NOW))}
    here = every.rows(every.started >= MONTH)
    assert told["service"] == (len(here), int((here.passed == 0).sum()))


# ---- terms judged on probes


def judged(store, tmp_path, faults, capsys, subject="atlantic", span=NOVEMBER, until=NOW):
    plan, terms = written(tmp_path, "plan.yaml", ONE_TRUNK), written(tmp_path, "terms.yaml", TERMS)
    fill(store, probed("atlantic/1", MONTH - 3600.0, until, faults))
    out = tmp_path / "answer.json"
    source = Source(url_of(store), plan, subject)
    code = judge_measured(terms, source, span, Customer(), str(out), NOW)
    return code, json.loads(out.read_text("utf-8")), " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("hours", "code", "credits"),
    [(1.0, Exit.MET, [0, 0]), (2.2, Exit.INCONCLUSIVE, [0, 0.1]), (4.0, Exit.BREACHED, [0.1, 0.1])],
)
def test_terms_are_judged_on_what_is_proven(hours, code, credits, store, tmp_path, capsys):
    begin = MONTH + DAY
    found, answer, text = judged(store, tmp_path, [(begin, begin + hours * 3600.0)], capsys)
    assert found == code
    assert [answer[which]["credit"]["share"] for which in ("shortest", "longest")] == credits
    shortest, longest = (answer[which]["downtime_s"] for which in ("shortest", "longest"))
    assert shortest < hours * 3600.0 < longest
    assert longest - shortest == pytest.approx(2 * 600.0 + 13.0 + 2.0, abs=1.0)
    assert "This is what the probes prove" in text
    assert "The time is not over yet" in text


def test_what_is_unknown_may_have_been_down(store, tmp_path, capsys):
    code, answer, text = judged(store, tmp_path, [], capsys, until=NOW - 10 * DAY)
    assert code is Exit.INCONCLUSIVE
    assert answer["shortest"]["availability"]["gross"] == 1.0
    assert answer["longest"]["availability"]["gross"] < 0.67
    assert answer["unknown_s"] == pytest.approx(10 * DAY, rel=0.01)
    assert "Nothing is known of 10 d" in text


def test_what_cannot_be_judged_is_said(store, tmp_path, capsys):
    with pytest.raises(CallsimError, match="cirrus: not probed; there are echo over atlantic/1"):
        judged(store, tmp_path, [], capsys, subject="cirrus")
    with pytest.raises(CallsimError, match="still to come"):
        judged(store, tmp_path, [], capsys, span=(dt.date(2027, 1, 1), dt.date(2027, 2, 1)))
    with pytest.raises(CallsimError, match="no probe tells of atlantic"):
        judged(store, tmp_path, [], capsys, span=(dt.date(2026, 1, 1), dt.date(2026, 2, 1)))


def test_the_ledger_blames_the_provider_and_says_when_it_was_noticed(store, tmp_path):
    plan = load_plan(written(tmp_path, "plan.yaml", ONE_TRUNK))
    fill(store, probed("atlantic/1", MONTH, NOW, [(MONTH + DAY, MONTH + DAY + 3600.0)]))
    found = measured_of(sight_of(look(store, plan, MONTH, NOW).seen, "atlantic"))
    for ledger in (found.shortest, found.longest):
        assert ledger.outages.cause_sets[0][0].blame is Blame.PROVIDER
        assert ledger.outages.detected.tolist() == [MONTH + DAY + 2.0]
    assert month_of(plan, None, NOW) == (MONTH, MONTH + 30 * DAY)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "give a record, or --plan"),
        (["a.csv", "--plan", "p.yaml"], "give a record, or --plan"),
        (["a.csv", "--over", "atlantic"], "--over goes with --plan"),
        (["--plan", "p.yaml", "--against", "b.csv"], "go with a record"),
    ],
)
def test_a_record_or_a_plan_is_judged(arguments, why):
    result = CliRunner().invoke(main, ["sla", "assess", "terms.yaml", *arguments])
    assert result.exit_code == Exit.USAGE
    assert why in result.output


# ---- files


def exported(store, tmp_path, what, to, out=None):
    plan = written(tmp_path, "plan.yaml", ONE_TRUNK)
    out = out or str(tmp_path / f"out.{to}")
    assert export_command.export(plan, url_of(store), what, to, out, None, NOW) is Exit.MET
    return tmp_path / f"out.{to}"


def table_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


@pytest.fixture
def kept(store):
    fill(store, probed("atlantic/1", NOW - 7200.0, NOW, [(NOW - 4000.0, NOW - 1900.0)]))
    store.write(
        [call("atlantic/1", NOW - 1.0, None, checks=({"expect": "status"},), reason='a "quoted", one')]
    )
    return store


def test_calls_are_written_as_csv_and_json(kept, tmp_path):
    rows = table_of(exported(kept, tmp_path, "calls", "csv"))
    assert len(rows) == 13
    assert rows[0]["started_at"] == "2026-11-20T10:00:00.000Z"
    assert (rows[0]["passed"], rows[-1]["passed"], rows[0]["q850"]) == ("yes", "", "")
    assert (rows[-1]["reason"], rows[-1]["checks"]) == ('a "quoted", one', '[{"expect": "status"}]')
    told = json.loads(exported(kept, tmp_path, "calls", "json").read_text("utf-8"))
    assert [one["id"] for one in told] == [row["id"] for row in rows]
    assert told[-1]["checks"] == [{"expect": "status"}]
    assert json.loads(exported(kept, tmp_path, "incidents", "json").read_text("utf-8")) == []


def test_calls_are_written_as_parquet(kept, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(exported(kept, tmp_path, "calls", "parquet"))
    assert table.num_rows == 13
    assert table["started_at"][0].as_py() == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert table["mos"][0].as_py() == 4.2
    assert table["passed"][12].as_py() is None


def test_outages_are_written_with_their_bounds(kept, tmp_path):
    rows = table_of(exported(kept, tmp_path, "outages", "csv"))
    whole = [row for row in rows if not row["location"]]
    assert [row["subject"] for row in whole] == ["echo over atlantic/1", "atlantic/1", "atlantic", "service"]
    assert whole[0]["began_earliest"] == "2026-11-20T10:50:00.000Z"
    assert whole[0]["ended_latest"] == "2026-11-20T11:30:13.000Z"
    assert len(rows) == len(whole), "a location by itself is all that there is"


def test_rows_go_by_without_being_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "BLOCK", 100)
    alive = most = 0

    class Row(dict):
        def __del__(self):
            nonlocal alive
            alive -= 1

    def rows():
        nonlocal alive, most
        for number in range(5000):
            alive += 1
            most = max(most, alive)
            yield Row(n=number, t=None)

    columns = {"n": "whole", "t": "time"}
    for to in ("csv", "json", "parquet"):
        assert export.write(rows(), columns, to, str(tmp_path / f"rows.{to}")) == 5000
    assert most <= 210


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    def broken():
        yield {"n": 1}
        raise RuntimeError("gone")

    target = written(tmp_path, "rows.csv", "before")
    with pytest.raises(RuntimeError):
        export.write(broken(), {"n": "whole"}, "csv", str(target))
    assert target.read_text("utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    with pytest.raises(CallsimError, match="is a directory"):
        export.write([], {"n": "whole"}, "csv", str(tmp_path))
    with pytest.raises(CallsimError, match="give --out FILE"):
        export.write([], {"n": "whole"}, "parquet", "-")
    with pytest.raises(CallsimError, match="cannot be written"):
        export.write([], {"n": "whole"}, "json", str(tmp_path / "no" / "where.json"))


def test_stdout_gets_rows_alone(kept, tmp_path):
    plan = written(tmp_path, "plan.yaml", ONE_TRUNK)
    result = CliRunner().invoke(main, ["export", str(plan), "--store", url_of(kept)])
    assert result.exit_code == Exit.MET
    assert len(list(csv.reader(io.StringIO(result.stdout)))) == 14
