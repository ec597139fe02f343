"""Links into sessions and who is in them, at rest. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from transom.model.errors import Conflict, NotFound
from transom.model.seat import Kind, Person, Seat, SessionLink
from transom.store.tables import session_links, session_seats, sessions
from transom.store.transactions import Transactions

KEPT = 64
"""Links of one session whose rows are kept; beyond, those that are over go, oldest first."""


class LinkRows:
    """Implements LinkStore and SeatStore of `model/seat.py` on an open store."""

    def __init__(self, transactions: Callable[[], Transactions]) -> None:
        self._transactions = transactions

    async def add_link(self, link: SessionLink, digest: bytes, *, most: int) -> None:
        await self._transactions().write(add_link, link, digest, most)

    async def list_links(self, session: str) -> Sequence[SessionLink]:
        return await self._transactions().read(list_links, session)

    async def find_link(self, digest: bytes) -> SessionLink | None:
        return await self._transactions().read(find_link, digest)

    async def revoke_link(self, session: str, link: str, at: int) -> bool:
        return await self._transactions().write(revoke_link, session, link, at)

    async def save_seats(self, session: str, seats: Sequence[Seat]) -> None:
        await self._transactions().write(save_seats, session, seats)

    async def all_seats(self) -> Mapping[str, Sequence[Seat]]:
        return await self._transactions().read(all_seats)


def add_link(connection: Connection, link: SessionLink, digest: bytes, most: int) -> None:
    """Raises NotFound, Conflict."""
    known = list_links(connection, link.session)
    dead = [each.id for each in known if each.over(link.created_at) is not None]
    if len(known) - len(dead) >= most:
        raise Conflict(f"a session has at most {most} links: withdraw one", code="too_many_links")
    for gone in dead[: max(0, len(known) - KEPT + 1)]:
        connection.execute(delete(session_links).where(session_links.c.id == gone))
    row = asdict(link) | {"kind": link.kind.value, "digest": digest}
    try:
        connection.execute(insert(session_links).values(**row))
    except IntegrityError:
        raise NotFound("no such session") from None


def list_links(connection: Connection, session: str) -> Sequence[SessionLink]:
    """Oldest first."""
    query = select(session_links).where(session_links.c.session == session)
    rows = connection.execute(query.order_by(session_links.c.created_at, session_links.c.id))
    return [_link(row) for row in rows]


def find_link(connection: Connection, digest: bytes) -> SessionLink | None:
    """The link of this token, over or not."""
    row = connection.execute(select(session_links).where(session_links.c.digest == digest)).one_or_none()
    return None if row is None else _link(row)


def revoke_link(connection: Connection, session: str, link: str, at: int) -> bool:
    """The first withdrawal stays."""
    mine = (session_links.c.id == link, session_links.c.session == session)
    if connection.execute(select(session_links.c.id).where(*mine)).scalar() is None:
        return False
    open_yet = session_links.c.revoked_at.is_(None)
    connection.execute(update(session_links).where(*mine, open_yet).values(revoked_at=at))
    return True


def save_seats(connection: Connection, session: str, seats: Sequence[Seat]) -> None:
    """Replace what is kept."""
    connection.execute(delete(session_seats).where(session_seats.c.session == session))
    if seats and connection.execute(select(sessions.c.id).where(sessions.c.id == session)).scalar():
        connection.execute(
            insert(session_seats).values(session=session, seats=[asdict(seat) for seat in seats])
        )


def all_seats(connection: Connection) -> Mapping[str, Sequence[Seat]]:
    """Of every session that lives."""
    living = sessions.c.state.not_in(("ended", "failed"))
    query = select(session_seats).join(sessions, sessions.c.id == session_seats.c.session).where(living)
    return {row.session: [_seat(seat) for seat in row.seats] for row in connection.execute(query)}


def _link(row: Row[Any]) -> SessionLink:
    times = (row.created_at, row.expires_at, row.revoked_at)
    return SessionLink(row.id, row.session, Kind(row.kind), row.label, *times)


def _seat(kept: dict[str, Any]) -> Seat:
    person = kept["person"]
    return Seat(**{**kept, "person": Person(**{**person, "kind": Kind(person["kind"])})})
