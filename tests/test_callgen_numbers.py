"""No spelling of an emergency number is a number to dial; a subscriber's number is, whatever it contains."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, shortnumberinfo

from callgen.guarding.numbers import e164
from callgen.guarding.refusals import Reason, RefusedError

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)


def known_emergency_numbers() -> list[str]:
    """The example that phonenumbers gives for each region, and what is dialled in most of the world."""
    known = (PhoneMetadata.short_metadata_for_region(r) for r in shortnumberinfo.SUPPORTED_SHORT_REGIONS)
    examples = {m.emergency.example_number for m in known if m and m.emergency}
    return sorted(filter(None, examples | {"112", "911", "999", "000"}))


EMERGENCY = known_emergency_numbers()
SUBSCRIBERS = sorted(
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for number in map(phonenumbers.example_number, COUNTRIES)
    if number is not None and len(phonenumbers.national_significant_number(number)) > 6
)


def reason(number: str, country: str | None = None) -> Reason:
    with pytest.raises(RefusedError) as refused:
        e164(number, country)
    return refused.value.reason


def in_full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isdigit() else c for c in text)


def in_arabic(text: str) -> str:
    return "".join(chr(ord(c) - ord("0") + 0x660) if c.isascii() and c.isdigit() else c for c in text)


def in_chinese(text: str) -> str:
    return "".join("〇一二三四五六七八九"[int(c)] if c.isascii() and c.isdigit() else c for c in text)


def percent_encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@st.composite
def spaced(draw: st.DrawFn, text: str) -> str:
    """The text with what people, and address books, put between digits."""
    between = st.text(st.sampled_from(" -.()/\u00a0\u2009\u2011\u200b\u202a"), max_size=2)
    return "".join(draw(between) + c for c in text) + draw(between)


def is_subscribers(number: str, country: str | None = None) -> bool:
    """Whether a number that ends like an emergency number is somebody's."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False


# ---- emergency numbers


@pytest.mark.parametrize(
    "number",
    [
        "911", "9911", "+1911", "+1 911", "0112", "0 112", "9-1-1", "00 49 112", "+49 112", "011 44 999",
        "1010288 911", "0 21 190", "*31#112", "911,,1234", "911#", "9p911", "911:secret@127.0.0.1",
        "９１１", "１１２", "٩١١", "①①②", "九一一", "%39%31%31", "%2539%2531%2531", "tel:911",
        "TEL:911;phone-context=+1", "sip:911;phone-context=+1@127.0.0.1;user=phone",
        "tel:112;phone-context=example.com", "sip:911@127.0.0.1", "911@127.0.0.1", "sip:112@example.org",
        "<sip:911@127.0.0.1>", "9\u200b1\u200b1", "\u202e911",
        "urn:service:sos", "URN:Service:SOS.police", " urn:service:sos.fire", "urn:service%3Asos",
        "sip:sos@example.org",
    ],
)  # fmt: skip
@pytest.mark.parametrize("country", [None, "US", "DE", "BR"])
def test_a_disguised_emergency_number_is_known_as_one(number, country):
    assert reason(number, country) is Reason.EMERGENCY


@settings(deadline=None, max_examples=400)
@given(
    st.data(),
    st.sampled_from(EMERGENCY),
    st.text("0123456789", max_size=9),
    st.booleans(),
    st.none() | st.sampled_from(COUNTRIES),
)
def test_no_spelling_and_no_prefix_gets_an_emergency_number_through(data, number, prefix, plus, country):
    dialled = "+" * plus + prefix + number
    assume(not is_subscribers(dialled, country))
    spelt = data.draw(spaced(dialled))
    write = data.draw(st.sampled_from([str, in_full_width, in_arabic, in_chinese, percent_encoded]))
    wrap = data.draw(
        st.sampled_from(
            ["{}", "tel:{}", "tel:{};phone-context=+1", "sip:{}@127.0.0.1", "sip:{}@a;user=phone"]
        )
    )
    assert reason(wrap.format(write(spelt)), country) is Reason.EMERGENCY


