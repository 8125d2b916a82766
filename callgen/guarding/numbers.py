"""Which telephone number a text stands for, if it may be dialled at all."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneMetadata, shortnumberinfo

from callgen.guarding.refusals import Reason, RefusedError

INSIDE = 2
"""Digits taken off the front of a subscriber's number; more of it can be an emergency number by chance."""
PREFIX = 4
"""Digits of the longest usual dialling prefix (0011); what is left of a national number is checked too."""
SPOKEN = re.compile(r"[\s./()]")
"""Separators that people write into numbers, besides dashes and invisible characters."""
PAUSES = re.compile(r"[,:*#pwx]", re.IGNORECASE)
"""What ends a dialled number: a pause, a service code, an extension, a scheme."""


def e164(number: str, country: str | None = None) -> str:
    """Normalise a telephone number to + and digits; raises RefusedError for what must not be dialled.

    A number without + is read as people in `country` (ISO 3166-1) dial it. Emergency numbers of every
    region that phonenumbers knows are refused, whatever the country and whatever is dialled before them.
    """
    plain = unicodedata.normalize("NFKC", number)
    if re.search(r"service:sos\b|\bsos@", unquote(unquote(plain)), re.IGNORECASE):
        raise RefusedError(Reason.EMERGENCY, number)  # an emergency service (RFC 5031)
    bare = "".join(c for c in SPOKEN.sub("", plain) if unicodedata.category(c) not in {"Cf", "Pd"})
    parsed = _subscriber(bare)
    if parsed is None and country is not None:
        parsed = _national(bare, country)
    if parsed is None:
        raise RefusedError(Reason.EMERGENCY if _ends_in_emergency(plain) else Reason.NOT_E164, number)
    digits = phonenumbers.national_significant_number(parsed)
    # An area's control centre is dialled by its area code and the emergency number.
    fronts = {*range(INSIDE + 1), phonenumbers.length_of_national_destination_code(parsed)}
    if any(_emergency().fullmatch(digits[taken:]) for taken in fronts):
        raise RefusedError(Reason.EMERGENCY, number)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _subscriber(bare: str) -> phonenumbers.PhoneNumber | None:
    """Read + and digits; None where no subscriber can have that number."""
    if not re.fullmatch(r"\+[0-9]{1,15}", bare):
        return None
    parsed = _valid(bare, None)
    if parsed is None:
        return None
    # Written so, the number is what it says: a trunk prefix after the country code is no part of it.
    exact = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == bare
    return parsed if exact else None


def _national(bare: str, country: str) -> phonenumbers.PhoneNumber | None:
    """Read digits as they are dialled in a country; None where they reach no subscriber, or might not."""
    if not re.fullmatch(r"[0-9]{1,20}", bare) or phonenumbers.connects_to_emergency_number(bare, country):
        return None
    if any(_emergency().fullmatch(bare[taken:]) for taken in range(PREFIX + 1)):
        return None
    return _valid(bare, country)


def _valid(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _ends_in_emergency(plain: str) -> bool:
    """Whether what would be dialled is an emergency number, whatever is before it."""
    dialled = unquote(unquote(plain))
    dialled = (dialled.rpartition("@")[0] or dialled).partition(";")[0]
    parts = [_digits(part) for part in (dialled, *PAUSES.split(dialled))]
    return any(_emergency().fullmatch(part[taken:]) for part in parts for taken in range(len(part)))


def _digits(text: str) -> str:
    """All digits, of any script, in a text."""
    values = (unicodedata.numeric(c, None) for c in text)
    return "".join(str(int(value)) for value in values if value is not None and value in range(10))


@cache
def _emergency() -> re.Pattern[str]:
    """Match the emergency numbers of every region that phonenumbers knows."""
    known = (PhoneMetadata.short_metadata_for_region(r) for r in shortnumberinfo.SUPPORTED_SHORT_REGIONS)
    patterns = {
        region.emergency.national_number_pattern
        for region in known
        if region is not None and region.emergency is not None
    }
    return re.compile("|".join(f"(?:{pattern})" for pattern in sorted(filter(None, patterns))))


def warm_up() -> None:
    """Read the tables of emergency numbers, which takes a while, ahead of the first call."""
    _emergency()
