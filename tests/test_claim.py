"""What can be claimed, and the folder that shows it."""

import csv
import datetime as dt
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from claim_cases import (
    DAY,
    END,
    HOSTILE,
    HOUR,
    MONTH,
    NOW,
    OCTOBER,
    PLAN,
    TERMS,
    at,
    gaps,
    missed,
    plan_document,
    probed,
)
from click.testing import CliRunner

from callsim.agreements.sla_judging import Record, judge
from callsim.claiming import claim_command, folder
from callsim.claiming.claim import counted
from callsim.claiming.reckoning import Asked
from callsim.cli import main
from callsim.errors import CallsimError, ScenarioError, WriteError
from callsim.exits import Exit
from results.store.entries import Trace
from results.store.opening import open_store
from sla.assessment import Customer

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = sorted((ROOT / "scenarios" / "slas").glob("*.yaml"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SHA256SUM = shutil.which("sha256sum")
FAULTS = [(at(2, 3), at(2, 4, 30)), (at(9, 14, 5), at(9, 14, 12)), (at(14, 9), at(14, 11, 45)),
          (at(20, 1), at(20, 6))]  # fmt: skip
UNSEEN = [(at(11, 0), at(11, 9)), (at(14, 9, 50), at(14, 10, 30))]


def write_month(opened, faults=FAULTS, unseen=UNSEEN, until=END + 2 * HOUR, **more):
    opened.write(gaps(probed("atlantic/1", MONTH - 2 * HOUR, until, faults, **more), unseen))
    opened.write(probed("boreal/1", MONTH - 2 * HOUR + 60.0, until))


def write_week(opened, faults, location="berlin", other=(), **more):
    """Write fewer probes, where it does not matter that the rest of the month is unseen."""
    opened.write(probed("atlantic/1", at(4, 0), at(10, 0), faults, location, **more))
    opened.write(probed("boreal/1", at(4, 0) + 60.0, at(10, 0), other, location))


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The URL of a store with one month, which no test writes to."""
    url = f"sqlite:///{tmp_path_factory.mktemp('month') / 'store.db'}"
    with open_store(url) as opened:
        write_month(opened)
        opened.write(
            [missed("atlantic/1", at(14, 10), count=4), missed("atlantic/1", at(11, 1), "asleep", 48)]
        )
        opened.write([plan_document()])
    return url


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


@pytest.fixture
def claims(tmp_path, monkeypatch, capsys):
    """Makes claims in a folder of their own, and gives the exit code, the JSON, the text, the folder."""
    monkeypatch.chdir(tmp_path)

    def made(url, terms=TERMS, plan=PLAN, subject="atlantic", out="out", now=NOW, span=OCTOBER, **more):
        for name, text in (("terms.yaml", terms), ("plan.yaml", plan)):
            if not isinstance(text, Path):
                Path(name).write_text(text, "utf-8")
        tickets = more.pop("tickets", None)
        if tickets is not None:
            Path("given.csv").write_text(tickets, "utf-8")
        asked = Asked(
            terms if isinstance(terms, Path) else Path("terms.yaml"),
            Path("plan.yaml"),
            subject,
            span,
            Customer(fee=more.pop("fee", 4200.0), **more),
            "Example GmbH",
            None if tickets is None else Path("given.csv"),
        )
        capsys.readouterr()
        code = claim_command.claim(asked, url, out and Path(out), "answer.json", now)
        text = " ".join(capsys.readouterr().out.split())
        return code, json.loads(Path("answer.json").read_text("utf-8")), text

    return made


def url_of(store):
    return f"sqlite:///{store.path}"


def rows_of(path):
    return list(csv.DictReader(io.StringIO(Path(path).read_text("utf-8"), newline="")))


def objected(answer):
    return {one["name"]: one for one in answer["objections"]}


# ---- what is claimed


def test_what_is_proven_is_claimed_outage_by_outage(month, claims):
    code, answer, text = claims(month)
    assert code is Exit.MET
    assert answer["standing"] == "proven"
    assert text.startswith(
        "CLAIM: Example GmbH claims from Atlantic Ltd. a credit of 1,050.00 USD (25 % of 4,200.00 USD) for "
        "2026-10 under ours, because availability of atlantic was 98.92632 %, where at least 99.9 % is "
        "promised (credits for availability, terms.yaml:7)."
    )
    assert "Claim it by 2026-12-01 00:00 (Europe/Berlin): 25 days are left." in text
    certain = [one["certain_s"] for one in answer["outages"]]
    # From the end of the first failed probe to the start of the last, without what no probe tells of.
    assert certain == [4798.0, 0.0, 6600.0, 17398.0]
    assert [one["claimed_s"] for one in answer["outages"]] == certain
    assert sum(certain) == pytest.approx(answer["shortest"][0]["downtime_s"], abs=0.01)
    assert answer["credit"]["amount"] == 1050.0
    assert answer["outages"][0]["began_earliest"] == "2026-10-02T00:50:00.000Z"
    assert answer["outages"][0]["ended_latest"] == "2026-10-02T02:30:13.000Z"
    assert answer["days_left"] == pytest.approx(25.458, abs=0.001)


def test_probes_show_each_outage(month, claims):
    _, answer, _ = claims(month)
    roles = [one["role"] for one in answer["outages"][0]["probes"]]
    assert roles == ["last good", *["failed"] * 9, "first good"]
    assert answer["outages"][2]["missed"] == {"guard": 4}
    rows = rows_of("out/probes.csv")
    assert len(rows) == sum(len(one["probes"]) for one in answer["outages"])
    failed = next(row for row in rows if row["role"] == "failed")
    assert (failed["sip_status"], failed["started_at"]) == ("503", "2026-10-02T01:00:00.000Z")
    assert failed["sip_call_id"] in Path("out", failed["trace"]).read_text("utf-8")
    assert not any(row["trace"] for row in rows if row["role"] != "failed")


@pytest.mark.parametrize(
    ("faults", "code", "standing", "shares"),
    [
        ([(at(5, 3), at(5, 4, 30))], Exit.MET, "proven", (0.1, 0.1)),
        ([(at(5, 3), at(5, 3, 45))], Exit.INCONCLUSIVE, "possible", (0.0, 0.1)),
        ([(at(5, 3), at(5, 3, 8))], Exit.MET, "nothing", (0.0, 0.0)),
    ],
)
def test_the_standing_follows_from_both_bounds(faults, code, standing, shares, store, claims):
    write_month(store, faults, [])
    found, answer, text = claims(url_of(store), out=None)
    assert (found, answer["standing"]) == (code, standing)
    assert (answer["credit"]["share"], answer["credit"]["share_longest"]) == shares
    folders = list(Path("claims").glob("*")) if Path("claims").exists() else []
    assert [path.name for path in folders] == ([] if standing == "nothing" else ["ours-atlantic-2026-10"])
    assert {"proven": "CLAIM:", "possible": "NOT PROVEN:", "nothing": "NOTHING:"}[standing] in text
    assert standing != "nothing" or claims(url_of(store), out="asked")[0] is code
    assert standing != "nothing" or Path("asked/claim.html").is_file()


def test_where_next_to_nothing_was_seen_there_is_nothing_to_claim_on(store, claims):
    store.write(probed("atlantic/1", at(5, 3), at(5, 4)))
    code, answer, text = claims(url_of(store), out=None)
    assert (code, answer["standing"]) == (Exit.INCONCLUSIVE, "possible")
    assert re.match(
        r"NOT PROVEN: \d+ min of 2026-10 were seen \(0\.1 %\), 31 d were not: too little to claim on\. ", text
    )
    assert text.index("too little") < text.index("1,050.00 USD (25 % of 4,200.00 USD) be due")
    assert "No folder is written, since there is nothing to claim on; --out DIR writes one" in text
    assert "Claim it by" not in text
    assert "could object" not in text
    assert not Path("claims").exists()
    claims(url_of(store))
    page = Path("out/claim.html").read_text("utf-8")
    assert "<h1>Nothing to claim on: 2026-10</h1>" in page
    assert "traces/" not in page
    assert "comes to no credit either" in page
    assert 'class="met"' not in page


def test_how_much_was_seen_comes_before_what_is_not_proven_and_after_what_is(store, claims):
    write_week(store, [(at(5, 3), at(5, 3, 45))])
    _, answer, text = claims(url_of(store), out=None)
    assert answer["standing"] == "possible"
    assert text.startswith(
        "NOT PROVEN: 6.0 d of 2026-10 were seen (19.3 %), 25 d were not. Nothing is proven"
    )
    assert "Claim it by" in text
    assert Path("claims/ours-atlantic-2026-10").is_dir()
    strict = TERMS.replace("99.9%", "99.99%")
    _, answer, text = claims(url_of(store), strict)
    assert answer["standing"] == "proven"
    assert text.index("6.0 d of 2026-10 were seen") < text.index("it would be")
    assert "<p>6.0 d of 2026-10 were seen" in Path("out/claim.html").read_text("utf-8")


def test_what_a_record_of_calls_does_not_cover_says_what_it_takes(month, claims):
    _, answer, text = claims(month, TERMS.replace("provider:", "scope: api\nprovider:"))
    assert answer["standing"] == "unknown"
    assert "the record does not cover api" in text
    assert "of that it takes an outage record (callsim sla assess)" in text
    page = Path("out/claim.html").read_text("utf-8")
    assert "<h1>Whether a credit is due is not known: 2026-10</h1>" in page
    assert "No rule of credits was judged" in page
    assert '<td>credit</td><td class="n">not known</td>' in page
    assert "Checked:" not in page


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 days are"), (1, "1 day is"), (2, "2 days are"), (1200, "1,200 days are")],
)
def test_one_is_no_plural(count, told):
    assert counted(count, "day is", "days are") == told


def test_one_probe_and_one_hour_are_told_as_one(store, claims):
    write_week(store, [(at(5, 3), at(5, 3, 8))], outcome="answered", sip_status=200)
    store.write([missed("atlantic/1", at(6, 3), "own_network", 1)])
    plan = PLAN + 'own_network: ["192.0.2.1:443"]\n'
    _, answer, text = claims(url_of(store), plan=plan, now=END + 30 * DAY - 1.5 * HOUR)
    found = objected(answer)
    assert "1 hour is left" in text
    assert "1 slot was lost to it" in found["own_network"]["says"]
    assert found["answered"]["says"].startswith(
        "1 of the probes that failed was answered, so service was up: it "
    )


def test_what_is_not_over_can_only_grow(month, claims):
    now = at(21, 12)
    code, answer, text = claims(month, now=now)
    assert code is Exit.MET
    assert "for 2026-10, which is not over, under ours" in text
    assert answer["shortest"][0]["downtime_s"] == pytest.approx(28796.0)
    whole = claims(month)[1]
    assert answer["credit"]["share"] == whole["credit"]["share"]
    assert objected(answer)["not_over"]["open"] is False
    with pytest.raises(CallsimError, match="2026-10-01 is still to come"):
        claims(month, now=MONTH - DAY)


def test_what_cannot_be_claimed_on_is_said(month, claims):
    with pytest.raises(CallsimError, match="cirrus: not probed; there are echo over atlantic/1"):
        claims(month, subject="cirrus")
    with pytest.raises(CallsimError, match="no probe tells of atlantic in 2026-05"):
        claims(month, span=(dt.date(2026, 5, 1), dt.date(2026, 6, 1)))
    cycle = TERMS.replace("{timezone", "{window: {billing_cycle: 15}, timezone")
    with pytest.raises(CallsimError, match=r"no whole billing month lies in 2026-10, .* --from and --to"):
        claims(month, cycle)
    days = (dt.date(2026, 9, 15), dt.date(2026, 10, 15))
    _, answer, _ = claims(month, cycle, span=days)
    assert answer["period"] == "2026-09-15-to-2026-10-14"
    assert answer["shortest"][0]["downtime_s"] == pytest.approx(4798.0 + 6600.0)
    none = TERMS[: TERMS.index("credits:")]
    code, _, text = claims(month, none)
    assert code is Exit.MET
    assert "There is nothing to claim for 2026-10: ours promises no credit." in text


def test_an_outage_counts_in_the_month_it_lies_in_and_while_it_goes_on(store, claims):
    write_month(store, [(MONTH - HOUR, MONTH + HOUR), (END - 2 * HOUR, END + 9 * HOUR)], [])
    _, answer, _ = claims(url_of(store))
    first, last = answer["outages"]
    assert first["began_latest"] < "2026-09-30T22" < first["ended_latest"]
    assert first["certain_s"] == pytest.approx(HOUR - 600.0)
    assert last["ended_latest"] is None
    assert last["certain_s"] == pytest.approx(2 * HOUR - 602.0)
    assert objected(answer)["open_ended"]["outages"] == [2]


# ---- what terms say


def test_a_least_length_holds_for_what_is_certain(month, claims):
    terms = TERMS.replace("measured: {", "measured: {min_outage: 85m, ")
    _, answer, _ = claims(month, terms)
    says = [one["terms_say"] for one in answer["outages"]]
    assert says[0] == [
        "Shorter than the least length that counts, 1h25m, as far as it is certain (1h19m58s): nothing of it "
        "is claimed; it can have lasted 1h40m13s, which would be enough."
    ]
    assert answer["outages"][0]["claimed_s"] == 0.0
    assert says[3] == ["Nothing excludes it: 4h49m58s are claimed, with the least length of 1h25m reached."]
    assert answer["outages"][2]["claimed_s"] == pytest.approx(6600.0), "one outage, with unknown time in it"
    long = TERMS.replace("measured: {", "measured: {min_outage: 3h, ")
    says = claims(month, long)[1]["outages"][0]["terms_say"]
    assert says[0].endswith("it can have lasted 1h40m13s, too little too.")


def test_announced_work_is_taken_out_and_said(month, claims):
    tickets = (
        "start,end,cause,notice_given\n"
        "2026-10-20T02:00:00+02:00,2026-10-20T04:00:00+02:00,maintenance,2026-10-10T00:00:00Z\n"
        "2026-10-02T02:00:00+02:00,2026-10-02T09:00:00+02:00,maintenance,2026-10-01T00:00:00Z\n"
        "2026-10-28T02:00:00+01:00,2026-10-28T09:00:00+01:00,,\n"
    )
    _, answer, _ = claims(month, tickets=tickets)
    outage = answer["outages"][3]
    assert outage["excluded"] == [
        {
            "start": "2026-10-20T00:00:00.000Z",
            "end": "2026-10-20T02:00:00.000Z",
            "reason": "maintenance, told 7d before",
        }
    ]
    assert outage["claimed_s"] == pytest.approx(17398.0 - 7200.0)
    assert outage["terms_say"][0] == "2h of it are excluded: maintenance, told 7d before."
    assert answer["outages"][0]["claimed_s"] == 4798.0, "told too late"
    page = Path("out/claim.html").read_text("utf-8")
    assert "maintenance is excluded only where the customer was told 7d before: it was not." in page
    assert objected(answer)["unmatched"]["says"].endswith("saw: 1 (2026-10-28 02:00:00).")
    assert objected(answer)["excluded"]["open"] is False
    assert Path("out/tickets.csv").read_text("utf-8") == tickets


def test_terms_that_count_from_a_ticket_need_it(month, claims):
    terms = TERMS.replace("measured: {", "measured: {clock: {from: ticket_opened}, ")
    code, answer, text = claims(month, terms)
    assert (code, answer["standing"]) == (Exit.INCONCLUSIVE, "unknown")
    assert "cannot be told" in text
    assert "the clock needs ticket_opened, which the record does not have" in text
    assert objected(answer)["ticket"]["answer"].startswith("To be supplied")
    tickets = (
        "start,end,ticket_opened\n"
        "2026-10-20T01:00:00+02:00,2026-10-20T02:00:00+02:00,2026-10-20T03:00:00+02:00\n"
    )
    code, answer, _ = claims(month, terms, tickets=tickets)
    assert (code, answer["standing"]) == (Exit.MET, "proven")
    assert [one["claimed_s"] for one in answer["outages"]] == [0.0, 0.0, 0.0, pytest.approx(10200.0)]
    assert answer["outages"][3]["terms_say"][0] == (
        "2h50m count of its certain 4h49m58s: the terms count from the ticket's opening to its end."
    )
    assert "ticket" not in objected(answer)


def test_only_outages_with_a_ticket_can_be_claimed_where_terms_say_so(month, claims):
    terms = TERMS.replace("claims: {", "claims: {ticket: true, ")
    _, answer, _ = claims(month, terms)
    assert objected(answer)["ticket"]["open"] is True
    tickets = (
        "start,end,ticket_opened\n"
        "2026-10-02T03:00:00+02:00,2026-10-02T04:00:00+02:00,2026-10-02T03:30:00+02:00\n"
    )
    _, answer, _ = claims(month, terms, tickets=tickets)
    assert [one["claimed_s"] for one in answer["outages"]] == [4798.0, 0.0, 0.0, 0.0]
    assert answer["outages"][3]["terms_say"][-1].startswith("It cannot be claimed: no ticket is known")
    assert answer["credit"]["share"] == 0.1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("start,end,restored\n", r"given.csv:1: restored: does nothing here, since the probes tell it"),
        ("start,end,failing_calls\n", r"given.csv:1: failing_calls: does nothing here"),
        ("start,end,cause\n2026-10-02T03:00:00Z,,weather\n", r"given.csv:2: cause: 'weather' is no class"),
    ],
)
def test_what_is_wrong_with_tickets_is_said_by_line(text, why, month, claims):
    with pytest.raises(ScenarioError, match=why):
        claims(month, tickets=text)
    assert not Path("out").exists()


# ---- the deadline


def test_a_deadline_that_is_past_is_said_loudly(month, claims):
    _, answer, text = claims(month, now=END + 32 * DAY)
    assert "TOO LATE: it had to be claimed by 2026-12-01 00:00 (Europe/Berlin), 2.0 days ago." in text
    assert answer["days_left"] == pytest.approx(-2.0, abs=0.01)
    assert answer["objections"][0]["name"] == "too_late"
    assert 'class="by late"' in Path("out/claim.html").read_text("utf-8")


def test_where_each_outage_has_its_own_time_those_that_are_past_are_named(month, claims):
    terms = TERMS.replace("within: 30d", "within: 30d, after: incident")
    _, answer, text = claims(month, terms, now=at(14, 0) + 30 * DAY)
    assert "TOO LATE for outage 1. Claim outage 3 by 2026-11-13 10:40 (Europe/Berlin)" in text
    assert [one["claim_by"] for one in answer["outages"]][1] is None
    assert objected(answer)["too_late"]["outages"] == [1]


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("{automatic: true}", "It is credited without a claim; compare the bill."),
        ("{automatic: false}", "It has to be claimed; the terms set no time limit."),
    ],
)
def test_without_a_deadline_that_is_said(claim, told, month, claims):
    terms = re.sub(r"claims: .*", f"claims: {claim}", TERMS)
    _, answer, text = claims(month, terms)
    assert told in text
    assert answer["claim_by"] is None


# ---- what can be objected


def test_one_place_one_number_and_no_other_trunk_is_open(store, claims):
    busy = {"clock_offset_s": None, "outcome": "busy", "sip_status": 486}
    store.write(probed("atlantic/1", at(4, 0), at(10, 0), [(at(5, 3), at(5, 4, 30))], **busy))
    plan = PLAN.replace("[atlantic, boreal]", "[atlantic]")
    _, answer, text = claims(url_of(store), plan=plan)
    found = objected(answer)
    names = ("single_location", "own_network", "one_number", "called_side_status", "clock", "excluded")
    assert all(found[name]["open"] for name in names)
    assert "486 (9)" in found["called_side_status"]["says"]
    assert found["other_plan"]["open"] is False
    # Open ones first, as they are on the screen.
    opened = [one["open"] for one in answer["objections"]]
    assert opened == sorted(opened, reverse=True)
    assert "nothing here answers" in text


def test_other_trunks_and_other_places_answer(month, claims):
    _, answer, _ = claims(month)
    found = objected(answer)
    assert not any(found[name]["open"] for name in ("single_location", "own_network", "one_number"))
    assert answer["outages"][0]["good_over_other_trunks"] == 8
    assert "other_plan" not in found, "the store has the plan as it is"
    assert found["between_probes"]["says"].startswith("Between two failed probes nobody looked, for up to 10")
    assert found["missed"]["outages"] == [3]
    short = TERMS.replace("measured: {", "measured: {min_outage: 2m, ")
    found = objected(claims(month, short)[1])
    assert found["between_probes"]["open"] is True
    assert "2.0 min that count" in found["between_probes"]["says"]
    assert found["cadence"]["says"].startswith("Probes come every 10 min, outages count from 2.0 min on")


def test_few_probes_an_answered_call_and_a_clock_that_is_off_are_said(store, claims):
    checks = ({"expect": "mos_at_least", "wanted": "3.8", "found": "2.1", "kept": False},)
    more = {"outcome": "answered", "sip_status": 200, "checks": checks, "clock_offset_s": 2.5}
    write_week(store, [(at(5, 3), at(5, 3, 20))], **more)
    strict = TERMS.replace("99.9%", "99.99%")
    _, answer, _ = claims(url_of(store), strict)
    found = objected(answer)
    assert found["few_probes"]["open"] is True
    assert found["answered"]["says"] == (
        "2 of the probes that failed were answered, so service was up: they failed by mos_at_least."
    )
    assert found["clock_offset"]["says"] == "The prober's clock was off by up to 2.5 s."
    assert "mos_at_least: wanted 3.8, found 2.1" in Path("out/claim.html").read_text("utf-8")


def test_whose_record_counts_is_said(month, claims):
    theirs = TERMS.replace("measured_by: customer", "disputes: lower").replace(", evidence: customer", "")
    found = objected(claims(month, theirs)[1])
    assert found["whose_record"]["open"] is False, "where they differ the lower counts"
    assert found["evidence"]["open"] is True
    assert "whose_record" not in objected(claims(month)[1])


@pytest.mark.parametrize(
    ("measured", "evidence", "whose", "open_", "needs"),
    [
        (
            ", measured_by: provider",
            ", evidence: customer",
            "By the terms the record of the provider",
            True,
            None,
        ),
        (
            "",
            "",
            "The terms do not say who measures; the provider's record is usual",
            True,
            "do not say whose",
        ),
        ("", ", evidence: customer", "The terms do not say who measures", False, None),
        (
            "",
            ", evidence: provider",
            "The terms do not say who measures",
            True,
            "take the record of the provider",
        ),
    ],
)
def test_what_terms_do_not_say_is_no_word_of_theirs(measured, evidence, whose, open_, needs, month, claims):
    terms = TERMS.replace(", measured_by: customer", measured).replace(", evidence: customer", evidence)
    found = objected(claims(month, terms)[1])
    assert found["whose_record"]["says"].startswith(whose)
    assert found["whose_record"]["open"] is open_
    assert ("evidence" in found) == (needs is not None)
    assert needs is None or needs in found["evidence"]["says"]


def test_own_network_is_taken_out_and_said(store, claims):
    write_week(store, [(at(5, 3), at(5, 5))])
    store.write([missed("atlantic/1", at(6, 3), "own_network", 2)])
    plan = PLAN + 'own_network: ["192.0.2.1:443"]\n'
    found = objected(claims(url_of(store), plan=plan)[1])
    assert found["own_network"]["open"] is False
    assert "2 slots were lost to it" in found["own_network"]["says"]


def test_what_only_one_place_saw_of_all_trunks_is_its_own_matter(store, claims):
    fault, own = (at(5, 3), at(5, 6)), (at(8, 3), at(8, 6))
    write_week(store, [fault])
    write_week(store, [fault, own], "oslo", [own])
    _, answer, _ = claims(url_of(store))
    assert len(answer["outages"]) == 1
    assert answer["outages"][0]["locations"] == ["berlin", "oslo"]
    found = objected(answer)
    assert "single_location" not in found
    assert found["own_side"]["says"].startswith("oslo saw all of its trunks down")


def test_a_part_of_what_is_provided_is_said_to_be_one(month, claims):
    found = objected(claims(month, subject="echo over atlantic/1")[1])
    assert found["part"]["says"].startswith("Only echo over atlantic/1 is claimed for")
    assert "part" not in objected(claims(month, subject="atlantic/1")[1])
    second = '  - {carrier: atlantic, uri: "sip:127.0.0.1:5072"}\n'
    plan = PLAN.replace("tests:", f"{second}tests:").replace("[atlantic,", "[atlantic/1,")
    found = objected(claims(month, plan=plan, subject="atlantic/1")[1])
    assert "service went on over atlantic/2" in found["part"]["says"]


def test_repeats_are_shown_and_do_not_count(store, claims):
    write_week(store, [(at(5, 3), at(5, 4, 30))])
    failed = [one for one in store.calls("night", at(5, 3), at(5, 4)) if one.passed is False]
    store.write([replace(failed[0], id="f" * 32, last=False, started_at=failed[0].started_at - 20.0)])
    plan = PLAN.replace("talk: 12s", "talk: 12s, again: {after: 20s, times: 1}")
    _, answer, _ = claims(url_of(store), plan=plan)
    (outage,) = answer["outages"]
    assert outage["failed_probes"] == 9
    assert [one["counts"] for one in outage["probes"]].count(False) == 1
    assert "failed, repeated" in Path("out/claim.html").read_text("utf-8")


# ---- the folder


@pytest.mark.parametrize("terms", [TERMS, TERMS.replace("10%", "3 service days").replace("25%", "20 USD")])
def test_sla_assess_comes_to_the_same_from_the_csv(terms, month, claims, capsys):
    _, answer, _ = claims(month, terms)
    customer = Customer(fee=4200.0)
    judge(Path("terms.yaml"), [Record(Path("out/outages.csv"))], OCTOBER, customer, "assessed.json")
    assessed = json.loads(Path("assessed.json").read_text("utf-8"))
    assert assessed["credit"]["share"] == pytest.approx(answer["credit"]["share"], abs=1e-12)
    assert assessed == answer["shortest"][0] | {"not_assessed": assessed["not_assessed"]}
    assert "comes to the same credit" in Path("out/claim.html").read_text("utf-8")
    assert answer["credit"]["share_by_outages_csv"] == answer["credit"]["share"]


def test_where_the_csv_alone_comes_to_less_that_is_said(store, claims):
    # It cannot say that two stretches with unknown time between them are one outage of 110 minutes.
    write_month(store, FAULTS[2:3], UNSEEN)
    _, answer, _ = claims(url_of(store), TERMS.replace("measured: {", "measured: {min_outage: 85m, "))
    assert (answer["credit"]["share"], answer["credit"]["share_by_outages_csv"]) == (0.1, 0.0)
    assert "outages.csv alone comes to 0.00 USD" in Path("out/claim.html").read_text("utf-8")
    detected = TERMS.replace("measured: {", "measured: {clock: {from: detected}, ")
    assert claims(url_of(store), detected)[1]["credit"]["share_by_outages_csv"] is None
    assert "outages.csv has not all that these terms go by" in Path("out/claim.html").read_text("utf-8")


@pytest.mark.skipif(SHA256SUM is None, reason="sha256sum is not installed")
def test_the_sums_are_those_of_all_files(month, claims):
    assert SHA256SUM is not None
    claims(month)
    done = subprocess.run(
        [SHA256SUM, "-c", "--strict", "SHA256SUMS"], cwd="out", capture_output=True, text=True, check=True
    )
    there = {path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file()}
    assert {line.rpartition(": ")[0] for line in done.stdout.splitlines()} == there - {"SHA256SUMS"}
    assert {"claim.html", "claim.json", "outages.csv", "probes.csv", "plan.yaml", "terms/terms.yaml"} < there
    assert json.loads(Path("out/claim.json").read_text("utf-8"))["standing"] == "proven"


def test_terms_bring_along_what_they_extend(month, claims):
    Path("above").mkdir()
    Path("above/all.yaml").write_text(
        "name: all\nlevel: corporate\nmeasured: {timezone: Europe/Berlin}\n", "utf-8"
    )
    Path("mine").mkdir()
    own = TERMS.replace(
        "measured: {timezone: Europe/Berlin, measured_by: customer}", "extends: ../above/all.yaml"
    )
    Path("mine/terms.yaml").write_text(own, "utf-8")
    claims(month, Path("mine/terms.yaml"))
    assert Path("out/terms/mine/terms.yaml").read_text("utf-8") == own
    assert Path("out/terms/above/all.yaml").is_file()


def test_a_claim_is_replaced_whole(month, claims):
    claims(month)
    before = {path for path in Path("out").rglob("*") if path.is_file()}
    strict = TERMS.replace("measured: {", "measured: {min_outage: 2h, ")
    _, answer, _ = claims(month, strict, span=(dt.date(2026, 9, 1), dt.date(2026, 10, 1)), now=NOW)
    after = {path for path in Path("out").rglob("*") if path.is_file()}
    assert len(after) < len(before), "traces of the claim before are gone"
    assert json.loads(Path("out/claim.json").read_text("utf-8")) == answer
    assert [path.name for path in Path().glob(".out*")] == []


def test_a_failed_write_leaves_the_claim_before(tmp_path, monkeypatch):
    target = tmp_path / "claim"
    folder.put(target, {"a.txt": b"old"})
    rename = Path.rename

    def full(self, other):
        if self.name == f".claim.{os.getpid()}":
            raise OSError(28, "No space left on device")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(WriteError, match="no space left"):
        folder.put(target, {"a.txt": b"new"})
    assert (target / "a.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["claim"]


def test_what_else_is_in_a_folder_is_in_the_way(month, claims):
    claims(month)
    Path("out/letter.txt").write_text("mine", "utf-8")
    with pytest.raises(WriteError, match=r"like letter\.txt; give another folder"):
        claims(month)
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine", "utf-8")
    with pytest.raises(WriteError, match="no part of a claim"):
        claims(month, out="other")
    with pytest.raises(WriteError, match="is no folder"):
        claims(month, out="other/notes.txt")
    assert Path("other/notes.txt").read_text("utf-8") == "mine"


def test_secrets_are_blanked_and_numbers_hashed_where_the_plan_says_so(month, claims, store):
    write_week(store, [(at(5, 3), at(5, 4, 30))])
    claims(url_of(store), plan=PLAN + "numbers: hashed\n")
    texts = [path.read_text("utf-8") for path in Path("out").rglob("*") if path.is_file()]
    assert not any("5ecre7" in text or "2025550100" in text for text in texts)
    assert sum("hashed:" in text for text in texts) > 10
    claims(month, out="plain")
    traces = [path.read_text("utf-8") for path in Path("plain/traces").iterdir()]
    assert traces
    assert not any("5ecre7" in text for text in traces)
    assert all("Authorization: ***" in text and "+12025550100" in text for text in traces)


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_what_others_wrote_stays_text(month, claims):
    terms = TERMS.replace("Atlantic Ltd.", '"<img src=x onerror=alert(1)> & Co"')
    claims(month, terms)
    page = Path("out/claim.html").read_text("utf-8")
    parsed = _Tags()
    parsed.feed(page)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    assert not [name for _, attrs in parsed.tags for name in attrs if name.startswith("on")]
    text = "".join(parsed.text)
    assert "<script>alert(1)</script>" in text
    assert "<img src=x onerror=alert(1)> & Co" in text
    assert "\u202e" not in page
    assert all(
        not str(attrs.get("href", "")).startswith(("http", "javascript", "/")) for _, attrs in parsed.tags
    )
    assert "http://" not in page
    assert HOSTILE.partition("\u202e")[0] in rows_of("out/probes.csv")[1]["reason"]


def test_a_trace_stays_in_its_folder(store, claims):
    write_week(store, [(at(5, 3), at(5, 4, 30))])
    (one, *_) = (one for one in store.calls("night", at(5, 3), at(5, 4)) if one.passed is False)
    odd = {"id": "../../odd\n  name", "due_at": one.due_at + 5, "started_at": one.started_at + 5}
    store.write([replace(one, **odd), Trace(id=odd["id"], sip="INVITE")])
    claims(url_of(store))
    names = [line.partition("  ")[2] for line in Path("out/SHA256SUMS").read_text("utf-8").splitlines()]
    assert "traces/odd-name.txt" in names
    assert not list(Path().glob("*odd*"))


def test_a_reason_is_no_formula_of_a_spreadsheet(store, claims):
    write_week(store, [(at(5, 3), at(5, 4, 30))], reason='=HYPERLINK("x")')
    claims(url_of(store))
    assert {row["reason"] for row in rows_of("out/probes.csv")} == {"OK", '\'=HYPERLINK("x")'}


@pytest.mark.parametrize("terms", PUBLISHED, ids=lambda path: path.stem)
def test_published_terms_make_a_page(terms, month, claims):
    year = (dt.date(2026, 1, 1), dt.date(2027, 1, 1))
    span = year if "window: year" in terms.read_text("utf-8") else OCTOBER
    _, answer, text = claims(month, terms, subject="service", span=span)
    assert answer["credit"]["share"] <= answer["credit"]["share_longest"] + 1e-12
    page = Path("out/claim.html").read_text("utf-8")
    assert page.endswith("</html>")
    assert len(text) < 6000


# ---- the picture, the page in a browser, the command


def test_the_picture_has_every_day_and_what_was_seen_in_it(month, claims):
    claims(month)
    page = Path("out/claim.html").read_text("utf-8")
    (svg,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    days = re.findall(r'class="day">(\w+ \d+)<', svg)
    assert (len(days), days[0], days[-1]) == (31, "Thu 01", "Sat 31")
    kinds = re.findall(r'<rect class="(\w+)"', svg)
    assert ">seen and up</text>" in svg
    # One of each is the key.
    assert kinds.count("claimed") == 1 + 4
    assert kinds.count("possible") == 1 + 5
    assert re.findall(r'class="number">([^<]+)<', svg) == ["1", "2", "3", "4"]
    widths = [float(width) for width in re.findall(r'class="claimed" x="\S+" y="\S+" width="(\S+)"', svg)]
    assert widths[0] == pytest.approx(640 * 4798 / 86400, abs=0.02)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("how", ["--print-to-pdf=page.pdf", "--screenshot=page.png"])
def test_the_page_is_shown_and_printed_by_a_browser(how, month, claims, tmp_path):
    assert CHROMIUM is not None
    claims(month)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    page = (tmp_path / "out" / "claim.html").as_uri()
    done = subprocess.run(
        [CHROMIUM, *flags, "--no-pdf-header-footer", how, page],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    made = tmp_path / how.partition("=")[2]
    assert made.is_file(), done.stderr
    data = made.read_bytes()
    assert data.startswith(b"%PDF-" if made.suffix == ".pdf" else b"\x89PNG")
    if made.suffix == ".pdf":
        assert len(re.findall(rb"/Type\s*/Page\b", data)) > 3


def test_the_page_is_made_for_paper(month, claims):
    claims(month)
    page = Path("out/claim.html").read_text("utf-8")
    assert "table-header-group" in page
    assert "@media screen and (prefers-color-scheme: dark)" in page
    assert not re.search(r"@page\s*{[^}]*size", page), "A4 and letter are the printer's matter"
    heads = [table for table in re.findall(r"<table.*?</table>", page, re.DOTALL) if "<thead>" not in table]
    assert heads == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "give --month, or --from and --to"),
        (["--month", "2026-10", "--from", "2026-10-01"], "give --month, or --from and --to"),
        (["--from", "2026-10-01"], "give --month, or --from and --to"),
        (["--from", "2026-10-02", "--to", "2026-10-01"], "is not after"),
        (["--month", "2026-13"], "is not a month"),
    ],
)
def test_a_time_has_to_be_given(arguments, why):
    result = CliRunner().invoke(main, ["claim", "terms.yaml", "--plan", "p.yaml", *arguments])
    assert result.exit_code == Exit.USAGE
    assert why in result.output


def test_the_command_writes_json_alone_to_stdout(month, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("terms.yaml").write_text(TERMS, "utf-8")
    Path("plan.yaml").write_text(PLAN, "utf-8")
    arguments = ["claim", "terms.yaml", "--plan", "plan.yaml", "--store", month, "--over", "atlantic/1"]
    result = CliRunner().invoke(main, [*arguments, "--month", "2026-10", "--json", "-"])
    # The clock of this machine is not that of the test: the month may be to come.
    assert result.exit_code in (Exit.MET, Exit.USAGE)
    if result.exit_code == Exit.MET:
        assert json.loads(result.stdout)["subject"] == "atlantic/1"
        assert Path("claims/ours-atlantic-1-2026-10/claim.html").is_file()
