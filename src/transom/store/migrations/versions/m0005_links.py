"""Links into sessions, and who was in a session when the controller stopped.

Column types are plain here: a migration stays as it was when the code moves on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "session_links",
        sa.Column("id", sa.Text, primary_key=True),
        _session(nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.CheckConstraint("length(digest) = 32", name="session_links_digest_is_sha256"),
    )
    op.create_table("session_seats", _session(primary_key=True), sa.Column("seats", sa.Text, nullable=False))


def _session(**options: bool) -> sa.Column[str]:
    key = sa.ForeignKey("sessions.id", ondelete="CASCADE")
    return sa.Column("session", sa.Text, key, **options)  # type: ignore[arg-type]
