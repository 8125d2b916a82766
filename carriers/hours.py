"""Weekly hours as people write them, like `Mon-Fri 08:00-18:00`."""

from __future__ import annotations

import re

from carriers.calendars import ALWAYS, DAY, HOUR, WEEK, WeeklyHours

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = "(" + "|".join(DAYS) + ")"
_TIME = r"([0-9]{2}):([0-9]{2})"
_DAILY = re.compile(rf"{_DAY}(?:-{_DAY})? {_TIME}-{_TIME}")
_ACROSS = re.compile(rf"{_DAY} {_TIME}-{_DAY} {_TIME}")
_RIGHT = "write hours like 'Mon-Fri 08:00-18:00', 'Sat 22:00-Mon 06:00' or always"


def parse_hours(text: str) -> WeeklyHours:
    """Read `always`, or comma-separated windows of the local week.

    `Mon-Fri 22:00-06:00` closes on the morning after each of these days; `Sat 22:00-Mon 06:00` is one
    window over several days; 24:00 is midnight at a day's end. Raises ValueError on anything else.
    """
    if text == "always":
        return ALWAYS
    return WeeklyHours(_join([span for part in text.split(",") for span in _window(part.strip())]))


def _window(part: str) -> list[tuple[float, float]]:
    """Spans of one window; they may reach past the week's end."""
    if daily := _DAILY.fullmatch(part):
        first, last, *times = daily.groups()
        opens, closes = _clock(part, *times[:2]), _clock(part, *times[2:])
        if opens == closes:
            raise ValueError(f"'{part}' opens and closes at once; a whole day is 00:00-24:00")
        if closes < opens:
            closes += DAY
        start = DAYS.index(first)
        days = range(start, start + (DAYS.index(last or first) - start) % 7 + 1)
        return [(day % 7 * DAY + opens, day % 7 * DAY + closes) for day in days]
    if across := _ACROSS.fullmatch(part):
        first, hour, minute, last, to_hour, to_minute = across.groups()
        opens = DAYS.index(first) * DAY + _clock(part, hour, minute)
        closes = DAYS.index(last) * DAY + _clock(part, to_hour, to_minute)
        if opens == closes:
            raise ValueError(f"'{part}' opens and closes at once; around the clock is always")
        return [(opens, closes if closes > opens else closes + WEEK)]
    raise ValueError(f"'{part}' is not a window of the week; {_RIGHT}")


def _clock(part: str, hour: str, minute: str) -> float:
    seconds = int(hour) * HOUR + int(minute) * 60.0
    if int(minute) > 59 or seconds > DAY:
        raise ValueError(f"'{part}' has no such time as {hour}:{minute}; the day runs from 00:00 to 24:00")
    return seconds


def _join(spans: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Sorted, disjoint spans within one week; what reaches past its end comes round to its start."""
    within = [(opens % WEEK, min(opens % WEEK + closes - opens, WEEK)) for opens, closes in spans]
    within += [(0.0, closes - WEEK) for opens, closes in spans if opens < WEEK < closes]
    joined: list[tuple[float, float]] = []
    for opens, closes in sorted(within):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return tuple(joined)
