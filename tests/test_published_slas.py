"""Real terms that providers publish, as files: each is right, and says what its source says."""

import datetime as dt
from pathlib import Path

import jsonschema
import pytest

from callsim.agreements.terms import load_terms
from callsim.scenario.schema import json_schema
from callsim.scenario.tree import parse
from results.ledger import Blame, Cause, Ledger, outage_table
from sla.advice import advice
from sla.assess import assess
from sla.assessment import Customer
from sla.consistency import objective_of
from sla.english import english
from sla.payoff import paid, share_of, steps
from sla.terms import Terms

FOLDER = Path(__file__).parent.parent / "scenarios" / "slas"
FILES = sorted(FOLDER.glob("*.yaml"))
CAUTION = "Read the contract again before relying on this copy."


def availability(terms, scope=None):
    """The first target of availability in a scope."""
    return next((o.target for o in terms.objectives if o.name == "availability" and o.scope == scope), None)


def pays(terms, value, rule=0):
    """Share that a rule's tiers pay for a value."""
    rule = terms.credits[rule]
    objective = objective_of(terms, rule)
    for step in steps(rule, objective):
        if min(step.better, step.worse) <= value < max(step.better, step.worse):
            return paid(terms, rule, objective, step)
    return 0.0


FACTS = {
    # Target of availability, and what its tiers pay just below each printed limit.
    "amazon-chime-sdk-2022": (0.9999, {0.9998: 0.1, 0.998: 0.1, 0.98: 0.25, 0.94: 1.0}),
    "amazon-connect-2022": (0.9999, {0.9998: 0.05, 0.98: 0.15, 0.94: 1.0}),
    "att-mis-2010": (0.99999, {}),
    "cloudvno-2026": (0.9999, {0.9998: 0.1, 0.98: 0.25, 0.94: 0.5}),
    "dialogtech-2018": (0.997, {}),
    "five9-vcc": (0.99999, {}),
    "gold": (0.9999, {0.9998: 0.1, 0.998: 0.25, 0.98: 0.5}),
    "google-fiber-premium": (0.999, {0.998: 0.25}),
    "google-mail-for-isps": (0.999, {0.998: 0.1, 0.98: 0.25}),
    "google-workspace-voice": (0.999, {0.998: 3 / 30, 0.98: 7 / 30, 0.94: 15 / 30}),
    "ipcomms-2025": (0.9999, {0.9998: 0.1, 0.98: 0.25, 0.94: 0.5, 0.89: 1.0}),
    "kcvoip": (0.995, {}),
    "lineblocs-2022": (0.999, {}),
    "ms-teams-phone-2021": (0.9999, {0.9998: 0.1, 0.998: 0.25, 0.98: 0.5, 0.94: 1.0}),
    "neuralicity": (0.995, {}),
    "sinch-contact-pro": (0.9992, {}),
    "skyswitch-2023": (0.9999, {0.9998: 0.05, 0.97: 0.05, 0.9505: 0.0, 0.94: 0.1}),
    "spark-services-2023": (0.999, {}),
    "talkdesk": (1.0, {}),
    "telair-101voice": (0.99996, {}),
    "twilio-api-2023": (0.9995, {}),
    "twilio-api-enterprise-2023": (0.9999, {}),
    "verizon-uccaas": (1.0, {}),
    "verizon-voip-mos": (None, {}),
    "voicegain-2020": (0.999, {0.998: 0.1, 0.98: 0.2, 0.94: 0.35}),
    "zoom-phone": (0.999, {0.998: 0.05, 0.994: 0.1, 0.98: 0.25}),
}


def load(name):
    return load_terms(FOLDER / f"{name}.yaml")


def test_every_file_is_checked_here():
    assert [file.stem for file in FILES] == sorted(FACTS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_file_says_what_its_source_says(file):
    terms = load_terms(file)
    target, tiers = FACTS[file.stem]
    assert terms.name == file.stem
    assert availability(terms) == target
    assert {value: pays(terms, value) for value in tiers} == pytest.approx(tiers)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_file_fits_the_schema(file):
    schema = json_schema(Terms)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(parse(file.read_text(encoding="utf-8")).data)


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "gold"], ids=lambda file: file.stem)
def test_published_terms_name_their_source_and_what_they_leave_open(file):
    terms = load_terms(file)
    assert terms.source.caution == CAUTION
    assert all(document.startswith("http") for document in terms.source.documents)
    assert terms.source.trust
    assert terms.unknown
    assert file.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_file_reads_on_one_screen(file):
    lines = english(load_terms(file)).splitlines()
    assert len(lines) <= 40
    assert [line for line in lines if len(line) > 80 and "://" not in line] == []


# ---- facts of single ones


def causes(terms):
    return {exclusion.cause for exclusion in terms.excludes}


