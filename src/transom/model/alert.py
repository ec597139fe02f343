"""What an operator should know of, without looking for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    """What happened. Each is an event in the admin page, a webhook and a Prometheus counter's label."""

    POOL_LOW = "pool_low"
    """Few free exits are left."""
    POOL_EMPTY = "pool_empty"
    """A user asked for an exit, and there was none."""
    EXIT_DOWN = "exit_down"
    """An exit does not work any more."""
    EXIT_BACK = "exit_back"
    """It works again."""
    ADDRESS_CHANGED = "address_changed"
    """An exit leaves by another address than before."""
    ADDRESS_DUPLICATE = "address_duplicate"
    """Two exits leave by one address."""
    ADDRESS_IS_HOST = "address_is_host"
    """An exit leaves by this host's own address."""
    USER_MOVED = "user_moved"
    """A user's exit is another one now."""
    MACHINES_FAILING = "machines_failing"
    """Many machines could not be made, or died."""

    @property
    def level(self) -> str:
        """info, warning or critical."""
        if self in (AlertKind.EXIT_BACK, AlertKind.USER_MOVED):
            return "info"
        if self in (AlertKind.POOL_EMPTY, AlertKind.ADDRESS_IS_HOST, AlertKind.MACHINES_FAILING):
            return "critical"
        return "warning"


@dataclass(frozen=True, slots=True)
class Alert:
    """One event. `text` is a sentence for people, without a secret."""

    kind: AlertKind
    text: str
    at: int
    exit: str | None = None
    user: str | None = None
    number: int = 0
    """Set by the store; rises."""
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
