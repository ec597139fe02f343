"""Runs each transaction on the store's own threads, with a deadline, and names what went wrong.

SQLite has one writer: a single thread serialises writes, so that they queue here and not on its lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, Transaction
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from transom.model.errors import Unavailable
from transom.store.engine import CONNECT_SECONDS, WRITE, build_engine, in_memory

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2
"""Threads that read from SQLite."""
POSTGRES_THREADS = 4
RETRY_AFTER_S = 2


class Transactions:
    """Threads and engine of one open store."""

    def __init__(self, url: URL, wait_ms: int) -> None:
        sqlite = url.get_backend_name() == "sqlite"
        alone = in_memory(url)
        threads = 1 if alone else READERS + 1 if sqlite else POSTGRES_THREADS
        self.engine: Engine = build_engine(url, threads=threads, wait_ms=wait_ms)
        self._deadline_s = 2 * wait_ms / 1000 + CONNECT_SECONDS + 2
        self._writer = ThreadPoolExecutor(1 if sqlite else POSTGRES_THREADS, "store-write")
        self._reader = ThreadPoolExecutor(READERS, "store-read") if sqlite and not alone else self._writer
        self._closed = False

    async def read(self, act: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Run `act(connection, ...)` in a transaction of its own. Raises Unavailable."""
        return await self._wait(self._reader, lambda: self._transact(False, act, *args, **named))

    async def write(
        self, act: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        """Run `act(connection, ...)`, and return once it is committed. Raises Unavailable.

        A deadline that passes cannot recall a statement that is under way: it may still commit.
        """
        return await self._wait(self._writer, lambda: self._transact(True, act, *args, **named))

    def write_later(self, act: Callable[[Connection], object], done: Callable[[], object]) -> None:
        """Run `act` when the writer is free; nobody waits, and a failure costs nothing. Then call `done`."""

        def attempt() -> None:
            try:
                self._transact(True, act)
            except Unavailable:
                pass
            finally:
                done()

        if self._closed:
            done()
        else:
            self._writer.submit(attempt)

    async def call(self, act: Callable[[], T], *, deadline_s: float) -> T:
        """Run `act` on the writer's thread, outside any transaction."""
        return await self._wait(self._writer, act, deadline_s)

    async def close(self) -> None:
        """End what is under way, then let go of every connection."""
        self._closed = True
        await asyncio.wait_for(asyncio.to_thread(self._shut_down), self._deadline_s + 1)

    def _shut_down(self) -> None:
        self._writer.shutdown(cancel_futures=True)
        self._reader.shutdown(cancel_futures=True)
        self.engine.dispose()

    async def _wait(self, pool: ThreadPoolExecutor, act: Callable[[], T], deadline_s: float = 0) -> T:
        if self._closed:
            raise Unavailable("the store is closed")
        try:
            async with asyncio.timeout(deadline_s or self._deadline_s):
                return await asyncio.get_running_loop().run_in_executor(pool, act)
        except TimeoutError:
            raise Unavailable("the database did not answer in time", retry_after=RETRY_AFTER_S) from None

    def _transact(
        self, write: bool, act: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        try:
            with self.engine.connect() as connection, _begun(connection, write):
                return act(connection, *args, **named)
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            raise explained(error) from None


def _begun(connection: Connection, write: bool) -> Transaction:
    return connection.execution_options(**{WRITE: write}).begin()


def explained(error: DBAPIError | PoolTimeout | sqlite3.Error) -> Exception:
    """Return Unavailable for what time or an operator mends, and the error itself for a mistake of ours."""
    if isinstance(error, PoolTimeout):
        return Unavailable("the database is busy", retry_after=RETRY_AFTER_S)
    # A connection's set-up is not wrapped by SQLAlchemy: there the driver's own error arrives.
    cause = error.orig if isinstance(error, DBAPIError) else error
    passing = isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError)
    if passing or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Unavailable(_sentence(str(cause).lower()), retry_after=RETRY_AFTER_S)
    if type(cause) is sqlite3.DatabaseError:
        return Unavailable("the database file is damaged or not a database: restore it from a backup")
    return error


def _sentence(cause: str) -> str:
    if "disk is full" in cause or "no space left" in cause or "disk i/o error" in cause:
        return "the database cannot be written: is the disk full?"
    if "locked" in cause or "lock timeout" in cause or "statement timeout" in cause:
        return "the database is locked by another program"
    if "readonly" in cause or "read-only" in cause:
        return "the database is read-only"
    return "the database cannot be reached"
