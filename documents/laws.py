"""Probability laws as a scenario writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carriers.laws import Empirical, Exponential, Fixed, Gamma, Law, Lognormal, Weibull
from carriers.units import DURATION, parse_duration
from documents.words import Trouble, nearest, show

FORMS: dict[tuple[str, ...], str] = {
    ("exponential",): "{exponential: 8h}",
    ("fixed",): "{fixed: 5m}",
    ("median", "p95"): "{median: 14m, p95: 95m}",
    ("mean", "cv"): "{mean: 14m, cv: 0.5}",
    ("scale", "shape"): "{scale: 4y, shape: 2}",
    ("empirical",): "{empirical: repairs.csv}",
}
"""Keys of each law, with an example."""

LARGEST_CSV = 10_000_000
"""Bytes; a longer file of durations is taken for a mistake."""

_DURATION = {"type": "string", "pattern": f"^(?:{DURATION})$", "examples": ["15m"]}
_NUMBER = {"type": "number", "exclusiveMinimum": 0}
LAW_SCHEMA: dict[str, Any] = {
    "anyOf": [
        _DURATION,
        *(
            {
                "type": "object",
                "properties": {
                    key: _NUMBER
                    if key in ("cv", "shape")
                    else {"type": "string"}
                    if key == "empirical"
                    else _DURATION
                    for key in keys
                },
                "required": list(keys),
                "additionalProperties": False,
            }
            for keys in FORMS
        ),
    ]
}


def parse_law(value: object, bare: Callable[[float], Law], zero: bool, folder: Path) -> Law | list[Trouble]:
    """Read a law; what is wrong with it comes back as a list, with paths below the law.

    `bare` makes the law of a bare duration, `zero` allows a fixed time of 0, and `folder` is where the
    names of CSV files start.
    """
    if isinstance(value, dict):
        return _mapping(value, folder)
    seconds = _seconds(value)
    if isinstance(seconds, str):
        return [((), seconds)]
    if seconds == 0 and not zero:
        return [((), f"{value} is nothing; it has to be more than 0")]
    return bare(seconds) if seconds else Fixed(0.0)


def _mapping(value: dict[str, object], folder: Path) -> Law | list[Trouble]:
    form = max(FORMS, key=lambda keys: len(set(keys) & set(value)))
    if not set(form) & set(value):
        return [((key,), _no_such(key)) for key in value if nearest(key, _KEYS)] or [
            ((), f"not a law; write a duration like 15m, or one of {', '.join(FORMS.values())}")
        ]
    troubles: list[Trouble] = [((key,), _no_such(key, form)) for key in value if key not in form]
    troubles += [((key,), f"missing; write a law like {FORMS[form]}") for key in form if key not in value]
    if not troubles and form == ("empirical",):
        return _empirical(value["empirical"], folder)
    read = {
        key: _number(value[key]) if key in ("cv", "shape") else _above_zero(value[key])
        for key in form
        if key in value and key != "empirical"
    }
    troubles += [((key,), result) for key, result in read.items() if isinstance(result, str)]
    return troubles or _make(form, *(float(read[key]) for key in form))


_KEYS = [key for keys in FORMS for key in keys]


def _no_such(key: str, form: tuple[str, ...] = ()) -> str:
    guess = nearest(key, form or _KEYS)
    if guess:
        return f"unknown key; did you mean '{guess}'?"
    return f"unknown key; a law is written like {FORMS[form]}"


_MAKERS: dict[tuple[str, ...], Callable[..., Law]] = {
    ("exponential",): Exponential,
    ("fixed",): Fixed,
    ("median", "p95"): Lognormal,
    ("mean", "cv"): Gamma,
    ("scale", "shape"): Weibull,
}


def _make(form: tuple[str, ...], *figures: float) -> Law | list[Trouble]:
    if form == ("median", "p95") and figures[1] < figures[0]:
        return [(("p95",), "shorter than the median; it has to be at least as long")]
    return _MAKERS[form](*figures)


def _seconds(value: object) -> float | str:
    """Seconds, or what is wrong."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"{show(value)} is not a duration; write one like 90s, 15m or 2h"
    try:
        return parse_duration(str(value))
    except ValueError as error:
        return str(error)


def _above_zero(value: object) -> float | str:
    seconds = _seconds(value)
    return f"{value} is nothing; it has to be more than 0" if seconds == 0 else seconds


def _number(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{show(value)} is not a number; write one without a unit, like 0.5"
    if not (math.isfinite(value) and 0.01 <= value <= 100):
        return f"{value} is out of range; write a number from 0.01 to 100"
    return float(value)


def _empirical(name: object, folder: Path) -> Law | list[Trouble]:
    def wrong(message: str) -> list[Trouble]:
        return [(("empirical",), message)]

    if not isinstance(name, str):
        return wrong(f"{show(name)} is not a file name; write one like repairs.csv")
    file = folder / name
    try:
        if file.stat().st_size > LARGEST_CSV:
            return wrong(f"{name} is larger than 10 MB; draw a sample of its durations")
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        return wrong(f"cannot read {name}: {(error.strerror or str(error)).lower()}")
    except ValueError:
        return wrong(f"{name} is not UTF-8 text; write one duration a row")
    values: list[float] = []
    troubles: list[Trouble] = []
    for number, line in enumerate(lines, 1):
        cell = line.strip().strip('"')
        header = number == 1 and not cell[:1].isdigit()
        if not cell or header:
            continue
        seconds = _seconds(cell)
        if isinstance(seconds, str):
            troubles += wrong(f"{name} line {number}: {seconds}")
        else:
            values.append(seconds)
    if not troubles and not sum(values):
        return wrong(f"{name} has no duration above 0; write one a row, like 15m")
    return troubles[:10] or Empirical(tuple(values))
