"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LEG = ("plan", "test", "over", "location")


def upgrade() -> None:
    """Make all tables."""
    _calls()
    _beside_calls()
    _on_time()
    _kept_once()
    _sums()


def _calls() -> None:
    op.create_table(
        "calls",
        _key("id"),
        _text("probe"),
        _whole("attempt_no"),
        _flag("last"),
        *map(_text, ("location", "plan", "test", "over")),
        *(_text(name, nullable=True) for name in ("trunk", "carrier")),
        *map(_text, ("direction", "number")),
        _real("due_at", nullable=True),
        *map(_real, ("started_at", "ended_at")),
        _text("outcome"),
        *(_whole(name, nullable=True) for name in ("sip_status", "q850")),
        _text("reason", nullable=True),
        _flag("passed", nullable=True),
        _text("checks"),
        *(_real(name, nullable=True) for name in ("pdd_s", "setup_s", "talk_s")),
        *(_text(name, nullable=True) for name in ("hung_up_by", "codec")),
        _real("mos", nullable=True),
        _text("mos_source", nullable=True),
        *(_real(name, nullable=True) for name in ("loss_share", "jitter_ms", "rtt_ms")),
        _flag("two_way", nullable=True),
        *(_real(name, nullable=True) for name in ("cost", "clock_offset_s")),
        _text("record", nullable=True),
    )
    op.create_index("calls_at", "calls", ["plan", "started_at"])
    for name, columns, which in (
        ("not_good", ["plan", "started_at"], "passed IS NOT {true}"),
        ("telling", [*LEG, "started_at"], "passed IS NOT NULL"),
    ):
        op.create_index(
            f"calls_{name}",
            "calls",
            columns,
            sqlite_where=sa.text(f"last IS 1 AND {which.format(true=1)}"),
            postgresql_where=sa.text(f"last IS true AND {which.format(true=True)}"),
        )


def _beside_calls() -> None:
    op.create_table(
        "attempts",
        _key("id"),
        _text("call"),
        _whole("no"),
        _text("trunk"),
        _text("carrier", nullable=True),
        _whole("sip_status", nullable=True),
        _text("reason", nullable=True),
        *(_real(name, nullable=True) for name in ("pdd_s", "seconds")),
        _whole("q850", nullable=True),
        _text("sip_call_id", nullable=True),
    )
    op.create_index("attempts_call", "attempts", ["call"])
    op.create_table("traces", _key("id"), sa.Column("sip", sa.LargeBinary(), nullable=False))
    op.create_table("recordings", _key("id"), *map(_text, ("call", "direction", "path", "sha256")))
    op.create_index("recordings_call", "recordings", ["call"])


def _on_time() -> None:
    op.create_table(
        "pings",
        _key("id"),
        *map(_text, ("location", "plan", "trunk")),
        _text("carrier", nullable=True),
        _real("at"),
        _whole("status", nullable=True),
        _real("seconds", nullable=True),
    )
    op.create_index("pings_at", "pings", ["plan", "at"])
    op.create_table(
        "missed",
        _key("id"),
        *map(_text, ("location", "plan", "test", "over")),
        *(_text(name, nullable=True) for name in ("trunk", "carrier")),
        _real("due_at"),
        _text("reason"),
        _whole("count"),
    )
    op.create_index("missed_due", "missed", ["plan", "due_at", "test", "over", "location", "reason", "count"])
    op.create_table(
        "incidents",
        _key("id"),
        *map(_text, ("location", "plan", "kind", "subject")),
        _real("began_earliest", nullable=True),
        _real("began_latest"),
        *(_real(name, nullable=True) for name in ("ended_earliest", "ended_latest")),
        *map(_whole, ("probes", "failed")),
        *(_text(name, nullable=True) for name in ("cause", "detail")),
        _whole("revision"),
    )
    op.create_index("incidents_began", "incidents", ["plan", "began_latest"])


def _kept_once() -> None:
    op.create_table(
        "guard_use",
        _text("id"),
        *map(_key, ("location", "plan", "day", "trunk")),
        _real("at"),
        *map(_whole, ("calls", "minutes")),
        _real("spend"),
        _whole("refused"),
    )
    op.create_table("documents", _key("id"), *map(_text, ("kind", "name", "text")))
    op.create_table(
        "runs",
        _key("id"),
        *map(_text, ("name", "document")),
        _whole("seed"),
        _text("version"),
        *map(_real, ("at", "years")),
        _text("result"),
    )
    op.create_table(
        "heartbeats",
        *map(_key, ("location", "plan")),
        *map(_real, ("at", "started_at")),
        _text("version"),
        _real("clock_offset_s", nullable=True),
    )
    op.create_table("meta", _key("key"), _text("value"))


def _sums() -> None:

    op.create_table(
        "sums",
        *map(_key, LEG),
        sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
        *map(_whole, ("passed", "failed", "unknown", "pdd_count", "mos_count")),
        *map(_real, ("pdd_total", "mos_total")),
    )
    op.create_table(
        "bins",
        *map(_key, LEG),
        sa.Column("day", sa.BigInteger(), primary_key=True, autoincrement=False),
        _key("measure"),
        sa.Column("bin", sa.BigInteger(), primary_key=True, autoincrement=False),
        _whole("count"),
    )


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), primary_key=True)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _real(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=nullable)


def _flag(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=nullable)
