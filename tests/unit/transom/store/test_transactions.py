"""What becomes of a transaction that goes wrong, or takes too long."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from transom.model.errors import Unavailable
from transom.store import transactions
from transom.store.engine import read_url
from transom.store.transactions import Transactions, explained


@pytest.fixture
async def memory() -> AsyncIterator[Transactions]:
    opened = Transactions(read_url("sqlite://"), wait_ms=100)
    yield opened
    await opened.close()


def wrapped(message: str) -> OperationalError:
    return OperationalError("SELECT 's3cret'", {"a": "s3cret"}, sqlite3.OperationalError(message))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("database is locked", "locked"),
        ("canceling statement due to lock timeout", "locked"),
        ("canceling statement due to statement timeout", "locked"),
        ("database or disk is full", "disk full"),
        ("could not extend file: No space left on device", "disk full"),
        ("disk I/O error", "disk full"),
        ("attempt to write a readonly database", "read-only"),
        ("connection refused", "reached"),
    ],
)
def test_operational_errors_are_unavailable_in_words(message: str, said: str) -> None:
    error = explained(wrapped(message))
    assert isinstance(error, Unavailable)
    assert said in error.message
    assert error.retry_after
    assert "s3cret" not in repr(error)


def test_other_errors() -> None:
    assert isinstance(explained(PoolTimeout()), Unavailable)
    assert "damaged" in str(explained(sqlite3.DatabaseError("malformed")))
    for ours in (ProgrammingError("x", {}, Exception()), IntegrityError("x", {}, Exception())):
        assert explained(ours) is ours


async def test_a_transaction_that_raises_writes_nothing(memory: Transactions) -> None:
    def make(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))

    def half(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        raise KeyError("ours")

    await memory.write(make)
    with pytest.raises(KeyError):
        await memory.write(half)
    count = await memory.read(lambda connection: connection.execute(text("SELECT count(*) FROM t")).scalar())
    assert count == 0


async def test_a_call_that_waits_too_long_is_unavailable_and_never_begins(
    memory: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_deadline_s", 0.1)
    go, ran = threading.Event(), []
    try:
        with pytest.raises(Unavailable, match="in time") as refused:
            await memory.write(lambda connection: go.wait(30))
        assert refused.value.retry_after == transactions.RETRY_AFTER_S
        with pytest.raises(Unavailable):
            await memory.write(lambda connection: ran.append("late"))
    finally:
        go.set()
    monkeypatch.setattr(memory, "_deadline_s", 10)
    await memory.write(lambda connection: None)
    assert ran == []


async def test_what_nobody_waits_for_cannot_hurt(memory: Transactions) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fails(connection: Connection) -> None:
        raise Unavailable("full")

    memory.write_later(fails, lambda: loop.call_soon_threadsafe(done.set))
    await asyncio.wait_for(done.wait(), 10)
    await memory.close()
    called = []
    memory.write_later(fails, lambda: called.append(1))
    assert called == [1]
