"""One engine for a database URL, set up so that a commit is durable and no wait is for ever."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from transom.model.errors import Invalid

WRITE = "transom_write"
"""Execution option of a connection whose transaction will write: SQLite then takes its lock at BEGIN."""
CONNECT_SECONDS = 3
"""How long PostgreSQL may take to accept a connection."""


def read_url(text: str) -> URL:
    """Return the URL with its driver filled in. Raises Invalid, without quoting: a URL may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Invalid("the database URL cannot be read") from None
    kind = url.drivername.split("+")[0]
    if kind == "sqlite":
        return url.set(drivername="sqlite+pysqlite")
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise Invalid("the database URL must begin with sqlite: or postgresql:")


def in_memory(url: URL) -> bool:
    """True for a SQLite database that lives in one connection only."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def build_engine(url: URL, *, threads: int, wait_ms: int) -> Engine:
    """Return an engine for `threads` threads, whose statements wait at most `wait_ms` for a lock."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, threads, wait_ms)
    limits = {
        "statement_timeout": wait_ms + 2000,
        "lock_timeout": wait_ms,
        "idle_in_transaction_session_timeout": 60_000,
        "tcp_user_timeout": (wait_ms + 2000),
    }
    return create_engine(
        url,
        poolclass=QueuePool,
        pool_size=threads,
        max_overflow=0,
        pool_timeout=wait_ms / 1000,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
            "application_name": "transom",
        },
        hide_parameters=True,
    )


def _sqlite_engine(url: URL, threads: int, wait_ms: int) -> Engine:
    pool: dict[str, Any] = (
        {"poolclass": StaticPool}
        if in_memory(url)
        else {
            "poolclass": QueuePool,
            "pool_size": threads,
            "max_overflow": 0,
            "pool_timeout": wait_ms / 1000,
        }
    )
    engine = create_engine(
        url,
        connect_args={"timeout": wait_ms / 1000, "check_same_thread": False, "isolation_level": None},
        hide_parameters=True,
        **pool,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, record: Any) -> None:
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver's own BEGIN comes late and takes the write lock later still, where waiting cannot help.
        write = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def prepare_file(url: URL) -> None:
    """Make SQLite's file readable by its owner only, before SQLite does. The -wal and -shm files inherit it."""
    path = Path(url.database or "")
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
