"""The one way to the wire: nothing is sent without a permit, which only a guard gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum
from functools import cache
from typing import NoReturn
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneMetadata, shortnumberinfo

INSIDE = 2
"""Digits taken off the front of a subscriber's number; more of it can be an emergency number by chance."""
TRUNK = re.compile(
    r"sip:(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<port>[1-9][0-9]{0,4}))?", re.IGNORECASE
)
ALLOWED = re.compile(r"\+[1-9][0-9]{0,14}")
SPOKEN = re.compile(r"[\s./()]")
"""Separators that people write into numbers, besides dashes and invisible characters."""
_MINT = object()


class Method(Enum):
    """A request that a permit is for."""

    INVITE = "INVITE"
    OPTIONS = "OPTIONS"


class Reason(Enum):
    """Why a guard refuses."""

    EMERGENCY = "emergency number, as it is or behind a prefix (a full number begins with +)"
    NOT_E164 = "not a full telephone number (E.164)"
    NUMBER = "number not on the allow-list"
    TRUNK = "not a trunk's SIP URI"
    HOST = "host not on the allow-list"


class RefusedError(Exception):
    """The guard refuses a request, which is not sent."""

    def __init__(self, reason: Reason, what: str) -> None:
        super().__init__(f"{what!r}: {reason.value}")
        self.reason = reason


class Permit:
    """Leave to send one request to one URI, once; it can be neither made, copied nor pickled elsewhere."""

    __slots__ = ("_method", "_spent", "_uri")

    def __init__(self, mint: object, method: Method, uri: str) -> None:
        if mint is not _MINT:
            raise TypeError("a Permit comes from a Guard only")
        self._method = method
        self._uri = uri
        self._spent = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Permit is for one request, so there are no copies")

    def spend(self, method: Method) -> str:
        """Use the permit up, and learn the URI; ValueError for another method, or the second time."""
        if method is not self._method:
            raise ValueError(f"a permit for {self._method.value} is none for {method.value}")
        if self._spent:
            raise ValueError("this permit has been used")
        self._spent = True
        return self._uri


class Guard:
    """Gives permits for listed numbers over listed hosts, and never for an emergency number.

    `allow` holds beginnings of numbers in E.164 (`+120255501`), `hosts` names or addresses of trunks; an
    empty list allows nothing. Raises ValueError for another kind of entry.
    """

    def __init__(self, allow: Iterable[str], hosts: Iterable[str]) -> None:
        self._allow = tuple(allow)
        self._hosts = frozenset(host.lower() for host in hosts)
        _emergency()  # takes a while, so not during the first call
        for entry in self._allow:
            if not ALLOWED.fullmatch(entry):
                raise ValueError(f"allow: {entry!r} must be + and the first digits of numbers")
        for host in self._hosts:
            if not TRUNK.fullmatch(f"sip:{host}") or ":" in host:
                raise ValueError(f"hosts: {host!r} must be a host name or an IPv4 address, without a port")

    def invite(self, number: str, trunk: str) -> Permit:
        """Give leave for one INVITE to a number over a trunk (`sip:HOST[:PORT]`); raises RefusedError.

        The URI is made of the number's digits and the trunk's address, so that nothing else that either
        was written with, parameters and headers say, reaches the wire.
        """
        dialled = _e164(number)
        if not dialled.startswith(self._allow):
            raise RefusedError(Reason.NUMBER, number)
        return Permit(_MINT, Method.INVITE, f"sip:{dialled}@{self._address(trunk)}")

    def ping(self, trunk: str) -> Permit:
        """Give leave for one OPTIONS to a trunk itself, never to a number there; raises RefusedError."""
        return Permit(_MINT, Method.OPTIONS, f"sip:{self._address(trunk)}")

    def _address(self, trunk: str) -> str:
        found = TRUNK.fullmatch(trunk)
        if not found or int(found["port"] or 1) > 65535:
            raise RefusedError(Reason.TRUNK, trunk)
        host = found["host"].lower()
        if host not in self._hosts:
            raise RefusedError(Reason.HOST, trunk)
        return f"{host}:{found['port']}" if found["port"] else host


def _e164(number: str) -> str:
    """Normalise a telephone number to + and digits; raises RefusedError for what must not be dialled."""
    plain = unicodedata.normalize("NFKC", number)
    if re.match(r"\s*urn:", plain, re.IGNORECASE):
        # An emergency service (RFC 5031), or a URN that is no telephone number either.
        sos = "service:sos" in unquote(plain).lower()
        raise RefusedError(Reason.EMERGENCY if sos else Reason.NOT_E164, number)
    bare = "".join(c for c in SPOKEN.sub("", plain) if unicodedata.category(c) not in {"Cf", "Pd"})
    subscriber = _subscriber(bare)
    digits = _digits(plain) if subscriber is None else subscriber
    most = len(digits) if subscriber is None else INSIDE
    if any(_emergency().fullmatch(digits[taken:]) for taken in range(most + 1)):
        raise RefusedError(Reason.EMERGENCY, number)
    if subscriber is None:
        raise RefusedError(Reason.NOT_E164, number)
    return bare


def _subscriber(bare: str) -> str | None:
    """Give a number without its country code; None where no subscriber can have it."""
    if not re.fullmatch(r"\+[0-9]{1,15}", bare):
        return None
    try:
        parsed = phonenumbers.parse(bare)
    except phonenumbers.NumberParseException:
        return None
    # Written so, the number is what it says: a trunk prefix after the country code is no part of it.
    exact = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == bare
    if not exact or not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.national_significant_number(parsed)


def _digits(text: str) -> str:
    """All digits, of any script, of what would be dialled: no scheme, parameters or host."""
    dialled = unquote(unquote(text)).rpartition("@")[0] or unquote(unquote(text))
    dialled = dialled.partition(";")[0]
    return "".join(str(unicodedata.digit(c)) for c in dialled if unicodedata.digit(c, None) is not None)


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
