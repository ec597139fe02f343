"""Brings a database to this version's schema, once, whoever else opens it at the same time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from transom.model.errors import Unavailable
from transom.store.engine import WRITE, build_engine, read_url
from transom.store.transactions import explained

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every migration, oldest first. Said here so that an up-to-date database opens without Alembic (0.5 s)."""
HEAD = KNOWN[-1]
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x7472616E736F6D
"""PostgreSQL advisory lock that one migrating process holds: `transom` in ASCII."""


def prepare_schema(engine: Engine, *, wait_ms: int) -> None:
    """Migrate to HEAD in one transaction. Raises Unavailable, also for a schema newer than this program."""
    try:
        if engine.dialect.name == "sqlite":
            _use_wal(engine, wait_ms)
        with engine.connect() as connection, connection.begin():
            found = _revision(connection)
        if found != HEAD:
            _migrate(engine, wait_ms)
    except (DBAPIError, sqlite3.Error) as error:
        raise explained(error) from None


def _use_wal(engine: Engine, wait_ms: int) -> None:
    # Changing the journal mode ignores SQLite's busy timeout, and two first opens meet here.
    until = time.monotonic() + wait_ms / 1000
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def _revision(connection: Connection) -> str | None:
    """The schema's revision, or None for an empty database."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine, wait_ms: int) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection, connection.execution_options(**{WRITE: True}).begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        found = _revision(connection)
        if found is not None and found not in KNOWN:
            raise _newer(found)
        if found != HEAD:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _newer(found: str) -> Unavailable:
    return Unavailable(
        f"the database has schema {found}, and this transom knows schemas up to {HEAD}: "
        "it was written by a newer version; start that one",
        code="schema_newer",
    )


def inspect(url: str) -> str:
    """Say how a database stands, changing nothing: `new`, `current` or `older`. Raises Unavailable, Invalid."""
    parsed = read_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return "new"
    engine = build_engine(parsed, threads=1, wait_ms=1000)
    try:
        with engine.connect() as connection, connection.begin():
            found = _revision(connection)
    except (DBAPIError, sqlite3.Error) as error:
        raise explained(error) from None
    finally:
        engine.dispose()
    if found is None or found == HEAD:
        return "new" if found is None else "current"
    if found not in KNOWN:
        raise _newer(found)
    return "older"
