"""Replaces telephone numbers by keyed hashes, wherever an entry has them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from results.store.entries import Attempt, Call, Document, Entry, Incident, Trace

HASHED = "hashed:"
SHORTEST = 7
"""Digits below which a number is not looked for in running text: too much else looks like it."""
GAP = "[ ().-]?"
"""What people write between digits."""
IN_URI = re.compile(
    r"(sips?:)((?:%2B|\+)?[0-9(][0-9().-]{2,})(?=(?:[;:][^@\s<>]*)?@)"
    r"|(tel:)((?:%2B|\+)?[0-9(][0-9().-]{2,})",
    re.IGNORECASE,
)
"""Numbers as the user of a SIP URI (RFC 3261, 19.1), or as a tel URI (RFC 3966)."""
WITH_PLUS = re.compile(rf"(?<![0-9A-Za-z])(?:%2B|\+)[0-9](?:{GAP}[0-9]){{6,14}}(?![0-9])", re.IGNORECASE)
FREE: dict[type[Entry], tuple[str, ...]] = {
    Call: ("reason", "checks", "record"),
    Attempt: ("reason",),
    Incident: ("cause", "detail"),
    Trace: ("sip",),
    Document: ("text",),
}
"""Fields that may have a number in running text."""
AnyEntry = TypeVar("AnyEntry", bound=Entry)


def digits_of(number: str) -> str:
    """Give the digits of a number, without + and separators."""
    return "".join(c for c in number.replace("%2B", "").replace("%2b", "") if c in "0123456789")


def hashed_number(number: str, key: bytes) -> str:
    """Hash a number (HMAC-SHA-256, the first 128 bits); the same for + and separators or none."""
    return HASHED + hmac.new(key, digits_of(number).encode(), hashlib.sha256).hexdigest()[:32]


def hashed(entry: AnyEntry, key: bytes) -> AnyEntry:
    """Give an entry with its numbers hashed, in records, in URIs of SIP traces and in plans as well.

    Whoever has the store has the key, so it hides numbers from a reader, not from an attacker with the file.
    """
    if isinstance(entry, Document) and entry.kind != "plan":
        return entry
    own = {digits_of(entry.number)} if isinstance(entry, Call) else set()
    if isinstance(entry, Trace):
        own = {digits_of(match[2] or match[4]) for match in IN_URI.finditer(entry.sip)}
    # Shortest first: as it is dialled with prefixes, a number is to have the same hash.
    known = [
        (pattern_of(one), hashed_number(one, key)) for one in sorted(own, key=len) if len(one) >= SHORTEST
    ]

    def on_text(text: str) -> str:
        for pattern, instead in known:
            text = pattern.sub(instead, text)
        text = IN_URI.sub(lambda m: (m[1] or m[3]) + hashed_number(m[2] or m[4], key), text)
        return WITH_PLUS.sub(lambda m: hashed_number(m[0], key), text)

    names = FREE.get(type(entry), ())
    changed = {name: on_strings(getattr(entry, name), on_text) for name in names}
    if isinstance(entry, Call) and not entry.number.startswith(HASHED):
        changed["number"] = hashed_number(entry.number, key)
    return replace(entry, **changed)


def on_strings(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever JSON has
    """Change every text in a value of JSON."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: on_strings(one, change) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [on_strings(one, change) for one in value]
    return value


def subscriber(number: str) -> str:
    """Give a number's digits without its country code; all of them where that is not known."""
    import phonenumbers  # noqa: PLC0415 - slow to import

    digits = digits_of(number)
    try:
        national = phonenumbers.national_significant_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return digits
    return national if len(national) >= SHORTEST and digits.endswith(national) else digits


@lru_cache(maxsize=1000)
def pattern_of(number: str) -> re.Pattern[str]:
    """Match a number as it may be written or dialled: with prefixes, separators, without its country code."""
    body = GAP.join(subscriber(number))
    return re.compile(rf"(?<![0-9.])(?:\+|%2B)?[0-9]{{0,7}}[ ().-]{{0,2}}{body}(?![0-9])", re.IGNORECASE)


def spellings(number: str) -> tuple[str, ...]:
    """Give the digits as they may have been dialled, each of which has a hash of its own."""
    digits, national = digits_of(number), subscriber(number)
    return tuple(dict.fromkeys((digits, national, f"0{national}", f"00{digits}", f"011{digits}")))
