"""Recordings at rest: a row for each; the pictures are files. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from transom.model.recording import Recording
from transom.store.tables import recordings
from transom.store.transactions import Transactions


class RecordingRows:
    """Implements RecordingStore of `model/stores.py` on an open store."""

    def __init__(self, transactions: Callable[[], Transactions]) -> None:
        self._transactions = transactions

    async def save_recording(self, recording: Recording) -> None:
        await self._transactions().write(save, recording)

    async def get_recording(self, session: str) -> Recording | None:
        return await self._transactions().read(get, session)

    async def list_recordings(self, *, user: str | None) -> Sequence[Recording]:
        return await self._transactions().read(listing, user)

    async def delete_recording(self, session: str) -> None:
        await self._transactions().write(forget, session)


def save(connection: Connection, recording: Recording) -> None:
    """Write the row, whether it is there or not."""
    values = asdict(recording)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    fresh = dialect.insert(recordings).values(**values)
    connection.execute(fresh.on_conflict_do_update(index_elements=["session"], set_=values))


def get(connection: Connection, session: str) -> Recording | None:
    """The row."""
    row = connection.execute(select(recordings).where(recordings.c.session == session)).first()
    return _row(row) if row is not None else None


def listing(connection: Connection, user: str | None) -> Sequence[Recording]:
    """Newest first."""
    query = select(recordings).order_by(recordings.c.started_at.desc(), recordings.c.session)
    if user is not None:
        query = query.where(recordings.c.user == user)
    return [_row(row) for row in connection.execute(query)]


def forget(connection: Connection, session: str) -> None:
    """Delete the row."""
    connection.execute(delete(recordings).where(recordings.c.session == session))


def _row(row: Row[Any]) -> Recording:
    return Recording(**row._mapping)
