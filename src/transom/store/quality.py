"""What pictures were like, at rest. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from transom.model.quality import KEEPING, Keeping, QualityRow, thinned
from transom.store.tables import quality, sessions
from transom.store.transactions import Transactions

SHORT_MS = 30_000
"""A row of a shorter span is one as it came."""
SLACK = 60
"""Rows above what is kept before older ones are merged, so that not each write does it."""


class QualityRows:
    """Implements QualityStore of `model/stores.py` on an open store."""

    def __init__(self, transactions: Callable[[], Transactions], keeping: Keeping = KEEPING) -> None:
        self._transactions = transactions
        self._keeping = keeping

    async def add(self, rows: Sequence[QualityRow]) -> None:
        await self._transactions().write(add_rows, rows, self._keeping)

    async def of(self, session: str, *, since: int, limit: int) -> Sequence[QualityRow]:
        return await self._transactions().read(rows_of, session, since, limit)

    async def prune(self, *, before: int) -> int:
        return await self._transactions().write(prune, before)


def add_rows(connection: Connection, rows: Sequence[QualityRow], keeping: Keeping = KEEPING) -> None:
    """Append rows of sessions that are still known; a repeated one changes nothing. Older ones are merged."""
    named = {row.session for row in rows}
    known = set(connection.execute(select(sessions.c.id).where(sessions.c.id.in_(named))).scalars())
    _insert(connection, [row for row in rows if row.session in known])
    counted = (
        select(quality.c.session)
        .where(quality.c.session.in_(known), quality.c.span_ms < SHORT_MS)
        .group_by(quality.c.session)
        .having(func.count() > keeping.fine + SLACK)
    )
    for session in connection.execute(counted).scalars().all():
        _thin(connection, session, keeping)


def _insert(connection: Connection, rows: Iterable[QualityRow]) -> None:
    values = [_values(row) for row in rows]
    if values:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(quality).on_conflict_do_nothing(), values)


def _thin(connection: Connection, session: str, keeping: Keeping) -> None:
    query = select(quality).where(quality.c.session == session)
    before = {(row.viewer, row.at): row for row in map(_row, connection.execute(query))}
    after = {(row.viewer, row.at): row for row in thinned(before.values(), keeping)}
    gone = [key for key, row in before.items() if after.get(key) != row]
    if len(before) - len(after) < SLACK:
        return
    for viewer, at in gone:
        same = (quality.c.session == session, quality.c.viewer == viewer, quality.c.at == at)
        connection.execute(delete(quality).where(*same))
    _insert(connection, [row for key, row in after.items() if before.get(key) != row])


def rows_of(connection: Connection, session: str, since: int, limit: int) -> Sequence[QualityRow]:
    """The newest `limit` that ended at `since` or later, oldest first."""
    query = select(quality).where(quality.c.session == session, quality.c.at >= since)
    newest = connection.execute(query.order_by(quality.c.at.desc(), quality.c.viewer.desc()).limit(limit))
    return [_row(row) for row in newest][::-1]


def prune(connection: Connection, before: int) -> int:
    """Remove rows that ended before then; returns how many there were."""
    return connection.execute(delete(quality).where(quality.c.at < before)).rowcount


def forget(connection: Connection, session: str) -> None:
    """The session's row goes, and these with it."""
    connection.execute(delete(quality).where(quality.c.session == session))


def _values(row: QualityRow) -> dict[str, Any]:
    head = {name: getattr(row, name) for name in ("session", "viewer", "at", "span_ms", "rung")}
    return {**head, "figures": dict(row.figures), "words": dict(row.words)}


def _row(row: Row[Any]) -> QualityRow:
    return QualityRow(**row._mapping)