def test_kcvoip_pays_its_own_worked_example_by_a_rule_that_is_marked_as_assumed():
    terms = load("kcvoip")
    assert share_of(terms, terms.credits[0].flat) * 350 == pytest.approx(17.50)
    assert any("17.50" in text for text in terms.assumed)
    assert any("rule" in text for text in terms.unknown)
    targets = {(o.name, o.priority): o.target for o in terms.objectives[1:]}
    assert targets["support_resolution", "P4"] == 72 * 3600.0
    assert len(targets) == 8


def test_teams_weighs_minutes_by_users():
    terms = load("ms-teams-phone-2021")
    assert terms.measured.by == "user_minutes"
    assert causes(terms) == {"force_majeure", "access", "equipment"}
    assert terms.claims.within is None
    assert any("claimed" in text for text in terms.unknown)


def test_twilio_promises_more_to_who_has_the_enterprise_edition():
    all_customers, enterprise = load("twilio-api-2023"), load("twilio-api-enterprise-2023")
    assert all_customers.requires == ()
    assert enterprise.requires == ("administration_or_enterprise_edition",)
    assert enterprise.credits == all_customers.credits
    assert enterprise.claims == all_customers.claims
    assert enterprise.base == "usage"
    assert any("excluded" in text for text in enterprise.unknown)


def test_amazon_issues_credits_above_a_dollar_by_billing_cycle():
    connect, chime = load("amazon-connect-2022"), load("amazon-chime-sdk-2022")
    assert connect.caps.issued_above == chime.caps.issued_above == 1
    assert connect.measured.window.billing_cycle == 1
    assert connect.claims.within is None


def test_chime_pays_the_first_tier_only_after_a_review():
    rule = load("amazon-chime-sdk-2022").credits[0]
    objective = load("amazon-chime-sdk-2022").objectives[0]
    assert rule.tiers[0].requires == "architecture_review"
    assert [step.tier is None for step in steps(rule, objective, with_conditions=False)] == [
        True,
        False,
        False,
        False,
    ]


def test_google_counts_errors_and_pays_in_days():
    terms = load("google-workspace-voice")
    assert (terms.measured.by, terms.measured.down_above) == ("error_rate", 0.05)
    assert [tier.credit.unit for tier in terms.credits[0].tiers] == ["days"] * 3
    older = load("google-mail-for-isps")
    assert older.measured.min_outage == 600
    assert older.excludes[0].quota.seconds == 12 * 3600
    assert older.excludes[0].notice == 5 * 86400


def test_google_fiber_credits_by_itself():
    terms = load("google-fiber-premium")
    assert terms.claims.automatic
    assert terms.excludes[0].notice == 72 * 3600


def test_five9_pays_by_length_and_all_of_the_affected_part_below_97_percent():
    terms = load("five9-vcc")
    shorter, longer = terms.credits[0].by_duration
    assert (shorter.up_to, shorter.credit.amount) == (7200, 0.05)
    assert (longer.longer_than, longer.credit.amount) == (7200, 0.1)
    worst = terms.credits[1].tiers[0]
    assert (worst.below, worst.credit.amount, worst.base) == (0.97, 1.0, "affected_part")
    assert terms.base == "per_seat"
    assert {"carrier", "third_party"} <= causes(terms)


def test_talkdesk_and_zoom_leave_open_what_nobody_saw():
    talkdesk, zoom = load("talkdesk"), load("zoom-phone")
    assert talkdesk.credits == ()
    assert any("credited" in text for text in talkdesk.unknown)
    assert talkdesk.claims.good_standing
    assert any("target" in text for text in zoom.unknown)
    assert any("target" in text for text in zoom.assumed)


def test_sinch_promises_answers_by_priority():
    objectives = load("sinch-contact-pro").objectives
    told = [(o.name, o.priority, o.target) for o in objectives[1:]]
    assert told == [
        ("support_response", "P1", 3600),
        ("support_resolution", "P1", 14400),
        ("support_response", "P2", 14400),
    ]


def test_verizon_promises_all_to_who_is_geo_redundant():
    terms = load("verizon-uccaas")
    pairs = [(o.target, o.requires) for o in terms.objectives if o.name == "availability"]
    assert pairs == [(1.0, "geo_redundant"), (0.995, None)]
    assert terms.measured.clock.from_ == "ticket_opened"
    assert all(rule.per_affected_user for rule in terms.credits)
    assert not any(rule.objective == "availability" for rule in terms.credits)
    assert any("availability" in text for text in terms.unknown)


def test_verizon_voip_pays_a_day_for_a_bad_mean():
    terms = load("verizon-voip-mos")
    assert terms.objectives[0].target == 4.0
    assert (terms.credits[0].flat.amount, terms.credits[0].flat.unit) == (1, "days")


def test_att_pays_a_thirtieth_for_each_day_with_an_outage():
    terms = load("att-mis-2010")
    assert terms.measured.window.fixed == 86400
    assert terms.measured.min_outage == 60
    assert terms.credits[0].flat.amount == pytest.approx(1 / 30, abs=1e-8)


