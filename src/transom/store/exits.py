"""Exits, leases, what they moved, and the lists of where to. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from transom.model.exit import Counted, Decision, Exit, ExitState, Health, Lease, Lists, Pool, Upstream
from transom.store.credentials import add_audit
from transom.store.tables import exit_leases, exit_lists, exit_usage, exits, users
from transom_wire.exit import HostRule

POOL_LOCK = 0x65786974
"""PostgreSQL advisory lock of whoever decides about leases: `exit` in ASCII. SQLite has one writer anyway."""
Plan = Callable[[Pool], Decision]


def read_pool(connection: Connection) -> Pool:
    """Every exit and every lease."""
    place = (exits.c.host, exits.c.port, exits.c.username)
    rows = connection.execute(select(exits).order_by(exits.c.created_at, *place, exits.c.id))
    leases = [_lease(row) for row in connection.execute(select(exit_leases))]
    return Pool({row.id: _exit(row) for row in rows}, {lease.user: lease for lease in leases})


def decide(connection: Connection, plan: Plan, at: int) -> tuple[Pool, Decision]:
    """Read the pool, ask `plan`, commit what it says with its audit lines: one decision at a time.

    Returns the pool as it is then, and the decision. A lease of a user or exit that is gone is left out.
    """
    _one_at_a_time(connection)
    pool = read_pool(connection)
    decision = plan(pool)
    return _apply(connection, pool, decision, at), decision


def add_exits(connection: Connection, offered: Sequence[Exit]) -> tuple[int, int]:
    """Add those whose upstream is new; of known ones the password is replaced: (added, known)."""
    _one_at_a_time(connection)
    found = connection.execute(
        select(exits.c.id, exits.c.scheme, exits.c.host, exits.c.port, exits.c.username)
    )
    known = {(row.scheme, row.host, row.port, row.username): row.id for row in found}
    fresh = [exit for exit in offered if exit.upstream.key not in known]
    if fresh:
        connection.execute(insert(exits), [_row(exit) for exit in fresh])
    return len(fresh), len(offered) - len(fresh)


def replace_sealed(connection: Connection, sealed: Mapping[str, bytes | None]) -> None:
    """Give exits, by id, another sealed password."""
    for id, record in sealed.items():
        connection.execute(update(exits).where(exits.c.id == id).values(sealed=record))


def remove_exit(connection: Connection, exit: str, plan: Plan, at: int) -> tuple[Pool, Decision] | None:
    """Decide about its users, then remove it; None when it does not exist."""
    _one_at_a_time(connection)
    pool = read_pool(connection)
    if exit not in pool.exits:
        return None
    decision = plan(pool)
    left = _apply(connection, pool, decision, at)
    connection.execute(delete(exits).where(exits.c.id == exit))
    return Pool({id: one for id, one in left.exits.items() if id != exit}, left.leases), decision


def set_draining(connection: Connection, exit: str, draining: bool) -> bool:
    """False when it does not exist."""
    return connection.execute(update(exits).where(exits.c.id == exit).values(draining=draining)).rowcount == 1


def save_health(connection: Connection, fares: Mapping[str, Health]) -> None:
    """Write how exits fare, by id."""
    for id, health in fares.items():
        connection.execute(update(exits).where(exits.c.id == id).values(health=asdict(health)))


def save_address(connection: Connection, exit: str, address: str, at: int) -> str | None:
    """Write what was measured; returns the address that was known before."""
    before: str | None = connection.execute(select(exits.c.address).where(exits.c.id == exit)).scalar()
    connection.execute(update(exits).where(exits.c.id == exit).values(address=address, address_at=at))
    return before


def count(connection: Connection, moved: Sequence[Counted]) -> None:
    """Add to what machines moved, and to their exits' own sums."""
    for each in moved:
        connection.execute(_added(connection, each))
        sums = {
            "bytes_up": exits.c.bytes_up + each.bytes_up,
            "bytes_down": exits.c.bytes_down + each.bytes_down,
        }
        connection.execute(update(exits).where(exits.c.id == each.exit).values(sums))


def counted_of(connection: Connection, machine: str) -> Counted | None:
    """What is counted of a machine, all its exits together; None when nothing is."""
    found = connection.execute(_sums().where(exit_usage.c.machine == machine)).one()
    if found.machine is None:
        return None
    return _counted(found)


def usage_of(connection: Connection, user: str | None) -> Sequence[Counted]:
    """What each session moved through each exit, the newest first; of one user or of all."""
    query = select(exit_usage).order_by(exit_usage.c.at.desc()).limit(1000)
    if user is not None:
        query = query.where(exit_usage.c.user_id == user)
    return [_counted(row) for row in connection.execute(query)]


def prune_usage(connection: Connection, before: int) -> int:
    """Remove counts that were last written before `before` (Unix ms)."""
    return connection.execute(delete(exit_usage).where(exit_usage.c.at < before)).rowcount


