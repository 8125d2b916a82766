"""Quantities as people write them: durations with a unit, shares in percent, bit rates."""

from __future__ import annotations

import math
import re

UNITS = {
    "y": 365.25 * 86400.0,
    "w": 7 * 86400.0,
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
"""Seconds in each unit, longest first; a year is the Julian year of 365.25 days."""

LONGEST = 1e6 * UNITS["y"]
"""No duration is longer, in seconds."""

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION = "(?=[0-9])" + "".join(rf"(?:{NUMBER}{unit})?" for unit in UNITS)
"""Pattern of a duration: one number for each unit, longest unit first."""
SHARE = rf"{NUMBER}%"
"""Pattern of a share."""
RATES = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1.0}
"""Bit/s in each unit of a bit rate, largest first; prefixes are decimal."""
BIT_RATE = rf"{NUMBER}[kMG]?bit/s"
"""Pattern of a bit rate."""
FASTEST = 1e15
"""No bit rate is higher, in bit/s."""

_PART = re.compile(rf"({NUMBER})(ms|[ywdhms])")
_BARE = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")


def parse_duration(text: str) -> float:
    """Seconds in `text`, like `90s`, `15m`, `2h`, `45d`, `4y`, `6ms` or `1h30m`.

    Raises ValueError where it is anything else, a bare number included.
    """
    if re.fullmatch(DURATION, text) is None:
        if _BARE.fullmatch(text):
            raise ValueError(f"{text} has no unit; write a duration, like {text.lstrip('-+')}s or 15m")
        raise ValueError(f"'{text}' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m")
    seconds = math.fsum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST:
        raise ValueError(f"'{text}' is too long; the longest duration is 1000000y")
    return seconds


def parse_share(text: str) -> float:
    """Share of one in `text`, like `99.9%`.

    Raises ValueError where it is anything else, a bare number included, or above 100 %.
    """
    if re.fullmatch(SHARE, text) is None:
        if _BARE.fullmatch(text):
            raise ValueError(f"{text} has no unit; write a share in percent, like 5%")
        raise ValueError(f"'{text}' is not a share; write a percentage from 0% to 100%, like 99.9%")
    # Rounded once: 99.99 / 100 is not the float nearest to 0.9999.
    share = float(f"{text[:-1]}e-2")
    if share > 1.0:
        raise ValueError(f"{text} is more than the whole; write a percentage from 0% to 100%")
    return share


def parse_bit_rate(text: str) -> float:
    """Bit/s in `text`, like `64kbit/s`, `10Mbit/s` or `1Gbit/s`.

    Raises ValueError where it is anything else, a bare number included, or above 1000000 Gbit/s.
    """
    if re.fullmatch(BIT_RATE, text) is None:
        if _BARE.fullmatch(text):
            raise ValueError(f"{text} has no unit; write a bit rate, like 64kbit/s or 10Mbit/s")
        raise ValueError(f"'{text}' is not a bit rate; write one like 64kbit/s, 10Mbit/s or 1Gbit/s")
    number = text.removesuffix("bit/s")
    unit = number[-1] if number[-1] in RATES else ""
    rate = float(number.removesuffix(unit)) * RATES[unit]
    if rate > FASTEST:
        raise ValueError(f"'{text}' is too fast; the highest bit rate is 1000000Gbit/s")
    return rate


def format_duration(seconds: float) -> str:
    """Write `seconds` (at least 0) as `parse_duration` reads it; infinity is `never`.

    Rounded to the millisecond below a minute, to the second above; below a second to the microsecond.
    """
    if math.isinf(seconds):
        return "never"
    if seconds < 1.0:
        return f"{round(seconds * 1000, 3):g}ms" if seconds else "0s"
    if seconds < 59.9995:
        return f"{round(seconds, 3):g}s"
    left = round(seconds)
    if left % UNITS["y"] == 0:
        return f"{left / UNITS['y']:.0f}y"
    text = ""
    for unit in "dhms":
        count, left = divmod(left, int(UNITS[unit]))
        text += f"{count}{unit}" if count else ""
    return text


def format_share(share: float) -> str:
    """Write a share of one in percent, with the digits it needs: `99.9954%`."""
    return f"{share * 100:.10g}%"


def format_bit_rate(rate: float) -> str:
    """Write bit/s (at least 0) as `parse_bit_rate` reads it, in the largest unit that leaves 1 or more."""
    unit = next((unit for unit, size in RATES.items() if rate >= size), "")
    text = f"{rate / RATES[unit]:.10f}".rstrip("0").rstrip(".")
    return f"{text}{unit}bit/s"