def test_the_gap_that_skyswitch_prints_stays_a_gap():
    terms = load("skyswitch-2023")
    told = [str(warning) for warning in advice(terms)]
    assert (
        "credits.0: no tier is printed from 95.1% to 95%; it pays nothing there (gap_policy: nothing)" in told
    )
    assert "credits.0: past 95.1% a worse value pays less, 0% after 5%" in told
    assert availability(terms, "portal_and_provisioning") == 0.99


def test_carriers_are_excluded_where_their_terms_say_so():
    for name in ("ipcomms-2025", "cloudvno-2026", "five9-vcc"):
        terms = load(name)
        assert "carrier" in causes(terms)
        assert any("faults of the carriers never count" in warning.text for warning in advice(terms))
    assert load("cloudvno-2026").excludes[0].hours.longest == 4 * 3600
    assert availability(load("cloudvno-2026"), "provisioning") == 0.999


def test_lineblocs_and_neuralicity_pay_in_proportion():
    lineblocs, neuralicity = load("lineblocs-2022"), load("neuralicity")
    told = [(r.objective, r.linear.credit.amount, r.linear.per) for r in lineblocs.credits]
    assert told == [("availability", 0.1, 0.01), ("mos", 0.1, 0.1), ("support_response", 0.05, 3600)]
    assert not lineblocs.credits[0].linear.only_full
    assert neuralicity.credits[0].linear.only_full
    assert neuralicity.caps.per_month == 0.25


def test_dialogtech_needs_two_bad_months_and_telair_a_year():
    assert load("dialogtech-2018").objectives[0].consecutive == 2
    assert causes(load("dialogtech-2018")) == {"capacity"}
    assert load("telair-101voice").measured.window == "year"
    assert "emergency_maintenance" in causes(load("telair-101voice"))


def test_spark_promises_nothing_that_no_simulation_knows():
    terms = load("spark-services-2023")
    assert {"latency", "packet_loss"} <= {objective.name for objective in terms.objectives}
    assert [str(warning) for warning in advice(terms)] == []


def test_voicegain_drops_parts_of_minutes():
    measured = load("voicegain-2020").measured
    assert (measured.down_above, measured.over, measured.partial) == (0.03, 60, "dropped")
    assert measured.disputes == "provider"


def test_gold_promises_a_month_and_a_year():
    terms = load("gold")
    assert objective_of(terms, terms.credits[0]) is terms.objectives[0]
    assert [o.window for o in terms.objectives[:2]] == [None, "year"]
    assert terms.chronic.months == 3


# ---- what one outage is worth, by the engine that judges records

DAY = 86400.0
SEPTEMBER = dt.datetime(2026, 9, 1, tzinfo=dt.UTC).timestamp()


def owed(name, down, fee, **columns):
    """Money for September 2026 with one outage of the provider's, of `down` seconds from the sixth on."""
    terms = load(name)
    start = SEPTEMBER + 5 * DAY
    outages = outage_table([start], [start + down], [(Cause(Blame.PROVIDER),)], **columns)
    scopes = frozenset({terms.scope})
    ledger = Ledger(SEPTEMBER, SEPTEMBER + 30 * DAY, outages, scopes, frozenset(columns))
    amount = assess(terms, ledger, Customer(fee=fee)).credits.amount
    return amount.sum()


@pytest.mark.parametrize(
    ("name", "down", "fee", "money"),
    [
        ("kcvoip", 0.008 * 30 * DAY, 350, 17.50),  # 99.2 %, as in its worked example
        ("kcvoip", 0.005 * 30 * DAY, 350, 0),  # 99.5 % keeps it
        ("skyswitch-2023", 0.03 * 30 * DAY, 100, 5),  # 97 %
        ("skyswitch-2023", 0.0495 * 30 * DAY, 100, 0),  # 95.05 %, in the gap
        ("five9-vcc", 3 * 3600, 100, 10),
        ("att-mis-2010", 120, 100, 100 / 30),
        ("att-mis-2010", 50, 100, 0),
        ("att-mis-2010", 1.5 * DAY, 100, 200 / 30),  # two days are hit
        ("lineblocs-2022", 0.011 * 30 * DAY, 100, 10),  # 98.9 %: one point missed
        ("neuralicity", 0.014 * 30 * DAY, 100, 0),  # 98.6 %: no full point missed
        ("neuralicity", 0.03 * 30 * DAY, 100, 10),
        ("google-mail-for-isps", 599, 100, 0),
        ("ms-teams-phone-2021", 3600, 100, 25),
        ("dialogtech-2018", 10 * DAY, 100, 0),
    ],
)
def test_an_outage_is_worth_what_the_terms_say(name, down, fee, money):
    columns = {"ticket_opened": [SEPTEMBER + 5 * DAY]} if name == "skyswitch-2023" else {}
    assert owed(name, down, fee, **columns) == pytest.approx(money, abs=1e-4)
