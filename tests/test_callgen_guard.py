"""Nothing goes to the wire without a permit, and no spelling of an emergency number gets one."""

from __future__ import annotations

import copy
import pickle

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, shortnumberinfo

from callgen.guard import Guard, Method, Permit, Reason, RefusedError

TRUNK = "sip:127.0.0.1:5060"
EVERYTHING = [f"+{digit}" for digit in range(1, 10)]
OPEN = Guard(EVERYTHING, ["127.0.0.1"])
"""Its allow-list stops nothing, so that what stops a number is the rule on emergency numbers."""


def known_emergency_numbers() -> list[str]:
    """The example that phonenumbers gives for each region, and what is dialled in most of the world."""
    known = (PhoneMetadata.short_metadata_for_region(r) for r in shortnumberinfo.SUPPORTED_SHORT_REGIONS)
    examples = {m.emergency.example_number for m in known if m and m.emergency}
    return sorted(filter(None, examples | {"112", "911", "999", "000"}))


EMERGENCY = known_emergency_numbers()
SUBSCRIBERS = sorted(
    phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for example in map(phonenumbers.example_number, phonenumbers.SUPPORTED_REGIONS)
    if example is not None and len(phonenumbers.national_significant_number(example)) > 6
)


def reason(number: str, guard: Guard = OPEN) -> Reason:
    with pytest.raises(RefusedError) as refused:
        guard.invite(number, TRUNK)
    return refused.value.reason


def in_full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isdigit() else c for c in text)


def in_arabic(text: str) -> str:
    return "".join(chr(ord(c) - ord("0") + 0x660) if c.isascii() and c.isdigit() else c for c in text)


def percent_encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@st.composite
def spaced(draw: st.DrawFn, text: str) -> str:
    """The text with what people, and address books, put between digits."""
    between = st.text(st.sampled_from(" -.()/\u00a0\u2009\u2011\u200b\u202a"), max_size=2)
    return "".join(draw(between) + c for c in text) + draw(between)


# ---- emergency numbers


@pytest.mark.parametrize(
    "number",
    [
        "911", "9911", "+1911", "+1 911", "0112", "0 112", "9-1-1", "00 49 112", "+49 112", "011 44 999",
        "９１１", "１１２", "٩١١", "①①②", "%39%31%31", "%2539%2531%2531", "tel:911",
        "TEL:911;phone-context=+1", "sip:911;phone-context=+1@127.0.0.1;user=phone",
        "tel:112;phone-context=example.com", "sip:911@127.0.0.1",
        "urn:service:sos", "URN:Service:SOS.police", " urn:service:sos.fire", "urn:service%3Asos",
    ],
)  # fmt: skip
def test_a_disguised_emergency_number_is_known_as_one(number):
    assert reason(number) is Reason.EMERGENCY


@settings(deadline=None)
@given(st.data(), st.sampled_from(EMERGENCY), st.text("0123456789", max_size=9), st.booleans())
def test_no_spelling_and_no_prefix_gets_an_emergency_number_through(data, number, prefix, plus):
    dialled = "+" * plus + prefix + number
    assume(not is_subscribers(dialled))
    spelt = data.draw(spaced(dialled))
    write = data.draw(st.sampled_from([str, in_full_width, in_arabic, percent_encoded]))
    wrap = data.draw(
        st.sampled_from(
            ["{}", "tel:{}", "tel:{};phone-context=+1", "sip:{}@127.0.0.1", "sip:{}@a;user=phone"]
        )
    )
    assert reason(wrap.format(write(spelt))) is Reason.EMERGENCY


def is_subscribers(number: str) -> bool:
    """Whether a number that ends like an emergency number is somebody's."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def test_an_emergency_number_behind_its_own_country_code_is_refused_in_every_region():
    for region in phonenumbers.SUPPORTED_REGIONS:
        metadata = PhoneMetadata.short_metadata_for_region(region)
        local = (metadata and metadata.emergency and metadata.emergency.example_number) or "112"
        code = phonenumbers.country_code_for_region(region)
        for number in (local, f"0{local}", f"+{code}{local}", f"00{code}{local}", f"+{code}0{local}"):
            assert reason(number) is Reason.EMERGENCY


# ---- what is let through


@settings(deadline=None)
@given(st.data(), st.sampled_from(SUBSCRIBERS), st.sampled_from([str, in_full_width]))
def test_a_subscribers_number_is_dialled_as_its_digits_whatever_the_spelling(data, number, write):
    permit = OPEN.invite(write(data.draw(spaced(number))), TRUNK)
    assert permit.spend(Method.INVITE) == f"sip:{number}@127.0.0.1:5060"


@pytest.mark.parametrize(
    "number",
    ["+12025550112", "+442079460999", "+91 11 2345 6789"],
    ids=["ends in 112", "ends in 999", "begins with 112"],
)
def test_digits_that_look_like_an_emergency_number_inside_a_subscribers_number_do_not_matter(number):
    assert OPEN.invite(number, TRUNK).spend(Method.INVITE).startswith("sip:+")


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


@pytest.mark.parametrize(
    "number",
    ["", "+", "abc", "+1 202 555 010O", "+12025550100;ext=5", "+12025550100@evil.example",
     "+12025550100?Route=x",
     "sip:+12025550100@evil.example", "+1911 555 0100", "+120255501000000", "urn:nid:x"],
)  # fmt: skip
def test_what_is_no_full_number_is_refused(number):
    assert reason(number) in {Reason.NOT_E164, Reason.EMERGENCY}


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


def test_hosts_are_listed_for_options_too():
    assert OPEN.ping(TRUNK).spend(Method.OPTIONS) == TRUNK
    with pytest.raises(RefusedError, match="host not on the allow-list"):
        Guard(EVERYTHING, []).ping(TRUNK)


@pytest.mark.parametrize(
    "trunk",
    ["sip:911@127.0.0.1", "sip:127.0.0.1;maddr=192.0.2.1", "sip:127.0.0.1?Route=x",
     "sip:127.0.0.1:0", "sip:127.0.0.1:65536", "sip:127.0.0.1\r\nRoute: x", "127.0.0.1", "sips:127.0.0.1",
     "urn:service:sos", ""],
)  # fmt: skip
def test_a_trunk_is_a_host_and_a_port_only(trunk):
    for permitted in (lambda: OPEN.ping(trunk), lambda: OPEN.invite("+12025550100", trunk)):
        with pytest.raises(RefusedError) as refused:
            permitted()
        assert refused.value.reason is Reason.TRUNK


@pytest.mark.parametrize(
    ("allow", "hosts"), [([""], []), (["+"], []), (["1202"], []), ([], [""]), ([], ["a:1"])]
)
def test_a_list_with_an_entry_of_another_kind_is_an_error(allow, hosts):
    with pytest.raises(ValueError, match="must be"):
        Guard(allow, hosts)


# ---- permits


def test_only_a_guard_makes_permits():
    with pytest.raises(TypeError, match="comes from a Guard"):
        Permit(object(), Method.INVITE, "sip:911@127.0.0.1")
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
