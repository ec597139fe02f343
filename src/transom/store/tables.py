"""The tables, as this version of transom sees them. `migrations/` makes them; a test holds the two together.

Times are Unix milliseconds.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from transom.store.columns import Json, Line

LIVING = text("state NOT IN ('ended', 'failed')")
"""The sessions that still have, or may still get, a machine."""
STANDING = text("phase <> 'over'")
"""The machines of which something may be left on a host."""

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    # No foreign key: the row outlives its user, so that the machine is still taken down.
    Column("user_id", Text, nullable=False),
    Column("idempotency_key", Line),
    Column("state", Text, nullable=False),
    Column("driver", Text, nullable=False),
    Column("image", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("state_since", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("idle_seconds", Integer, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("start_url", Line, nullable=False),
    Column("machine", Text, nullable=False),
    Column("pooled", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("retried", Line, nullable=False),
    Column("provider", Line),
    Column("wanted_end", Text),
    Column("end_detail", Line, nullable=False),
    Column("ended_at", BigInteger),
    Column("kept_until", BigInteger),
    Column("timeline", Json, nullable=False),
    Column("signin", Json, nullable=False),
    Column("warnings", Json, nullable=False),
    UniqueConstraint("user_id", "idempotency_key", name="sessions_idempotency"),
    Index("sessions_by_user", "user_id", "created_at"),
    Index("sessions_machine", "machine", unique=True),
)

machines = Table(
    "machines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("driver", Text, nullable=False),
    Column("image", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("phase", Text, nullable=False),
    Column("phase_since", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    # No foreign key: the row outlives its session.
    Column("session", Text),
    Column("warm", Boolean, nullable=False),
    Column("stages", Json, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("failed_stage", Text, nullable=False),
    Column("cause", Line, nullable=False),
    Column("usage", Json, nullable=False),
    Column("log", Line),
    Index("machines_by_age", "made_at"),
    # Two machines in one slot would share a user id, and so each other's files.
    Index("machines_slot", "slot", unique=True, sqlite_where=STANDING, postgresql_where=STANDING),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Line, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", Line, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    CheckConstraint("length(digest) = 32", name="secrets_digest_is_sha256"),
)

vault_keys = Table(
    "vault_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("public", LargeBinary, nullable=False),
    Column("wrapped_private", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("provider", Line, nullable=False),
    Column("session", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("serial", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("names", Json, nullable=False),
    Column("vault_key_id", Text, ForeignKey("vault_keys.id"), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("erased", Boolean, nullable=False),
    UniqueConstraint("user_id", "provider", "generation", name="credentials_generation"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    # No foreign key: the trail outlives whom it speaks of.
    Column("user_id", Text, nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("subject", Line, nullable=False),
    Column("outcome", Line, nullable=False),
    Column("detail", Json, nullable=False),
)

exits = Table(
    "exits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Line, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("host", Line, nullable=False),
    Column("port", Integer, nullable=False),
    # An empty name is none: a NULL would make every such row unique.
    Column("username", Line, nullable=False),
    Column("sealed", LargeBinary),
    Column("region", Line, nullable=False),
    Column("tags", Json, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("health", Json, nullable=False),
    Column("address", Text),
    Column("address_at", BigInteger, nullable=False),
    Column("bytes_up", BigInteger, nullable=False),
    Column("bytes_down", BigInteger, nullable=False),
    UniqueConstraint("scheme", "host", "port", "username", name="exits_upstream"),
)

exit_leases = Table(
    "exit_leases",
    metadata,
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("exit_id", Text, ForeignKey("exits.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("since", BigInteger, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("word", Line, nullable=False),
    # Whatever a program does wrong: two users whose leases are their own are never on one exit.
    Index(
        "exit_leases_alone",
        "exit_id",
        unique=True,
        sqlite_where=text("NOT shared"),
        postgresql_where=text("NOT shared"),
    ),
)

exit_usage = Table(
    "exit_usage",
    metadata,
    Column("machine", Text, primary_key=True),
    Column("exit_id", Text, primary_key=True),
    # No foreign keys: what was used stays countable when exit, user and session are gone.
    Column("user_id", Text, nullable=False, index=True),
    Column("session", Text, nullable=False, index=True),
    Column("bytes_up", BigInteger, nullable=False),
    Column("bytes_down", BigInteger, nullable=False),
    Column("connections", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

exit_lists = Table(
    "exit_lists",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Line, primary_key=True),
    Column("allow", Json, nullable=False),
    Column("deny", Json, nullable=False),
)

quality = Table(
    "quality",
    metadata,
    # No foreign key: a batch must not fail for one session that was forgotten; its rows go with it all the same.
    Column("session", Text, primary_key=True),
    Column("viewer", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("span_ms", Integer, nullable=False),
    Column("rung", Text, nullable=False),
    Column("figures", Json, nullable=False),
    Column("words", Json, nullable=False),
    Index("quality_by_session", "session", "at"),
    Index("quality_by_age", "at"),
)

recordings = Table(
    "recordings",
    metadata,
    # No foreign keys: a recording outlives its session's row.
    Column("session", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("bytes", BigInteger, nullable=False),
    Column("segments", Integer, nullable=False),
    Index("recordings_by_user", "user"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Line, nullable=False),
    Column("exit_id", Text),
    Column("user_id", Text),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", Text),
)

session_links = Table(
    "session_links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("label", Line, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    CheckConstraint("length(digest) = 32", name="session_links_digest_is_sha256"),
)

session_seats = Table(
    "session_seats",
    metadata,
    Column("session", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("seats", Json, nullable=False),
)
