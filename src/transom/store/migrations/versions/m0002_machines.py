"""Machines have rows of their own, and a session names the one it has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STANDING = sa.text("phase <> 'over'")


def upgrade() -> None:
    """The machine of an old session was called as the session; those that live, or whose folder is kept,
    get their rows."""
    _machines()
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("machine", sa.Text, nullable=False, server_default=""))
        table.add_column(sa.Column("pooled", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("attempt", sa.Integer, nullable=False, server_default="1"))
        table.add_column(sa.Column("retried", sa.Text, nullable=False, server_default=""))
    op.execute(sa.text("UPDATE sessions SET machine = 'mch_' || substr(id, 5)"))
    op.execute(
        sa.text(
            "INSERT INTO machines (id, driver, image, slot, phase, phase_since, made_at, session, warm, stages,"
            " ended_at, outcome, failed_stage, cause, usage) SELECT machine, driver, image, slot,"
            " CASE state WHEN 'failed' THEN 'over' WHEN 'ready' THEN 'ready' ELSE 'making' END,"
            " state_since, created_at, id, :no, '{}', ended_at,"
            " CASE state WHEN 'failed' THEN 'failed' END, '', '', '{}' FROM sessions"
            " WHERE state NOT IN ('ended', 'failed') OR kept_until IS NOT NULL"
        ).bindparams(no=False)
    )
    op.drop_index("sessions_living_slot", "sessions")
    with op.batch_alter_table("sessions") as table:
        table.drop_column("slot")
        for name in ("machine", "pooled", "attempt", "retried"):
            table.alter_column(name, server_default=None)
    op.create_index("sessions_machine", "sessions", ["machine"], unique=True)


def _machines() -> None:
    op.create_table(
        "machines",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("driver", sa.Text, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("phase_since", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("session", sa.Text),
        sa.Column("warm", sa.Boolean, nullable=False),
        sa.Column("stages", sa.Text, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("outcome", sa.Text),
        sa.Column("failed_stage", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("usage", sa.Text, nullable=False),
        sa.Column("log", sa.Text),
    )
    op.create_index("machines_by_age", "machines", ["made_at"])
    op.create_index(
        "machines_slot",
        "machines",
        ["slot"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