def set_lists(connection: Connection, kind: str, subject: str, lists: Lists | None) -> None:
    """Write the lists of a `user` or a `provider`; None removes them."""
    connection.execute(delete(exit_lists).where(exit_lists.c.kind == kind, exit_lists.c.subject == subject))
    if lists is not None:
        row = {"allow": _rules_out(lists.allow), "deny": _rules_out(lists.deny)}
        connection.execute(insert(exit_lists).values(kind=kind, subject=subject, **row))


def all_lists(connection: Connection) -> Mapping[tuple[str, str], Lists]:
    """Every list by (kind, subject)."""
    return {
        (row.kind, row.subject): Lists(_rules_in(row.allow), _rules_in(row.deny))
        for row in connection.execute(select(exit_lists))
    }


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POOL_LOCK})


def _apply(connection: Connection, pool: Pool, decision: Decision, at: int) -> Pool:
    leases = {user: lease for user, lease in pool.leases.items() if user not in decision.drop}
    if decision.drop:
        connection.execute(delete(exit_leases).where(exit_leases.c.user_id.in_(decision.drop)))
    for lease in decision.put:
        if not _keep_user(connection, lease.user):
            continue
        connection.execute(insert(exit_leases).values(**_lease_row(lease)))
        leases[lease.user] = lease
    for line in decision.lines:
        add_audit(connection, at, line.user, line.action, line.subject, line.outcome, line.detail)
    return Pool(pool.exits, leases)


def _keep_user(connection: Connection, user: str) -> bool:
    """True when the user exists, and goes on to until this transaction ends."""
    query = select(users.c.id).where(users.c.id == user)
    return connection.execute(query.with_for_update(read=True, key_share=True)).scalar() is not None


def _added(connection: Connection, each: Counted) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    names = ("bytes_up", "bytes_down", "connections", "failed")
    row = {"machine": each.machine, "exit_id": each.exit, "user_id": each.user, "session": each.session}
    added = dialect.insert(exit_usage).values(
        **row, at=each.at, **{name: getattr(each, name) for name in names}
    )
    more = {name: exit_usage.c[name] + added.excluded[name] for name in names}
    return added.on_conflict_do_update(
        index_elements=["machine", "exit_id"], set_={**more, "at": added.excluded.at}
    )


def _sums() -> Any:
    names = ("bytes_up", "bytes_down", "connections", "failed")
    one = ("machine", "exit_id", "user_id", "session", "at")
    return select(
        *(func.max(exit_usage.c[name]).label(name) for name in one),
        *(func.sum(exit_usage.c[name]).label(name) for name in names),
    )


def _counted(row: Row[Any]) -> Counted:
    return Counted(
        row.machine,
        row.exit_id,
        row.user_id,
        row.session,
        int(row.bytes_up),
        int(row.bytes_down),
        int(row.connections),
        int(row.failed),
        row.at,
    )


def _row(exit: Exit) -> dict[str, Any]:
    return {
        "id": exit.id,
        "label": exit.label,
        "scheme": exit.upstream.scheme,
        "host": exit.upstream.host,
        "port": exit.upstream.port,
        "username": exit.upstream.username or "",
        "sealed": exit.sealed,
        "region": exit.region,
        "tags": list(exit.tags),
        "created_at": exit.created_at,
        "draining": exit.draining,
        "health": asdict(exit.health),
        "address": exit.address,
        "address_at": exit.address_at,
        "bytes_up": exit.bytes_up,
        "bytes_down": exit.bytes_down,
    }


def _exit(row: Row[Any]) -> Exit:
    health = dict(row.health)
    return Exit(
        id=row.id,
        label=row.label,
        upstream=Upstream(row.scheme, row.host, row.port, row.username or None),
        sealed=row.sealed,
        region=row.region,
        tags=tuple(row.tags),
        created_at=row.created_at,
        draining=row.draining,
        health=Health(**{**health, "state": ExitState(health["state"])}),
        address=row.address,
        address_at=row.address_at,
        bytes_up=row.bytes_up,
        bytes_down=row.bytes_down,
    )


def _lease(row: Row[Any]) -> Lease:
    return Lease(row.user_id, row.exit_id, row.since, row.shared, row.asked, row.word)


def _lease_row(lease: Lease) -> dict[str, Any]:
    return {
        "user_id": lease.user,
        "exit_id": lease.exit,
        "since": lease.since,
        "shared": lease.shared,
        "asked": lease.asked,
        "word": lease.word,
    }


def _rules_out(rules: Sequence[HostRule]) -> list[list[Any]]:
    return [[rule.host, rule.port] for rule in rules]


def _rules_in(rules: Any) -> tuple[HostRule, ...]:
    return tuple(HostRule(host, port) for host, port in rules)
