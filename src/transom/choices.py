"""What the settings say, in the shapes that the services take; and the state folder they name."""

from __future__ import annotations

from transom.model.clock import now_ms
from transom.model.errors import DriverError
from transom.sessions.pool import REPLACE_MS, PoolPolicy
from transom.sessions.service import Terms
from transom.sessions.steps import Policy
from transom.sessions.warm import WarmTerms
from transom.settings import MIB, Settings


def prepare(settings: Settings) -> None:
    """Make the state folder: others may pass through it to their machine, and list nothing. Raises DriverError."""
    try:
        for folder in (settings.state, settings.machines):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise DriverError(
            f"{settings.state} cannot be made: {error.strerror}; choose another --state"
        ) from error


def terms(settings: Settings, driver: str) -> Terms:
    """What new sessions get."""
    return Terms(
        driver=driver,
        session_seconds=settings.session_seconds,
        idle_seconds=settings.idle_seconds,
        per_user=settings.sessions_per_user,
        in_all=settings.sessions_max,
    )


def policy(settings: Settings) -> Policy:
    """The plan's numbers, in milliseconds."""
    return Policy(
        requested_ms=settings.requested_deadline_s * 1000,
        creating_ms=settings.creating_deadline_s * 1000,
        booting_ms=settings.booting_deadline_s * 1000,
        stopping_ms=settings.stopping_deadline_s * 1000,
        failed_keep_ms=settings.failed_keep_seconds * 1000,
        forget_ms=settings.forget_seconds * 1000,
        grace_ms=settings.reconnect_seconds * 1000,
        idle_not_before=now_ms() + settings.reconnect_seconds * 1000,
    )


def warm(settings: Settings) -> tuple[PoolPolicy, WarmTerms]:
    """The warm pool's numbers, and what its machines get."""
    age_ms, boot_s = settings.pool_age_seconds * 1000, settings.booting_deadline_s
    pool = PoolPolicy(
        least=settings.pool_min,
        most=settings.pool_max,
        age_ms=age_ms,
        reserve_bytes=settings.pool_memory_mib * MIB,
    )
    life_ms = age_ms + REPLACE_MS + (boot_s + settings.reconnect_seconds) * 1000
    return pool, WarmTerms(
        settings.width, settings.height, settings.limits, life_ms, boot_s, settings.program
    )
