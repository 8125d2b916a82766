"""Opens a store by its URL, made or brought up to date where needed."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from results.store.errors import StoreError, words_of
from results.store.store import Store
from results.store.tables import HEAD, MARK, VERSIONS

BUSY = 10.0
"""Seconds to wait while another process writes into a SQLite file."""
PATIENCE = 5
"""Seconds until a PostgreSQL server that does not answer counts as gone."""
LOCKED = 10_000
"""Milliseconds to wait for a lock of PostgreSQL's."""
MIGRATIONS = Path(__file__).parent / "migrations"
_ALEMBIC = threading.Lock()
"""Alembic has one context for all threads."""
VERSION = sa.text(f"SELECT version_num FROM {VERSIONS}")


def url_of(text: str) -> sa.URL:
    """Read a store's URL; a plain path is a SQLite file, a password `env:NAME` is read from there."""
    if "://" not in text:
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError(f"{text.partition('://')[0]}://...: cannot be read as a URL") from None
    kind = url.get_backend_name()
    if kind == "postgres":
        kind = "postgresql"
    if kind not in {"sqlite", "postgresql"}:
        raise StoreError(f"{kind}: a store is sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    if kind == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    elif not url.database or url.database == ":memory:":
        raise StoreError("sqlite: a store needs a file; write sqlite:///FILE")
    password = str(url.password or "")
    if password.startswith("env:"):
        name = password.removeprefix("env:")
        if name not in os.environ:
            raise StoreError(f"{shown(url)}: the environment variable {name} is not set")
        url = url.set(password=os.environ[name])
    return url


def shown(url: sa.URL) -> str:
    """Write a URL without its password."""
    return url.set(query={}).render_as_string(hide_password=True)


def open_store(url: str, *, create: bool = True) -> Store:
    """Open a store; made where it is not there and `create` is set, its schema brought up to date.

    Several processes may open it at once: one migrates, the others wait. Raises StoreError.
    """
    where = url_of(url)
    name = shown(where)
    if where.get_backend_name() == "sqlite":
        _check_file(Path(where.database or ""), name, create=create)
    engine = _engine(where, name)
    try:
        with trouble(name):
            _bring_up_to_date(engine, name, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, name)


@contextmanager
def trouble(name: str) -> Iterator[None]:
    """Say in one line what the database says."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{name}: {words_of(error)}") from None


def _check_file(path: Path, name: str, *, create: bool) -> None:
    if path.is_dir():
        raise StoreError(f"{name}: is a directory")
    if not path.exists():
        if not create:
            raise StoreError(f"{name}: there is no such file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{name}: {words_of(error)}") from None


def _engine(url: sa.URL, name: str) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        # Bounded, since a server behind a dead line is silent for ever.
        options: dict[str, Any] = {
            "connect_timeout": PATIENCE,
            "tcp_user_timeout": PATIENCE * 1000,
            "keepalives_idle": PATIENCE,
            "keepalives_interval": PATIENCE,
            "keepalives_count": 2,
            "options": f"-c lock_timeout={LOCKED}",
            "application_name": "callsim",
        }
        try:
            return sa.create_engine(url, connect_args=options, pool_pre_ping=True)
        except ImportError:
            raise StoreError(f"{name}: PostgreSQL needs psycopg; install callsim[postgres]") from None
    engine = sa.create_engine(url, connect_args={"timeout": BUSY})
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin as `_on_begin` says
    # Each commit is on the disk before it counts, even in a power cut; probers commit a few times a second.
    connection.execute("PRAGMA synchronous = FULL")


def _on_begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("outside", False):
        return
    # A reader that turns writer may find that the file has moved on, and cannot wait for it.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(engine: sa.Engine, name: str, *, create: bool) -> None:
    with engine.connect() as connection:
        found = _version(connection, name)
    if found is None and not create:
        raise StoreError(f"{name}: is no store of callsim's")
    if found == HEAD:
        return
    if engine.dialect.name == "sqlite":
        _set_wal(engine)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MARK})")
        if _version(connection, name) != HEAD:  # still, now that nobody else migrates
            _migrate(connection)


def _version(connection: sa.Connection, name: str) -> str | None:
    """Give the revision of a store; None where it is empty. Raises StoreError for what is not ours."""
    tables = sa.inspect(connection).get_table_names()
    if connection.dialect.name == "sqlite":
        mark = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        if tables and mark != MARK:
            raise StoreError(f"{name}: is a SQLite file of something else")
    if VERSIONS not in tables:
        if "calls" in tables:
            raise StoreError(f"{name}: has a table `calls` of something else; give callsim its own database")
        return None
    found = connection.execute(VERSION).scalar_one_or_none()
    if found is not None and found > HEAD:
        raise StoreError(
            f"{name}: was written by a newer callsim (schema {found}, here {HEAD}); update this one"
        )
    return found


def _set_wal(engine: sa.Engine) -> None:
    """Let readers go on while somebody writes; kept in the file."""
    raw = engine.raw_connection()
    until = time.monotonic() + BUSY
    try:
        while True:
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:  # two that start at once: this does not wait by itself
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return
    finally:
        raw.close()


def _migrate(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import, and seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id = {MARK}")
