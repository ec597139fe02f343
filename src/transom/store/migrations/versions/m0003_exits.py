"""Exits, leases, what they moved, lists of where to, and alerts.

Column types are plain here: a migration stays as it was when the code moves on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _exits()
    _leases()
    _usage()
    op.create_table(
        "exit_lists",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("allow", sa.Text, nullable=False),
        sa.Column("deny", sa.Text, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("exit_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("acknowledged_by", sa.Text),
    )


def _exits() -> None:
    op.create_table(
        "exits",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scheme", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("draining", sa.Boolean, nullable=False),
        sa.Column("health", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("address_at", sa.BigInteger, nullable=False),
        sa.Column("bytes_up", sa.BigInteger, nullable=False),
        sa.Column("bytes_down", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("scheme", "host", "port", "username", name="exits_upstream"),
    )


def _leases() -> None:
    op.create_table(
        "exit_leases",
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "exit_id", sa.Text, sa.ForeignKey("exits.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("asked", sa.Boolean, nullable=False),
        sa.Column("word", sa.Text, nullable=False),
    )
    op.create_index(
        "exit_leases_alone",
        "exit_leases",
        ["exit_id"],
        unique=True,
        sqlite_where=sa.text("NOT shared"),
        postgresql_where=sa.text("NOT shared"),
    )


def _usage() -> None:
    op.create_table(
        "exit_usage",
        sa.Column("machine", sa.Text, primary_key=True),
        sa.Column("exit_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False, index=True),
        sa.Column("session", sa.Text, nullable=False, index=True),
        sa.Column("bytes_up", sa.BigInteger, nullable=False),
        sa.Column("bytes_down", sa.BigInteger, nullable=False),
        sa.Column("connections", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
