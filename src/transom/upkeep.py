"""What the controller does by itself beside sessions: at its start, and now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from transom.images.store import ImageStore
from transom.model.clock import now_ms
from transom.model.errors import TransomError
from transom.settings import Settings
from transom.store.database import Store
from transom.vault.service import VaultService

log = structlog.get_logger(__name__)
DAY_MS = 86_400_000
PRUNE_S = 3600.0
"""Seconds between two removals of old lines, of the audit trail and of machines."""
VAULT_DEADLINE_S = 15.0
"""Seconds for the vault to make or prove its key at the start."""


async def prove(vault: VaultService) -> None:
    """Have the vault make or prove its key; say when it cannot."""
    try:
        async with asyncio.timeout(VAULT_DEADLINE_S):
            await vault.public_key()
    except (TransomError, TimeoutError) as error:
        log.error("the vault cannot take credentials", reason=str(error) or "it took too long")


async def compile_code(images: ImageStore, guest_source: Path) -> None:
    """The first session's machine shall find the guest's code compiled."""
    with suppress(TransomError, OSError):
        if (digest := images.current()) is not None:
            await asyncio.to_thread(images.guest_code, digest, guest_source)


async def prune(
    settings: Settings,
    store: Store,
    recordings: Callable[[], Awaitable[object]],
    sweep: Callable[[], Awaitable[None]],
) -> None:
    """Each hour: old lines go, by `recordings` old recordings, and by `sweep` what images left that are gone."""
    while True:
        try:
            await store.prune_audit(before=now_ms() - settings.audit_days * DAY_MS)
            await recordings()
            await store.prune_machines(before=now_ms() - settings.machine_log_days * DAY_MS)
            await store.quality.prune(before=now_ms() - settings.quality_days * DAY_MS)
            await sweep()
        except TransomError as error:
            log.warning("old lines stay", reason=error.message)
        await asyncio.sleep(PRUNE_S)
