"""Sessions at rest. Each function runs inside a transaction that its caller opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, Row, and_, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from transom.model.errors import Conflict
from transom.model.session import EndReason, Session, SessionState, Signin, SigninStage
from transom.store import quality
from transom.store.tables import LIVING, sessions

SETTLED = ("id", "user", "created_at")
"""Fields that a session keeps for life."""
FIELDS = tuple(field.name for field in fields(Session))


def add_session(connection: Connection, session: Session, idempotency_key: str | None) -> Session:
    """Write the intent, or return what this user's key wrote before. Raises Conflict."""
    if (known := session_by_key(connection, session.user, idempotency_key)) is not None:
        return known
    if _insert(connection, {**_row(session), "idempotency_key": idempotency_key}):
        return session
    # On PostgreSQL another transaction may have come between the look and the insert.
    if (known := session_by_key(connection, session.user, idempotency_key)) is not None:
        return known
    raise Conflict("this session, or its machine, exists already", code="session_exists")


def session_by_key(connection: Connection, user: str, key: str | None) -> Session | None:
    """The session that this user's key wrote, or None."""
    if key is None:
        return None
    query = select(sessions).where(sessions.c.user_id == user, sessions.c.idempotency_key == key)
    row = connection.execute(query).one_or_none()
    return None if row is None else _session(row)


def get_session(connection: Connection, session: str) -> Session | None:
    """The session, or None."""
    row = connection.execute(select(sessions).where(sessions.c.id == session)).one_or_none()
    return None if row is None else _session(row)


def list_sessions(connection: Connection, user: str | None, living: bool) -> Sequence[Session]:
    """Newest first."""
    query = select(sessions).order_by(sessions.c.created_at.desc(), sessions.c.id)
    if user is not None:
        query = query.where(sessions.c.user_id == user)
    if living:
        query = query.where(LIVING)
    return [_session(row) for row in connection.execute(query)]


def save_session(connection: Connection, session: Session, seen: Session) -> bool:
    """Write what differs from `seen`, where the row's state, end and machine are still those of `seen`.

    Only the fields that the caller changed are written: a heartbeat or a sign-in that was stored
    meanwhile stays, and `last_seen_at` never goes back.
    """
    if any(getattr(session, name) != getattr(seen, name) for name in SETTLED):
        raise ValueError("a session's id, user and creation are for life")
    before, after = _row(seen), _row(session)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if "last_seen_at" in changed:
        changed["last_seen_at"] = _later(session.last_seen_at)
    unmoved = and_(
        sessions.c.id == seen.id,
        sessions.c.state == seen.state.value,
        sessions.c.wanted_end.is_not_distinct_from(before["wanted_end"]),
        sessions.c.machine == seen.machine,
    )
    if not changed:
        return connection.execute(select(sessions.c.id).where(unmoved)).first() is not None
    return connection.execute(update(sessions).where(unmoved).values(**changed)).rowcount == 1


def touch_session(connection: Connection, session: str, at: int) -> None:
    """Move `last_seen_at` forward; of a session that is over, nothing changes."""
    connection.execute(
        update(sessions).where(sessions.c.id == session, LIVING).values(last_seen_at=_later(at))
    )


def delete_session(connection: Connection, session: str) -> None:
    """Forget the session. Raises Conflict for one that is not over: its machine would be an orphan."""
    over = sessions.c.state.in_([SessionState.ENDED.value, SessionState.FAILED.value])
    gone = connection.execute(delete(sessions).where(sessions.c.id == session, over)).rowcount
    if gone:
        quality.forget(connection, session)
    if gone == 0 and get_session(connection, session) is not None:
        raise Conflict("the session is not over")


def end_sessions_of(connection: Connection, user: str) -> None:
    """Decide the end of every living session of a user who is being removed."""
    connection.execute(
        update(sessions)
        .where(sessions.c.user_id == user, LIVING, sessions.c.wanted_end.is_(None))
        .values(wanted_end=EndReason.STOPPED.value, end_detail="the user was removed")
    )


def _insert(connection: Connection, row: dict[str, Any]) -> bool:
    # No savepoint: a full disk makes SQLite end the whole transaction, and its rollback would hide why.
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    write = dialect.insert(sessions).values(**row).on_conflict_do_nothing().returning(sessions.c.id)
    return connection.execute(write).first() is not None


def _later(at: int) -> Any:
    return case((sessions.c.last_seen_at > at, sessions.c.last_seen_at), else_=at)


def _row(session: Session) -> dict[str, Any]:
    row = {name: getattr(session, name) for name in FIELDS}
    row["user_id"] = row.pop("user")
    row["state"] = session.state.value
    row["wanted_end"] = session.wanted_end.value if session.wanted_end else None
    row["timeline"] = dict(session.timeline)
    row["warnings"] = list(session.warnings)
    row["signin"] = asdict(session.signin) if session.signin else None
    return row


def _session(row: Row[Any]) -> Session:
    found = {name: value for name, value in row._mapping.items() if name != "idempotency_key"}
    found["user"] = found.pop("user_id")
    found["state"] = SessionState(row.state)
    found["wanted_end"] = EndReason(row.wanted_end) if row.wanted_end else None
    found["warnings"] = tuple(row.warnings)
    found["signin"] = _signin(row.signin)
    return Session(**found)


def _signin(stored: dict[str, Any] | None) -> Signin | None:
    if stored is None:
        return None
    found = stored | {"stage": SigninStage(stored["stage"]), "saved_names": tuple(stored["saved_names"])}
    return Signin(**found)