def test_an_emergency_number_behind_its_own_country_code_is_refused_in_every_region():
    for region in COUNTRIES:
        metadata = PhoneMetadata.short_metadata_for_region(region)
        local = (metadata and metadata.emergency and metadata.emergency.example_number) or "112"
        code = phonenumbers.country_code_for_region(region)
        for number in (local, f"0{local}", f"+{code}{local}", f"00{code}{local}", f"+{code}0{local}"):
            assert reason(number) is Reason.EMERGENCY
            assert reason(number, region) is Reason.EMERGENCY


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(EMERGENCY), st.sampled_from(COUNTRIES))
@example("911", "NU")
@example("112", "AC")
@example("10111", "JE")
def test_an_emergency_number_behind_a_short_prefix_is_never_somebodys_number(number, country):
    code = phonenumbers.country_code_for_region(country)
    for front in ("", "0", "9", "00", "99"):
        assert reason(f"+{code}{front}{number}") is Reason.EMERGENCY
    for front in ("", "0", "9", "00", "99", "011", "010", "0011"):
        assert reason(f"{front}{number}", country) is Reason.EMERGENCY


@pytest.mark.parametrize("number", ["+49 221 112", "+49 33203 112", "+49 30 112"])
def test_the_control_centre_of_an_area_is_an_emergency_number_though_it_looks_like_a_subscriber(number):
    assert is_subscribers(number)
    assert reason(number) is Reason.EMERGENCY


# ---- what is let through


@settings(deadline=None)
@given(st.data(), st.sampled_from(SUBSCRIBERS), st.sampled_from([str, in_full_width]))
def test_a_subscribers_number_is_its_digits_whatever_the_spelling_or_the_country(data, number, write):
    country = data.draw(st.none() | st.sampled_from(COUNTRIES))
    assert e164(write(data.draw(spaced(number))), country) == number


@pytest.mark.parametrize(
    "number",
    ["+12025550112", "+12025550911", "+442079460999", "+911123456789", "+4991112345",
     "+49221555112", "+12129112112"],
)  # fmt: skip
def test_digits_that_look_like_an_emergency_number_inside_a_subscribers_number_do_not_matter(number):
    assert e164(number) == number


@pytest.mark.parametrize(
    ("number", "country", "full"),
    [
        ("(202) 555-0112", "US", "+12025550112"),
        ("1 202 555 0100", "US", "+12025550100"),
        ("011 44 20 7946 0999", "US", "+442079460999"),
        ("020 7946 0999", "GB", "+442079460999"),
        ("00 1 202 555 0100", "DE", "+12025550100"),
    ],
)
def test_a_number_without_plus_is_read_as_dialled_in_its_country(number, country, full):
    assert e164(number, country) == full
    assert reason(number) in {Reason.NOT_E164, Reason.EMERGENCY}


def test_digits_that_reach_emergency_services_in_their_country_are_never_read_as_a_number_there():
    assert phonenumbers.is_valid_number(phonenumbers.parse("1123456789", "IN"))
    assert reason("1123456789", "IN") is Reason.NOT_E164
    assert e164("+91 11 2345 6789", "IN") == "+911123456789"


@settings(deadline=None)
@given(st.text(), st.none() | st.sampled_from(COUNTRIES))
def test_whatever_is_written_a_number_is_plus_and_digits_or_refused(number, country):
    try:
        full = e164(number, country)
    except RefusedError:
        return
    assert full[0] == "+"
    assert full[1:].isascii()
    assert full[1:].isdigit()


@pytest.mark.parametrize(
    "number",
    ["", "+", "abc", "+1 202 555 010O", "+12025550100;ext=5", "+12025550100@evil.example",
     "+12025550100?Route=x", "+12025550100,,5",
     "sip:+12025550100@evil.example", "+1911 555 0100", "+120255501000000", "urn:nid:x"],
)  # fmt: skip
def test_what_is_no_full_number_is_refused(number):
    assert reason(number, "US") in {Reason.NOT_E164, Reason.EMERGENCY}
