"""Users and the digests of what signs them in. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from transom.model.errors import Conflict, NotFound
from transom.model.user import Role, User
from transom.store.sessions import end_sessions_of
from transom.store.tables import secrets, users

LISTED = ("id", "label", "created_at", "expires_at", "last_used_at")
"""What may be shown of a secret."""


def add_user(connection: Connection, user: User) -> None:
    """Raises Conflict when the name or the id is taken."""
    values = {"id": user.id, "name": user.name, "role": user.role.value, "created_at": user.created_at}
    try:
        connection.execute(insert(users).values(**values))
    except IntegrityError:
        raise Conflict("a user of this name exists", code="user_exists") from None


def get_user(connection: Connection, user: str) -> User | None:
    """The user, or None."""
    row = connection.execute(select(users).where(users.c.id == user)).one_or_none()
    return None if row is None else _user(row)


def find_user(connection: Connection, name: str) -> User | None:
    """The user of this exact name, or None."""
    row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
    return None if row is None else _user(row)


def list_users(connection: Connection, role: Role | None) -> Sequence[User]:
    """Oldest first."""
    query = select(users).order_by(users.c.created_at, users.c.id)
    if role is not None:
        query = query.where(users.c.role == role.value)
    return [_user(row) for row in connection.execute(query)]


def delete_user(connection: Connection, user: str) -> None:
    """Remove a user with their secrets and credentials, and decide the end of their living sessions."""
    end_sessions_of(connection, user)
    connection.execute(delete(users).where(users.c.id == user))


def add_secret(
    connection: Connection,
    *,
    id: str,
    kind: str,
    digest: bytes,
    user: str,
    label: str,
    at: int,
    expires_at: int | None,
) -> None:
    """Store a digest, and sweep out what has expired. Raises NotFound for a user that does not exist."""
    connection.execute(delete(secrets).where(secrets.c.expires_at <= at))
    row = {"id": id, "kind": kind, "digest": digest, "user_id": user, "label": label}
    try:
        connection.execute(insert(secrets).values(**row, created_at=at, expires_at=expires_at))
    except IntegrityError:
        raise NotFound("no such user") from None


def find_secret(connection: Connection, kind: str, digest: bytes, at: int) -> tuple[str, User, int] | None:
    """(id, user, last use or 0) of a live secret, or None."""
    query = (
        select(secrets.c.id.label("secret"), secrets.c.last_used_at, users)
        .join(users, users.c.id == secrets.c.user_id)
        .where(secrets.c.digest == digest, secrets.c.kind == kind, _alive(at))
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.secret, _user(row), row.last_used_at or 0)


def spend_secret(connection: Connection, kind: str, digest: bytes, at: int) -> tuple[str, User] | None:
    """The id and user of a live secret that is no more when this commits, or None: one caller wins."""
    spent = connection.execute(
        delete(secrets)
        .where(secrets.c.digest == digest, secrets.c.kind == kind, _alive(at))
        .returning(secrets.c.id, secrets.c.user_id)
    ).one_or_none()
    if spent is None:
        return None
    user = get_user(connection, spent.user_id)
    return None if user is None else (spent.id, user)


def note_use(connection: Connection, secret: str, at: int) -> None:
    """Remember when a secret was last used."""
    connection.execute(update(secrets).where(secrets.c.id == secret).values(last_used_at=at))


def list_secrets(connection: Connection, kind: str, user: str) -> Sequence[Mapping[str, object]]:
    """What may be shown of a user's secrets, oldest first."""
    columns = [secrets.c[name] for name in LISTED]
    query = (
        select(*columns)
        .where(secrets.c.kind == kind, secrets.c.user_id == user)
        .order_by(secrets.c.created_at, secrets.c.id)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def delete_secret(connection: Connection, id: str, user: str | None) -> bool:
    """True when it existed, and was this user's when `user` is given."""
    query = delete(secrets).where(secrets.c.id == id)
    if user is not None:
        query = query.where(secrets.c.user_id == user)
    return connection.execute(query).rowcount == 1


def _alive(at: int) -> Any:
    return or_(secrets.c.expires_at.is_(None), secrets.c.expires_at > at)


def _user(row: Row[Any]) -> User:
    return User(row.id, row.name, Role(row.role), row.created_at)
