"""Types of the values in a scenario file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from carriers import codecs
from carriers.calendars import WeeklyHours
from carriers.hours import parse_hours
from carriers.laws import Exponential, Fixed, Law
from carriers.profiles import PROFILES, parse_profile
from carriers.units import BIT_RATE, DURATION, SHARE, parse_bit_rate, parse_duration, parse_share
from documents.laws import LAW_SCHEMA, parse_law
from documents.words import Trouble, nearest, show, unknown

T = TypeVar("T")


class Model(BaseModel):
    """A mapping of the scenario: no other keys, no conversions, no change once read."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        defer_build=True,  # half a second of every start, for models of which most commands use few
    )


def located(*troubles: Trouble) -> PydanticCustomError:
    """Make an error of several, each at a path below the value that is being read."""
    text = "; ".join(message for _, message in troubles)
    return PydanticCustomError("located", "{text}", {"text": text, "troubles": troubles})


def wrong(message: str) -> ValueError:
    """Make the error that pydantic collects, whatever it is that is wrong with a value."""
    return ValueError(message)


def _text(parse: Callable[[str], T], right: str) -> Callable[[object], T]:
    """Validator of what is written as text; `right` ends the sentence about anything else."""

    def validate(value: object) -> T:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise wrong(f"{show(value)} is {right}")
        return parse(str(value))

    return validate


def _positive(parse: Callable[[str], float]) -> Callable[[str], float]:
    def parse_positive(text: str) -> float:
        value = parse(text)
        if value == 0:
            raise wrong(f"{text} is nothing; it has to be more than 0")
        return value

    return parse_positive


def _below_one(text: str) -> float:
    share = _positive(parse_share)(text)
    if share == 1:
        raise wrong(f"{text} leaves nothing; it has to be less than 100%")
    return share


def _above(text: str) -> float:
    if not text.startswith(">"):
        raise wrong(f"'{text}' says no limit; write \">5%\"")
    return _below_one(text[1:].strip())


def _law(bare: Callable[[float], Law], zero: bool) -> Callable[[object, ValidationInfo], Law]:
    def validate(value: object, info: ValidationInfo) -> Law:
        folder: Path = (info.context or {}).get("folder", Path())
        law = parse_law(value, bare, zero, folder)
        if isinstance(law, list):
            raise located(*law)
        return law

    return validate


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is not a name; a name is text that starts with a letter")
    if re.fullmatch(NAME, value) is None:
        raise wrong(f"'{value}' is not a name; a name has letters, digits, - and _, and starts with a letter")
    return value


def _zone(value: object) -> str:
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        guess = nearest(str(value), available_timezones())
        right = f"did you mean {guess}?" if guess else "write an IANA name, like Europe/London"
        raise wrong(f"{show(value)} is not a time zone; {right}") from None
    return str(value)


def _month(value: object) -> dt.date:
    try:
        day = dt.date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise wrong(f"{show(value)} is not a date; write one like 2026-01-01") from None
    if day.day != 1:
        raise wrong(f"{day} is not the first of a month; write {day.replace(day=1)}")
    if not 1970 <= day.year <= 9500:
        raise wrong(f"{day} is too far off; write a year from 1970 to 9500")
    return day


