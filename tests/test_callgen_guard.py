"""Nothing goes to the wire without a permit, nor to a number or a host that is not listed."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgen.guarding.guard import Guard, Method, Permit, Reason, RefusedError, host_of

TRUNK = "sip:127.0.0.1:5060"
NUMBER = "+12025550100"
EVERYTHING = [f"+{digit}" for digit in range(1, 10)]
OPEN = Guard(EVERYTHING, ["127.0.0.1"])
"""Its lists stop nothing, so that what stops a number is the rule on numbers."""
DAY = 86400.0


def reason(number: str, guard: Guard = OPEN, **more: object) -> Reason:
    with pytest.raises(RefusedError) as refused:
        guard.invite(number, TRUNK, **more)  # type: ignore[arg-type]
    return refused.value.reason


# ---- numbers


@pytest.mark.parametrize("number", ["911", "0 112", "tel:911;phone-context=+1", "urn:service:sos", "+1911"])
def test_an_emergency_number_gets_no_permit(number):
    for guard in (OPEN, Guard(EVERYTHING, ["127.0.0.1"], country="US")):
        assert reason(number, guard) is Reason.EMERGENCY


def test_the_country_is_that_of_numbers_without_plus():
    assert reason("202 555 0163") is Reason.NOT_E164
    permit = Guard([NUMBER], ["127.0.0.1"], country="US").invite("202 555 0100", TRUNK)
    assert (permit.number, permit.spend(Method.INVITE)) == (NUMBER, f"sip:{NUMBER}@127.0.0.1:5060")


@settings(deadline=None)
@given(st.text())
def test_whatever_is_written_nothing_but_plus_and_digits_reaches_the_wire(number):
    try:
        uri = OPEN.invite(number, TRUNK).spend(Method.INVITE)
    except RefusedError:
        return
    user = uri.removeprefix("sip:").removesuffix("@127.0.0.1:5060")
    assert user.startswith("+")
    assert user[1:].isascii()
    assert user[1:].isdigit()


# ---- allow-lists


@pytest.mark.parametrize(
    ("allow", "hosts", "why"),
    [
        ([], ["127.0.0.1"], Reason.NUMBER),
        (["+1202556"], ["127.0.0.1"], Reason.NUMBER),
        (["+12025550100"], [], Reason.HOST),
        (["+12025550100"], ["127.0.0.2"], Reason.HOST),
    ],
)
def test_what_is_not_listed_is_refused_and_an_empty_list_lists_nothing(allow, hosts, why):
    assert reason("+12025550100", Guard(allow, hosts)) is why


def test_hosts_are_listed_for_options_and_registrations_too():
    assert OPEN.ping(TRUNK).spend(Method.OPTIONS) == TRUNK
    assert OPEN.register(TRUNK).spend(Method.REGISTER) == TRUNK
    closed = Guard(EVERYTHING, [])
    for asked in (closed.ping, closed.register):
        with pytest.raises(RefusedError, match="host not on the allow-list"):
            asked(TRUNK)


@pytest.mark.parametrize(
    ("trunk", "host"),
    [
        ("sip:sbc1.atlantic.example:5061;transport=tls", "sbc1.atlantic.example"),
        ("sip:SBC1.Atlantic.example", "sbc1.atlantic.example"),
        ("sip:127.0.0.1:5060;transport=TCP", "127.0.0.1"),
        ("sip:[::1]:5060", "[::1]"),
        ("sip:[2001:DB8:0:0::1];transport=udp", "[2001:db8::1]"),
    ],
)
def test_a_trunk_has_a_port_and_a_transport_and_may_be_an_ipv6_address(trunk, host):
    assert host_of(trunk) == host
    for entry in (host, host.strip("[]"), host.upper()):
        uri = Guard([NUMBER], [entry]).invite(NUMBER, trunk).spend(Method.INVITE)
        assert uri.startswith(f"sip:{NUMBER}@{host}")
    assert reason(NUMBER, Guard([NUMBER], [host + "0" if host[-1] != "]" else "::2"])) is Reason.HOST


def test_only_owned_caller_ids_are_shown():
    guard = Guard([NUMBER], ["127.0.0.1"], caller_ids=["+12025550199"])
    guard.invite(NUMBER, TRUNK, caller_id="+12025550199")
    assert reason(NUMBER, guard, caller_id="+12025550198") is Reason.CALLER_ID
    assert reason(NUMBER, caller_id="+12025550199") is Reason.CALLER_ID, "none is listed"


@pytest.mark.parametrize(
    "header",
    [("Route", "<sip:192.0.2.1;lr>"), ("P-Asserted-Identity", "x"), ("f", "x"), ("X-A", "1\r\nRoute: x"),
     ("X A", "1"), ("", "1"), ("X-A:", "1"), ("remote-party-ID", "x")],
)  # fmt: skip
def test_headers_neither_route_nor_identify_a_call(header):
    OPEN.invite(NUMBER, TRUNK, headers=[("X-Test", "callsim 1"), ("Privacy", "id")])
    assert reason(NUMBER, headers=[("X-Test", "1"), header]) is Reason.HEADER


@pytest.mark.parametrize(
    "trunk",
    ["sip:911@127.0.0.1", "sip:127.0.0.1;maddr=192.0.2.1", "sip:127.0.0.1?Route=x",
     "sip:127.0.0.1:0", "sip:127.0.0.1:65536", "sip:127.0.0.1\r\nRoute: x", "127.0.0.1", "sips:127.0.0.1",
     "urn:service:sos", "", "sip:127.0.0.1;transport=ws", "sip:127.0.0.1;lr", "sip:[::1", "sip:[:::]",
     "sip:127.0.0.1;transport=udp;transport=tcp"],
)  # fmt: skip
def test_a_trunk_is_a_host_a_port_and_a_transport_only(trunk):
    for permitted in (
        lambda: OPEN.ping(trunk),
        lambda: OPEN.register(trunk),
        lambda: OPEN.invite(NUMBER, trunk),
    ):
        with pytest.raises(RefusedError) as refused:
            permitted()
        assert refused.value.reason is Reason.TRUNK


@pytest.mark.parametrize(
    "lists",
    [
        {"allow": [""]}, {"allow": ["+"]}, {"allow": ["1202"]}, {"hosts": [""]}, {"hosts": ["a:1"]},
        {"hosts": ["[::1]:5060"]}, {"hosts": ["a;transport=tcp"]}, {"caller_ids": ["2025550199"]},
        {"caller_ids": ["+1911"]}, {"caller_ids": [""]}, {"country": "us"}, {"country": "XX"},
    ],
)  # fmt: skip
def test_a_list_with_an_entry_of_another_kind_is_an_error(lists):
    with pytest.raises(ValueError, match="must be"):
        Guard(**{"allow": [], "hosts": [], **lists})


# ---- calls


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), DAY + 1])
def test_a_length_that_is_none_is_an_error(seconds):
    with pytest.raises(ValueError, match="must be between"):
        OPEN.invite(NUMBER, TRUNK, seconds=seconds)
    with pytest.raises(ValueError, match="must be between"):
        OPEN.invite(NUMBER, TRUNK, ring=seconds)


def test_without_caps_and_counters_nothing_is_counted():
    permits = [OPEN.invite(NUMBER, TRUNK) for _ in range(200)]
    for permit, seconds in zip(permits, itertools.cycle([None, 0.0, 5.0])):
        OPEN.settle(permit, seconds, placed=True)


# ---- permits


def test_only_a_guard_makes_permits():
    with pytest.raises(TypeError, match="comes from a Guard"):
        Permit(object(), Method.INVITE, "sip:911@127.0.0.1", "atlantic/1")
    permit = OPEN.ping(TRUNK)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="no copies"):
            copied(permit)


def test_a_permit_is_for_one_request_of_one_kind():
    permit = OPEN.ping(TRUNK)
    with pytest.raises(ValueError, match="none for INVITE"):
        permit.spend(Method.INVITE)
    permit.spend(Method.OPTIONS)
    with pytest.raises(ValueError, match="has been used"):
        permit.spend(Method.OPTIONS)


def test_what_ends_a_call_goes_where_its_permit_was_for_and_nowhere_else():
    permit = OPEN.invite(NUMBER, TRUNK, trunk="atlantic/1")
    assert (permit.trunk, permit.host) == ("atlantic/1", "127.0.0.1")
    assert not permit.ends_at("127.0.0.1"), "nothing was sent with it"
    permit.spend(Method.INVITE)
    assert permit.ends_at("127.0.0.1")
    assert not permit.ends_at("127.0.0.2")
    named = Guard([NUMBER], ["sbc.example"]).invite(NUMBER, "sip:sbc.example")
    named.spend(Method.INVITE)
    assert (named.trunk, named.host, named.ends_at("192.0.2.1")) == ("sbc.example", "sbc.example", True)
    ping = OPEN.ping(TRUNK)
    ping.spend(Method.OPTIONS)
    assert not ping.ends_at("127.0.0.1")
