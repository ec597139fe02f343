"""Sealed credentials, vault keys and the audit trail. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from transom.model.credential import Credential
from transom.model.errors import Conflict, NotFound
from transom.store.tables import audit, credentials, users, vault_keys
from transom_wire.sealing import Sealed

KEPT_GENERATIONS = 3
"""Generations of a credential that keep their sealed bytes; of older ones only the line stays."""
KEPT_LINES = 50
"""Generations of which at least the line stays: a guest that seals anew for ever fills no disk."""
AUDIT_LIMIT = 1000


def add_credential(connection: Connection, credential: Credential) -> Credential:
    """Commit as the next generation; bytes of this session that are held already give back that row.

    Raises NotFound for a user that does not exist, Conflict `older` for a lower serial of its flow,
    Conflict `superseded` for a flow after which the user signed in anew.
    """
    _one_at_a_time(connection, credential.user)
    held = _of(connection, credential.user, credential.provider)
    for row in held:
        if row.session == credential.session and _sealed(row) == credential.sealed:
            return _credential(row)
    _refuse_stale(credential, held)
    saved = replace(credential, generation=held[0].generation + 1 if held else 1)
    try:
        connection.execute(insert(credentials).values(**_row(saved)))
    except IntegrityError:
        raise NotFound("no such user, or no such vault key") from None
    _erase_old(connection, saved)
    return saved


def newest_credential(connection: Connection, user: str, provider: str) -> Credential | None:
    """The newest generation, or None."""
    held = _of(connection, user, provider)
    return _credential(held[0]) if held else None


def list_credentials(connection: Connection, user: str) -> Sequence[Credential]:
    """The newest generation of each provider, by provider."""
    newest = (
        select(credentials.c.provider, func.max(credentials.c.generation).label("generation"))
        .where(credentials.c.user_id == user)
        .group_by(credentials.c.provider)
        .subquery()
    )
    same = and_(credentials.c.provider == newest.c.provider, credentials.c.generation == newest.c.generation)
    query = select(credentials).join(newest, same).where(credentials.c.user_id == user)
    return [_credential(row) for row in connection.execute(query.order_by(credentials.c.provider))]


def delete_credentials(connection: Connection, user: str, provider: str) -> int:
    """Remove every generation; returns how many there were."""
    where = (credentials.c.user_id == user, credentials.c.provider == provider)
    return connection.execute(delete(credentials).where(*where)).rowcount


def add_vault_key(connection: Connection, id: str, public: bytes, wrapped_private: bytes, at: int) -> None:
    """Raises Conflict when the id is taken."""
    row = {"id": id, "public": public, "wrapped_private": wrapped_private, "created_at": at}
    try:
        connection.execute(insert(vault_keys).values(**row))
    except IntegrityError:
        raise Conflict("this vault key exists") from None


def list_vault_keys(connection: Connection) -> Sequence[tuple[str, bytes, bytes]]:
    """(id, public, wrapped private), newest first."""
    query = select(vault_keys).order_by(vault_keys.c.created_at.desc(), vault_keys.c.id)
    return [(row.id, row.public, row.wrapped_private) for row in connection.execute(query)]


def rewrap_vault_keys(connection: Connection, rewrapped: Sequence[tuple[str, bytes, bytes]]) -> bool:
    """Replace wrapped keys, given as (id, seen, new), all or none; False when one has moved meanwhile."""
    for id, seen, new in rewrapped:
        same = (vault_keys.c.id == id, vault_keys.c.wrapped_private == seen)
        if connection.execute(update(vault_keys).where(*same).values(wrapped_private=new)).rowcount != 1:
            connection.get_transaction().rollback()  # type: ignore[union-attr]
            return False
    return True


def add_audit(
    connection: Connection,
    at: int,
    user: str,
    action: str,
    subject: str,
    outcome: str,
    detail: Mapping[str, str],
) -> None:
    """Append one line."""
    row = {"at": at, "user_id": user, "action": action, "subject": subject}
    connection.execute(insert(audit).values(**row, outcome=outcome, detail=dict(detail)))


def list_audit(connection: Connection, user: str | None, limit: int) -> Sequence[Mapping[str, object]]:
    """Lines as {at, user, action, subject, outcome, detail}, newest first, at most AUDIT_LIMIT."""
    query = select(audit).order_by(audit.c.number.desc()).limit(max(0, min(limit, AUDIT_LIMIT)))
    if user is not None:
        query = query.where(audit.c.user_id == user)
    return [
        {
            "at": row.at,
            "user": row.user_id,
            "action": row.action,
            "subject": row.subject,
            "outcome": row.outcome,
            "detail": row.detail,
        }
        for row in connection.execute(query)
    ]


def prune_audit(connection: Connection, before: int) -> int:
    """Remove the lines older than `before` (Unix ms); returns how many there were."""
    return connection.execute(delete(audit).where(audit.c.at < before)).rowcount


def _one_at_a_time(connection: Connection, user: str) -> None:
    # SQLite's write transaction is alone already; PostgreSQL takes the user's row as the lock.
    if connection.dialect.name == "postgresql":
        connection.execute(select(users.c.id).where(users.c.id == user).with_for_update())


def _refuse_stale(credential: Credential, held: Sequence[Row[Any]]) -> None:
    own = [row for row in held if row.flow == credential.flow and row.session == credential.session]
    if not own or not credential.flow:
        return
    if own[0].generation != held[0].generation:
        raise Conflict("the user has signed in anew since this sign-in", code="superseded")
    if own[0].serial > credential.serial:
        raise Conflict("a newer credential of this sign-in is held", code="older")


def _erase_old(connection: Connection, saved: Credential) -> None:
    connection.execute(
        update(credentials)
        .where(
            credentials.c.user_id == saved.user,
            credentials.c.provider == saved.provider,
            credentials.c.generation <= saved.generation - KEPT_GENERATIONS,
            text("NOT erased"),
        )
        .values(wrapped_key=b"", nonce=b"", ciphertext=b"", erased=True)
    )
    connection.execute(
        delete(credentials).where(
            credentials.c.user_id == saved.user,
            credentials.c.provider == saved.provider,
            credentials.c.generation <= saved.generation - KEPT_LINES,
        )
    )


def _of(connection: Connection, user: str, provider: str) -> Sequence[Row[Any]]:
    query = select(credentials).where(credentials.c.user_id == user, credentials.c.provider == provider)
    return connection.execute(query.order_by(credentials.c.generation.desc())).all()


def _sealed(row: Row[Any]) -> Sealed:
    return Sealed(row.wrapped_key, row.nonce, row.ciphertext)


def _row(credential: Credential) -> dict[str, Any]:
    return {
        "id": credential.id,
        "user_id": credential.user,
        "provider": credential.provider,
        "session": credential.session,
        "flow": credential.flow,
        "serial": credential.serial,
        "generation": credential.generation,
        "created_at": credential.created_at,
        "expires_at": credential.expires_at,
        "names": list(credential.names),
        "vault_key_id": credential.vault_key_id,
        "wrapped_key": credential.sealed.wrapped_key,
        "nonce": credential.sealed.nonce,
        "ciphertext": credential.sealed.ciphertext,
        "erased": False,
    }


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        id=row.id,
        user=row.user_id,
        provider=row.provider,
        session=row.session,
        generation=row.generation,
        created_at=row.created_at,
        expires_at=row.expires_at,
        names=tuple(row.names),
        vault_key_id=row.vault_key_id,
        sealed=_sealed(row),
        flow=row.flow,
        serial=row.serial,
    )
