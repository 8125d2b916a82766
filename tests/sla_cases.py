"""Short ways to write terms, and records to judge by them."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from results.ledger import Blame, CallVolumes, Cause, Ledger, outage_table
from results.timeline import Condition
from sla.assess import assess
from sla.assessment import Assessment, Customer
from sla.terms import Terms

OPEN = float("inf")
NAN = float("nan")
AVAILABILITY = {"name": "availability", "at_least": "99.9%"}
HOUR, DAY = 3600.0, 86400.0


def at(text: str, zone: str = "UTC") -> float:
    """POSIX seconds of a local time, like `2026-03-29 02:30`."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def terms_of(**parts: object) -> Terms:
    """Terms that promise an availability, unless they say otherwise."""
    return Terms.model_validate({"objectives": [AVAILABILITY], **parts})


def causes(text: str) -> tuple[Cause, ...]:
    """`maintenance` or `customer+carrier`."""
    return tuple(Cause(Blame(name)) for name in text.split("+"))


def record(
    *rows: tuple[float, float, str],
    start: float,
    end: float,
    number: list[int] | None = None,
    scope: list[str | None] | None = None,
    users: float | None = None,
    scopes: tuple[str, ...] = ("core_voice",),
    calls: CallVolumes | None = None,
    **columns: list[float],
) -> Ledger:
    """Ledger of rows (start, end, causes); a column that is given is known."""
    table = outage_table(
        [row[0] for row in rows],
        [row[1] for row in rows],
        [causes(row[2]) for row in rows],
        outage=number,
        scope=scope,
        **columns,
    )
    return Ledger(start, end, table, frozenset(scopes), frozenset(columns), users=users, calls=calls)


def month(
    *rows: tuple[float, float, str], name: str = "2026-10", zone: str = "UTC", **more: object
) -> Ledger:
    """Ledger of one calendar month; rows in hours since its start."""
    year, number = map(int, name.split("-"))
    start = at(f"{year}-{number:02}-01", zone)
    end = at(f"{year + number // 12}-{number % 12 + 1:02}-01", zone)
    hours = [(start + a * HOUR, start + b * HOUR, cause) for a, b, cause in rows]
    return record(*hours, start=start, end=end, **more)  # type: ignore[arg-type]


def made(terms: Terms, ledger: Ledger, **customer: object) -> Assessment:
    """Assess with a customer of these properties."""
    return assess(terms, ledger, Customer(**customer))  # type: ignore[arg-type]


def volumes(
    *rows: tuple[float, float, float],
    per_hour: float | list[float] = 600.0,
    nominal: float = 0.0,
    zone: str = "UTC",
    seed: int = 1,
) -> CallVolumes:
    """Calls, with stretches (start, end, share that fails)."""
    shares = sorted({share for _, _, share in rows})
    rate = np.full(168, per_hour) if isinstance(per_hour, float) else np.array(per_hour)
    return CallVolumes(
        zone,
        rate,
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([1 + shares.index(row[2]) for row in rows], dtype=np.int32),
        tuple(Condition(str(share), np.full(168, share)) for share in (nominal, *shares)),
        (seed,),
    )


TIERS = [
    {"below": "99.9%", "credit": "10%"},
    {"below": "99%", "credit": "25%"},
    {"below": "95%", "credit": "100%"},
]
GAPPED = {
    "tiers": [{"below": "99.9%", "down_to": "95.1%", "credit": "5%"}, {"below": "95%", "credit": "10%"}]
}
TWO = {
    "objectives": [{"name": "availability", "at_least": "99.9%"}, {"name": "mttr", "at_most": "1h"}],
    "credits": [{"objective": "availability", "flat": "20%"}, {"objective": "mttr", "flat": "15%"}],
}


def down(hours: float, **more: object) -> Ledger:
    """A month of 720 hours with one outage."""
    return month((10, 10 + hours, "provider"), name="2026-09", **more)


def year(*months: int, hours: float = 8.0, first: int = 2026, years: int = 1) -> Ledger:
    begins = [at(f"{first + m // 12}-{m % 12 + 1:02}-10") for m in months]
    rows = ((begin, begin + hours * HOUR, "provider") for begin in begins)
    return record(*rows, start=at(f"{first}-01-01"), end=at(f"{first + years}-01-01"))
