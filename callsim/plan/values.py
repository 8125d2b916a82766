"""Types of the values in a plan."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from callgen.messages import CODECS
from documents.values import wrong
from documents.words import nearest, show

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
TRUNK_URI = rf"sip:{_HOST}(?::[0-9]{{1,5}})?(?:;transport=(?:udp|tcp|tls))?"
NUMBER = r"\+[1-9][0-9]{1,14}"
BEGINNING = r"\+[1-9][0-9]{0,14}"
DIGITS = r"[0-9A-D*#]{1,32}"
HEADER = r"[A-Za-z0-9][A-Za-z0-9-]*"


def _trunk_uri(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if "@" in text:  # what stands before it may be a password
        raise wrong("a trunk's URI has no user; write `username: env:NAME` beside it")
    if text.startswith("sips:"):
        raise wrong(f"{show(value)}: write sip: with ;transport=tls at its end")
    if re.fullmatch(TRUNK_URI, text) is None:
        raise wrong(f"{show(value)} is no trunk; write one like sip:sbc1.example.com:5061;transport=tls")
    port = re.search(r":([0-9]+)(?:;|$)", text.partition(":")[2].rpartition("]")[2] or text)
    if port and not 1 <= int(port[1]) <= 65535:
        raise wrong(f"{port[1]} is not a port; a port is 1 to 65535")
    return text


def _number(value: object, pattern: str = NUMBER, right: str = "+12025550100") -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise wrong(f'{value} is a number to YAML; put it in quotes, "+{value}"')
    if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
        raise wrong(f'{show(value)} is not a full telephone number (E.164); write one like "{right}"')
    return value


def _beginning(value: object) -> str:
    return _number(value, BEGINNING, "+120255501")


def _country(value: object) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - slow to import

    if not isinstance(value, str) or value not in SUPPORTED_REGIONS:
        raise wrong(f"{show(value)} is not a country; write its two letters (ISO 3166), like US")
    return value


def _live_codec(value: object) -> str:
    if value in CODECS:
        return str(value)
    there = ", ".join(CODECS)
    if guess := nearest(str(value), CODECS):
        raise wrong(f"{show(value)} is not known here; did you mean {guess}?")
    raise wrong(f"real calls cannot have {show(value)}; there is {there}")


def _digits(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise wrong(f'{value} is a number to YAML; put the digits in quotes, "{value}#"')
    if not isinstance(value, str) or re.fullmatch(DIGITS, value) is None:
        raise wrong(f"{show(value)} is not DTMF; write up to 32 of 0-9, A-D, * and #")
    return value


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise wrong(f"{show(value)} is not an address; write one like 192.0.2.10 or 2001:db8::10") from None


def _name_server(value: object) -> str:
    from callgen.resolving import server_of  # noqa: PLC0415 - slow to import

    try:
        server_of(value if isinstance(value, str) else "")
    except ValueError:
        right = "write one like 192.0.2.53 or 127.0.0.1:5353"
        raise wrong(f"{show(value)} is no name server; {right}") from None
    return str(value)


def _header(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(HEADER, value) is None:
        raise wrong(f"{show(value)} is not a header's name; write one like X-Test")
    from callgen.guarding.guard import OURS  # noqa: PLC0415 - slow to import

    if value.lower() in OURS:
        raise wrong(f"{value} is written by callsim itself; leave it out")
    return value


def _header_value(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise wrong("a header's value is printable text in one line; put it in quotes")
    return value


def _audio(*words: str) -> BeforeValidator:
    def validate(value: object) -> str:
        if value in words or (isinstance(value, str) and value.lower().endswith(".wav")):
            return str(value)
        guess = nearest(str(value), words)
        right = f"did you mean {guess}?" if guess else f"write {', '.join(words)}, or the name of a WAV file"
        raise wrong(f"{show(value)} is not known here; {right}")

    return BeforeValidator(validate)


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$", "examples": [example]})


TrunkUri = Annotated[str, BeforeValidator(_trunk_uri), _schema(TRUNK_URI, "sip:sbc1.example.com")]
"""A SIP peer, without a user; `;transport=tcp` and `;transport=tls` instead of UDP."""
Number = Annotated[str, BeforeValidator(_number), _schema(NUMBER, "+12025550100")]
"""A telephone number in E.164."""
Beginning = Annotated[str, BeforeValidator(_beginning), _schema(BEGINNING, "+120255501")]
"""The first digits of numbers in E.164."""
Country = Annotated[str, BeforeValidator(_country), _schema("[A-Z]{2}", "US")]
"""A country of ISO 3166."""
LiveCodec = Annotated[
    str, BeforeValidator(_live_codec), WithJsonSchema({"type": "string", "enum": list(CODECS)})
]
"""A codec that real calls can have."""
Digits = Annotated[str, BeforeValidator(_digits), _schema(DIGITS, "1234#")]
"""DTMF digits."""
Address = Annotated[str, BeforeValidator(_address), WithJsonSchema({"type": "string"})]
"""An IPv4 or IPv6 address."""
NameServer = Annotated[str, BeforeValidator(_name_server), WithJsonSchema({"type": "string"})]
"""Address of a name server, with its port if that is not 53."""
HeaderName = Annotated[str, BeforeValidator(_header), _schema(HEADER, "X-Test")]
HeaderValue = Annotated[str, BeforeValidator(_header_value), WithJsonSchema({"type": "string"})]
Played = Annotated[
    str,
    _audio("tone", "speech", "silence"),
    WithJsonSchema({"type": "string", "examples": ["tone", "speech", "silence", "FILE.wav"]}),
]
"""What a call plays."""
Listened = Annotated[
    str,
    _audio("echo", "anything", "nothing"),
    WithJsonSchema({"type": "string", "examples": ["echo", "anything", "nothing", "FILE.wav"]}),
]
"""What a call listens for."""
