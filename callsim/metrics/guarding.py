"""How much of the guard's caps is used."""

from __future__ import annotations

from callgen.guarding.caps import Limits, Used


def guard_used(used: Used, limits: Limits) -> dict[str, float]:
    """Give the share of each cap that is used, 0 to 1, by its name in the plan; caps of 0 count as used up.

    The share of short calls is measured against what it may be.
    """
    rate = None if limits.calls_per_second is None else limits.calls_per_second * limits.rate_window
    short = None if limits.short_calls_at_most is None else limits.short_calls_at_most * used.answered
    rows: tuple[tuple[str, float, float | None], ...] = (
        ("at_once", used.at_once, limits.at_once),
        ("calls_per_second", used.second, rate),
        ("calls_per_hour", used.hour, limits.calls_per_hour),
        ("calls_per_day", used.day, limits.calls_per_day),
        ("minutes_per_day", used.minutes, limits.minutes_per_day),
        ("spend_per_day", used.spend, limits.spend_per_day),
        ("short_calls_at_most", used.short, short if used.answered else None),
    )
    return {name: have / most if most else 1.0 for name, have, most in rows if most is not None}
