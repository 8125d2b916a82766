"""Ledgers for tests: drawn ones, and what it means that two are the same."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from itertools import starmap

import numpy as np
from hypothesis import strategies as st

from carriers.laws import Empirical, Exponential, Fixed, Gamma, Lognormal, Weibull
from results.ledger import Blame, CallVolumes, Cause, Kind, Ledger, OutageTable, Requests, outage_table
from results.timeline import Branch, Condition

START, END = 1_767_225_600.0, 1_798_761_600.0
"""The year 2026 in UTC."""


def same(one: object, other: object) -> bool:
    """Whether two are equal in every number; NaN is equal to NaN."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(starmap(same, zip(one, other, strict=True)))
    return type(one) is type(other) and one == other


instants = st.integers(int(START) * 1000, int(END) * 1000 - 1).map(lambda ms: ms / 1000.0)
lengths = st.integers(0, 10**8).map(lambda ms: ms / 1000.0)
finite = st.floats(0.001, 1e9)
shares = st.floats(0.0, 1.0)
details = st.sampled_from(["", "atlantic/silent", "sbc/software", "a, b", 'the "core"', "x: y"])
causes = st.lists(st.builds(Cause, st.sampled_from(Blame), details), min_size=1, max_size=3).map(tuple)


@st.composite
def tables(draw: st.DrawFn, known: frozenset[str]) -> OutageTable:
    """Outages with the optional columns that are known."""
    start = np.array(draw(st.lists(instants, max_size=6)))
    rows = len(start)

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values | st.just(np.nan), min_size=rows, max_size=rows))

    end = np.round((start + np.array(draw(st.lists(lengths, min_size=rows, max_size=rows)))) * 1000) / 1000
    still = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    kinds = {"failing": shares, "affected_users": st.integers(0, 10**6).map(float)}
    return outage_table(
        start,
        np.where(np.array(still, dtype=bool), np.inf, end),
        draw(st.lists(causes, min_size=rows, max_size=rows)),
        scope=draw(st.lists(st.sampled_from([None, "core_voice", "portal"]), min_size=rows, max_size=rows)),
        **{name: column(kinds.get(name, instants)) for name in sorted(known)},
    )


laws = (
    st.builds(Exponential, finite)
    | st.builds(Fixed, finite)
    | st.builds(Lognormal, finite, finite)
    | st.builds(Gamma, finite, finite)
    | st.builds(Weibull, finite, finite)
    | st.builds(Empirical, st.lists(finite, min_size=1, max_size=3).map(tuple))
)
weekly = shares.map(lambda share: np.full(168, share)) | st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random(168)
)
branches = st.builds(
    Branch,
    carrier=st.sampled_from(["atlantic", "boreal"]),
    attempts=st.integers(1, 4),
    offset=finite,
    delay=st.none() | laws,
    limit=finite | st.just(np.inf),
    share=weekly,
)
conditions = st.builds(
    Condition, label=st.text(max_size=5), failing=weekly, branches=st.lists(branches, max_size=2).map(tuple)
)


@st.composite
def volumes(draw: st.DrawFn) -> CallVolumes:
    cuts = np.array(sorted(draw(st.lists(instants, max_size=3, unique=True))))
    known = draw(st.lists(conditions, min_size=1, max_size=3).map(tuple))
    return CallVolumes(
        timezone="Europe/London",
        calls_per_hour=draw(weekly),
        start=cuts,
        end=np.append(cuts[1:], END)[: len(cuts)],
        condition=np.array([draw(st.integers(0, len(known) - 1)) for _ in cuts], dtype=np.int32),
        conditions=known,
        seed=(draw(st.integers(0, 2**63)), 3),
    )


@st.composite
def asked(draw: st.DrawFn) -> Requests:
    opened = np.array(sorted(draw(st.lists(instants, max_size=4))))
    unknown = np.full(len(opened), np.nan)
    return Requests(
        kind=np.zeros(len(opened), dtype=np.int32),
        priority=np.full(len(opened), draw(st.sampled_from([-1, 0])), dtype=np.int32),
        priorities=("P1",),
        opened=opened,
        responded=draw(st.sampled_from([unknown, opened + 60.0])),
        resolved=opened + 600.5,
        waiting=np.zeros(len(opened)),
        kinds=(Kind.TICKET, Kind.EXCHANGE),
    )


@st.composite
def ledgers(draw: st.DrawFn, optional: tuple[str, ...], outages_only: bool = False) -> Ledger:
    known = draw(st.frozensets(st.sampled_from(optional)))
    return Ledger(
        start=START,
        end=END,
        outages=draw(tables(known)),
        scopes=frozenset({"core_voice", "portal"}),
        known=known,
        users=draw(st.none() | st.just(250.0)),
        requests=None if outages_only else draw(st.none() | asked()),
        calls=None if outages_only else draw(st.none() | volumes()),
        notifies=draw(st.booleans()),
    )
