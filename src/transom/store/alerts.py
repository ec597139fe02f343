"""Alerts at rest. Each function runs inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from transom.model.alert import Alert, AlertKind
from transom.store.tables import alerts

KEPT = 2000
"""Alerts that are kept; the oldest go first."""


def add_alert(connection: Connection, alert: Alert) -> int:
    """Append one; returns its number."""
    row = {"at": alert.at, "kind": alert.kind.value, "text": alert.text}
    made = connection.execute(
        insert(alerts).values(**row, exit_id=alert.exit, user_id=alert.user).returning(alerts.c.number)
    )
    number: int = made.scalar_one()
    connection.execute(delete(alerts).where(alerts.c.number <= number - KEPT))
    return number


def list_alerts(connection: Connection, limit: int) -> Sequence[Alert]:
    """Newest first."""
    rows = connection.execute(select(alerts).order_by(alerts.c.number.desc()).limit(max(0, min(limit, KEPT))))
    return [_alert(row) for row in rows]


def acknowledge(connection: Connection, number: int, by: str, at: int) -> bool:
    """Somebody has seen it; False when there is none of that number. The first to say so stays."""
    if connection.execute(select(alerts.c.number).where(alerts.c.number == number)).scalar() is None:
        return False
    connection.execute(
        update(alerts)
        .where(alerts.c.number == number, alerts.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, acknowledged_by=by)
    )
    return True


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        AlertKind(row.kind),
        row.text,
        row.at,
        row.exit_id,
        row.user_id,
        row.number,
        row.acknowledged_at,
        row.acknowledged_by,
    )