def _uri(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(SIP_URI, value) is None:
        text = value if isinstance(value, str) else ""
        host = re.fullmatch(r"(?:sips?:/*)?([A-Za-z0-9.-]+(?::[0-9]+)?)", text)
        right = f"write sip:{host[1]}" if host else "write one like sip:sbc1.example.com:5061;transport=tls"
        raise wrong(f"{show(value)} is not a SIP URI; {right}")
    return value


def _codec(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is not a codec; write one like G.711_with_PLC")
    try:
        return codecs.codec(value).name
    except KeyError:
        raise wrong(unknown("codec", value, codecs.CODECS)) from None


def _profile(value: object) -> tuple[float, ...]:
    if isinstance(value, list):
        for hour, weight in enumerate(value):
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                raise wrong(f"weight {show(weight)} of hour {hour} is not a number")
        return parse_profile(value)
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is not a profile; write {', '.join(PROFILES)} or 168 hourly weights")
    return parse_profile(value)


def _items(value: object) -> object:
    if not isinstance(value, list):
        raise wrong(f"{show(value)} is not a list; write [...], or one item a line after '- '")
    return tuple(value)


def _some(value: object) -> object:
    items = _items(value)
    if not items:
        raise wrong("the list is empty; it needs at least one item")
    return items


def _schema(pattern: str, example: str, **more: Any) -> WithJsonSchema:  # noqa: ANN401 - JSON
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$", "examples": [example], **more})


NAME = r"[A-Za-z][A-Za-z0-9_-]*"
SIP_URI = (
    r"sips?:(?:[^@\s<>\"]+@)?"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:;[^\s<>\"]+)?"
)

_DURATION = "not a duration; write one like 90s, 15m or 2h"
_SHARE = "not a share; write a percentage, like 5%"
_BIT_RATE = "not a bit rate; write one like 10Mbit/s"

Seconds = Annotated[
    float, BeforeValidator(_text(_positive(parse_duration), _DURATION)), _schema(DURATION, "90s")
]
"""A duration above 0, in seconds."""
SecondsOrZero = Annotated[float, BeforeValidator(_text(parse_duration, _DURATION)), _schema(DURATION, "90s")]
"""A duration, in seconds."""
Share = Annotated[float, BeforeValidator(_text(parse_share, _SHARE)), _schema(SHARE, "5%")]
"""A share, 0 to 1."""
PositiveShare = Annotated[float, BeforeValidator(_text(_positive(parse_share), _SHARE)), _schema(SHARE, "5%")]
"""A share above 0, up to 1."""
BitRate = Annotated[
    float, BeforeValidator(_text(_positive(parse_bit_rate), _BIT_RATE)), _schema(BIT_RATE, "10Mbit/s")
]
"""A bit rate above 0, in bit/s."""
BitRateOrZero = Annotated[
    float, BeforeValidator(_text(parse_bit_rate, _BIT_RATE)), _schema(BIT_RATE, "10Mbit/s")
]
"""A bit rate, in bit/s."""
Risk = Annotated[float, BeforeValidator(_text(_below_one, _SHARE)), _schema(SHARE, "1%")]
"""A share above 0, below 1."""
Above = Annotated[
    float, BeforeValidator(_text(_above, 'no limit; write ">5%"')), _schema(f"> *{SHARE}", ">5%")
]
"""A limit, written `>5%`."""
Lifetime = Annotated[Law, PlainValidator(_law(Exponential, zero=False)), WithJsonSchema(LAW_SCHEMA)]
"""A law of a time to failure: a bare duration is the mean of an exponential law."""
Time = Annotated[Law, PlainValidator(_law(Fixed, zero=False)), WithJsonSchema(LAW_SCHEMA)]
"""A law of a time above 0: a bare duration is fixed."""
TimeOrZero = Annotated[Law, PlainValidator(_law(Fixed, zero=True)), WithJsonSchema(LAW_SCHEMA)]
"""A law of a time: a bare duration is fixed."""
Hours = Annotated[
    WeeklyHours,
    PlainValidator(_text(parse_hours, "not hours of the week; write them like 'Mon-Fri 08:00-18:00'")),
    WithJsonSchema({"type": "string", "examples": ["Mon-Fri 08:00-18:00", "always"]}),
]
"""Hours of the local week."""
Profile = Annotated[
    tuple[float, ...],
    PlainValidator(_profile),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(PROFILES)},
                {
                    "type": "array",
                    "items": {"type": "number", "minimum": 0},
                    "minItems": 168,
                    "maxItems": 168,
                },
            ]
        }
    ),
]
"""168 weights of the hours of the local week, the greatest of which is 1."""
Name = Annotated[str, BeforeValidator(_name), _schema(NAME, "east")]
CodecName = Annotated[
    str, BeforeValidator(_codec), WithJsonSchema({"type": "string", "examples": list(codecs.CODECS)})
]
"""A name of `carriers.codecs.CODECS`, also where SDP's is written."""
TimeZone = Annotated[
    str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/London"]})
]
Month = Annotated[
    dt.date, BeforeValidator(_month), _schema("[0-9]{4}-[0-9]{2}-01", "2026-01-01", format="date")
]
SipUri = Annotated[str, BeforeValidator(_uri), _schema(SIP_URI, "sip:sbc1.example.com")]
Items = Annotated[tuple[T, ...], BeforeValidator(_items)]
"""A list, of any length."""
Some = Annotated[tuple[T, ...], Field(min_length=1), BeforeValidator(_some)]
"""A list with at least one item."""
