"""Terms in plain English."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsim.agreements.terms import load_terms
from carriers.hours import parse_hours
from sla.english import english
from sla.terms import Terms

FOLDER = Path(__file__).parent.parent / "scenarios" / "slas"


def make(**keys) -> Terms:
    """Terms with one availability of 99.99 %, and more."""
    return Terms.model_validate({"objectives": [{"name": "availability", "at_least": "99.99%"}], **keys})


# ---- plain English


def test_plain_english_in_full():
    assert (
        english(load_terms(FOLDER / "skyswitch-2023.yaml"))
        == """\
skyswitch-2023: SkySwitch white-label UCaaS
PROMISED
  For core_voice, per calendar month (UTC).
  Time down counts. An outage counts from the ticket's opening to restoration.
  - availability at least 99.99%: down 4m19s in 30d, 4m28s in 31d, 52m34s in 1y
  - availability at least 99%, portal_and_provisioning: down 7h12m in 30d,
    7h26m24s in 31d, 3d15h36m in 1y
NOT COUNTED
  - planned maintenance; the customer's own doing
  What is excluded leaves the downtime and the time: (A-B)/(A-C).
PAID
  Of each 100 USD of the monthly recurring fee, a month of 30 days:
  - availability:
    99.99% to 95.1%     down over 4m19s                         5%    5.00
    95.1% to 95%        down over 1d11h16m48s        no tier: nothing
    below 95%           down over 1d12h                        10%   10.00
TO DO
  The customer has to claim within 28d after the window's end, with the
    customer's record as evidence.
NOT KNOWN
  What is paid from 95.0 % to below 95.1 %
  Whether the credits are also those of the supporting services
ASSUMED
  The reseller's notice is a ticket.
  The end of the following calendar month is taken as 28 days after the window,
    the shortest.
  Availability is that of a calendar month.
READ AT
  https://docs.skyswitch.com/en/articles/946-service-level-agreement-sla
  terms of 2023-03-08; primary. Read the contract again before relying on this
    copy."""
    )


FULL = {
    "requires": ["sd_wan"],
    "measured": {"window": {"rolling": "30d"}, "min_outage": "5m", "counts": "excess", "continuous": False,
                 "disputes": "lower", "measured_by": "customer"},
    "excluded_time": "counts_as_up",
    "excludes": [{"cause": "maintenance", "hours": "Fri-Sun 22:00-06:00"}],
    "objectives": [
        {"name": "availability", "at_least": "99.99%", "consecutive": 2, "requires": "geo"},
        {"name": "mos", "at_least": 4},
        {"name": "latency", "at_most": "40ms", "direction": "one_way"},
        {"name": "support_response", "priority": "P2", "at_most": "4h", "share": "95%",
         "hours": "Mon-Fri 08:00-18:00", "stops_while_waiting": True},
    ],
    "credits": [
        {"objective": "availability", "flat": "20 EUR"},
        {"objective": "mos", "linear": {"credit": "2 units", "per": 0.1, "only_full": True},
         "requires": "qos"},
        {"objective": "latency", "tiers": [{"above": "40ms", "credit": "3 service days", "base": "usage"}]},
        {"objective": "support_response", "per_affected_user": True, "flat": "1%"},
    ],
    "currency": "EUR",
    "bonus": [{"objective": "availability", "better_than": "99.999%", "bonus": "2%"}],
    "caps": {"per_year": "20%", "unit_worth": "1%"},
    "claims": {"automatic": False, "within": "7d", "after": "incident", "ticket": True,
               "good_standing": True},
    "chronic": {"months": 3, "of": 3, "then": "credit", "credit": "100%"},
    "duties": ["Recording consent"],
}  # fmt: skip


@pytest.mark.parametrize(
    "sentence",
    [
        "For core_voice, per 30d before each midnight (UTC), only with sd_wan.",
        "All outages of a window together under 5m do not count; only what is over counts.",
        "The customer's record counts. Where records differ: the lower availability.",
        "availability at least 99.99%, broken by 2 windows in a row, only with geo: down 4m19s in 30d",
        "mean MOS at least 4",
        "latency (one way) at most 40ms",
        "first response within 4h, P2, in 95% of the cases, Mon-Fri 08:00-18:00, "
        "waiting for the customer apart",
        "planned maintenance, if within Fri-Sun 22:00-06:00",
        "What is excluded counts as up: (A-B+C)/A.",
        "availability, whenever broken 20 EUR",
        "mos, only with qos, for each full 0.1 missed 2 units 2.00",
        "above 40ms 3 service days 10.00 ... of the usage charges",
        "support_response, per affected user, whenever broken 1% 1.00",
        "At most 20% a year, several credits add up, a unit is worth 1%.",
        "Better than 99.999%, availability costs the customer 2% more.",
        "Chronic: after 3 broken months out of 3 (availability) 100% is credited.",
        "The customer has to claim within 7d after the outage's end, with the provider's record as evidence, "
        "a ticket for each outage, a paid account.",
        "[ ] Recording consent",
    ],
)
def test_every_term_has_its_sentence(sentence):
    text = " ".join(english(make(**FULL)).split())
    assert sentence in text


def test_terms_without_credits_are_a_commitment_without_a_remedy():
    text = english(make())
    assert "No credit is written here: a commitment without a remedy (SLC)." in text
    assert "TO DO" not in text
    assert "SLC" not in english(make(unknown=["What is credited"]))


@pytest.mark.parametrize(
    "hours",
    [
        "Mon-Fri 08:00-18:00",
        "Sat 22:00-Mon 06:00",
        "Mon-Sun 22:00-06:00",
        "Sun 02:00-06:00",
        "Mon 00:00-Sat 00:00",
    ],
)
def test_hours_are_told_as_they_are_written(hours):
    terms = make(excludes=[{"cause": "maintenance", "hours": hours}])
    assert f"if within {hours}\n" in english(terms)


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SPANS = st.tuples(st.sampled_from(DAYS), st.integers(0, 23), st.sampled_from(DAYS), st.integers(0, 23))


@given(spans=st.lists(SPANS.filter(lambda s: s[:2] != s[2:]), min_size=1, max_size=4))
def test_hours_that_are_told_mean_the_same(spans):
    text = ", ".join(f"{a} {b:02d}:00-{c} {d:02d}:00" for a, b, c, d in spans)
    hours = parse_hours(text)
    if hours.always:
        return
    terms = make(excludes=[{"cause": "maintenance", "hours": text}])
    lines = " ".join(english(terms).split())
    written = lines.partition("if within ")[2].partition(" What is excluded")[0]
    assert parse_hours(written) == hours
