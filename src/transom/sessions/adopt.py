"""Rows against machines, at start and at each tick: nothing living is lost, nothing dead is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import structlog

from transom.model.errors import TransomError
from transom.model.ids import is_id, session_id
from transom.model.ports import Driver, SessionStore
from transom.model.session import Session
from transom.sessions.steps import Seen
from transom.sessions.world import World

log = structlog.get_logger(__name__)
DESTROY_DEADLINE_S = 60.0
TICKS_TO_ALL = 12
"""Sessions that are over are looked at once in as many ticks."""
LEAST_TICK_S = 0.2
"""Seconds between two sweeps, however urgent."""
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits while the store cannot serve."""


class Waker(Protocol):
    """Who is told that a session should be looked at."""

    def wake(self, session: str) -> None: ...


class Adopter:
    """Looks at rows and machines together. After a crash this is all the recovery there is."""

    def __init__(
        self, *, store: SessionStore, driver: Driver, world: World, waker: Waker, tick_s: float
    ) -> None:
        self._store, self._driver, self._world = store, driver, world
        self._waker, self._tick_s = waker, tick_s
        self._soon = asyncio.Event()
        self._until_all = 0

    def look_soon(self) -> None:
        """Do not wait for the tick: a keeper has stopped answering."""
        self._soon.set()

    async def look(self) -> None:
        """One sweep: wake every session that may have work, remove orphans. Raises Unavailable."""
        found = await self._sweep()
        for row in await self._store.list_sessions(living=self._until_all > 0):
            self._waker.wake(row.id)
        self._until_all = (self._until_all or TICKS_TO_ALL) - 1
        await self._remove_orphans(found)

    async def keep_looking(self) -> None:
        """Look at each tick, for ever; a store that cannot serve is asked again."""
        failures = 0
        while True:
            try:
                await self.look()
                failures = 0
                await self._tick()
            except (TransomError, OSError) as error:
                wait = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
                log.warning("cannot read the sessions", reason=str(error), wait_s=wait)
                await asyncio.sleep(wait)
            except Exception:
                log.exception("looking at the machines failed")
                await asyncio.sleep(RETRY_S[-1])

    async def _tick(self) -> None:
        await asyncio.sleep(min(LEAST_TICK_S, self._tick_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._tick_s):
                await self._soon.wait()
        self._soon.clear()

    async def _sweep(self) -> Mapping[str, Seen]:
        """What the driver finds; nothing when it cannot look now: what was seen before stays."""
        try:
            return await self._world.sweep()
        except (TransomError, TimeoutError, OSError) as error:
            log.warning("cannot look at the machines", reason=str(error) or "too slow")
            return {}

    async def _remove_orphans(self, found: Mapping[str, Seen]) -> None:
        for machine, seen in found.items():
            if not is_id(machine, "mch"):
                continue
            row = await self._store.get_session(session_id(machine))
            if _wanted(row, seen):
                continue
            log.warning("removing an orphan", machine=machine, seen=seen)
            await self._remove(machine, keep_folder=_kept(row))

    async def _remove(self, machine: str, *, keep_folder: bool) -> None:
        try:
            async with asyncio.timeout(DESTROY_DEADLINE_S):
                await self._driver.destroy(machine, keep_folder=keep_folder)
        except (TransomError, TimeoutError, OSError) as error:
            log.warning("an orphan stays", machine=machine, reason=str(error) or "too slow")
            return
        self._world.forget(machine)


def _kept(row: Session | None) -> bool:
    return row is not None and row.kept_until is not None


def _wanted(row: Session | None, seen: Seen) -> bool:
    """A living session's machine, or the remains of a failed one under inspection."""
    if row is None:
        return False
    return not row.state.over or (_kept(row) and seen is Seen.GONE)
