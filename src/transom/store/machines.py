"""Machines at rest. Each function runs inside a transaction that its caller opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from transom.model.errors import Conflict
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.session import Session
from transom.store.sessions import save_session
from transom.store.tables import STANDING, machines

FIELDS = tuple(field.name for field in fields(Machine))
COLUMNS = tuple(machines.c[name] for name in FIELDS)
"""Everything but the log, which only its own question reads."""
SETTLED = ("id", "driver", "image", "slot", "made_at", "warm")
"""Fields that a machine keeps for life."""
TRIES = 50
"""How often a row is written again because another transaction was faster, on PostgreSQL alone."""


class Moved(Exception):
    """The session is not what its caller saw: everything of the transaction is undone."""


def add_machine(connection: Connection, machine: Machine) -> Machine:
    """Write the row in the smallest free slot in which no earlier machine of its session was; a known id returns what
    is there. Raises Conflict."""
    for _ in range(TRIES):
        if (known := get_machine(connection, machine.id)) is not None:
            return known
        placed = replace(machine, slot=_free_slot(connection, machine.session))
        if _insert(connection, placed):
            return placed
    raise Conflict("no slot could be had for a machine", code="slot_taken")


def _free_slot(connection: Connection, session: str | None) -> int:
    """What made a session's first machine fail may be its slot's: a user with processes left, a network half made."""
    unfit = STANDING if session is None else or_(STANDING, machines.c.session == session)
    taken = set(connection.execute(select(machines.c.slot).where(unfit)).scalars())
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _insert(connection: Connection, machine: Machine) -> bool:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    write = dialect.insert(machines).values(**_row(machine)).on_conflict_do_nothing()
    return connection.execute(write.returning(machines.c.id)).first() is not None


def get_machine(connection: Connection, machine: str) -> Machine | None:
    """The machine, or None."""
    row = connection.execute(select(*COLUMNS).where(machines.c.id == machine)).one_or_none()
    return None if row is None else _machine(row)


def list_machines(connection: Connection, living: bool, limit: int) -> Sequence[Machine]:
    """Newest first; those that are not over are never cut off by `limit`."""
    query = select(*COLUMNS).order_by(machines.c.made_at.desc(), machines.c.id)
    standing = [_machine(row) for row in connection.execute(query.where(STANDING))]
    if living:
        return standing
    over = query.where(machines.c.phase == MachinePhase.OVER.value).limit(limit)
    return sorted(
        [*standing, *(_machine(row) for row in connection.execute(over))],
        key=lambda machine: (-machine.made_at, machine.id),
    )


def save_machine(connection: Connection, machine: Machine, seen: Machine) -> bool:
    """Write what differs from `seen`, where the row's phase and session are still those of `seen`."""
    if any(getattr(machine, name) != getattr(seen, name) for name in SETTLED):
        raise ValueError("a machine's id, place and origin are for life")
    before, after = _row(seen), _row(machine)
    changed = {name: value for name, value in after.items() if value != before[name]}
    unmoved = (
        machines.c.id == seen.id,
        machines.c.phase == before["phase"],
        machines.c.session.is_not_distinct_from(seen.session),
    )
    if not changed:
        return connection.execute(select(machines.c.id).where(*unmoved)).first() is not None
    return connection.execute(update(machines).where(*unmoved).values(**changed)).rowcount == 1


def take_parked(
    connection: Connection, seen: Session, at: int, then: Callable[[Machine], Session]
) -> Session | None:
    """Give `seen` the oldest parked machine that fits; None when there is none. Raises Moved."""
    fits = (
        machines.c.phase == MachinePhase.PARKED.value,
        machines.c.driver == seen.driver,
        machines.c.image == seen.image,
    )
    # Two transactions never wait for, nor get, one row; SQLite has one writer and knows no such words.
    oldest = select(machines.c.id).where(*fits).order_by(machines.c.made_at, machines.c.id).limit(1)
    row = connection.execute(
        update(machines)
        .where(machines.c.id == oldest.with_for_update(skip_locked=True).scalar_subquery(), *fits)
        .values(phase=MachinePhase.CLAIMED.value, session=seen.id, phase_since=at)
        .returning(*COLUMNS)
    ).one_or_none()
    if row is None:
        return None
    wanted = then(_machine(row))
    if not save_session(connection, wanted, seen):
        raise Moved
    return wanted


def machine_counts(connection: Connection, since: int) -> Sequence[tuple[str, bool, str, str, int]]:
    """(driver, warm, outcome, failed stage, how many)."""
    by = (machines.c.driver, machines.c.warm, machines.c.outcome, machines.c.failed_stage)
    query = select(*by, func.count()).where(machines.c.made_at >= since).group_by(*by)
    found = connection.execute(query).all()
    return sorted(
        (driver, warm, outcome or "", stage, count) for driver, warm, outcome, stage, count in found
    )


def save_machine_log(connection: Connection, machine: str, log: str) -> None:
    """Keep what a machine wrote."""
    connection.execute(update(machines).where(machines.c.id == machine).values(log=log))


def machine_log(connection: Connection, machine: str) -> str | None:
    """What was kept of its logs."""
    log: str | None = connection.execute(
        select(machines.c.log).where(machines.c.id == machine)
    ).scalar_one_or_none()
    return log


def prune_machines(connection: Connection, before: int) -> int:
    """Forget machines that were over before then."""
    over = (machines.c.phase == MachinePhase.OVER.value, machines.c.ended_at < before)
    return connection.execute(delete(machines).where(*over)).rowcount


def _row(machine: Machine) -> dict[str, Any]:
    row = {name: getattr(machine, name) for name in FIELDS}
    row["phase"] = machine.phase.value
    row["outcome"] = machine.outcome.value if machine.outcome else None
    row["stages"], row["usage"] = dict(machine.stages), dict(machine.usage)
    return row


def _machine(row: Row[Any]) -> Machine:
    found = dict(row._mapping)
    found["phase"] = MachinePhase(row.phase)
    found["outcome"] = Outcome(row.outcome) if row.outcome else None
    return Machine(**found)
