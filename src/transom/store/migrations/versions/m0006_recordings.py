"""Recordings of sessions.

Column types are plain here: a migration stays as it was when the code moves on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "recordings",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("segments", sa.Integer, nullable=False),
    )
    op.create_index("recordings_by_user", "recordings", ["user"])
