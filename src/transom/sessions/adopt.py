"""Rows against machines, at start and at each tick: nothing living is lost, nothing dead is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Protocol

import structlog

from transom.model.errors import TransomError
from transom.model.ids import is_id
from transom.model.machine import Machine, Outcome
from transom.model.ports import Driver
from transom.model.session import Session
from transom.model.stores import MachineStore, SessionStore
from transom.sessions.accounts import Accounts
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


class Warm(Protocol):
    """What the pool says of machines without a session."""

    def keeps(self, machine: Machine, seen: Seen | None) -> bool: ...


class Adopter:
    """Looks at rows and machines together. After a crash this is all the recovery there is."""

    def __init__(
        self,
        *,
        store: SessionStore,
        machines: MachineStore,
        accounts: Accounts,
        pool: Warm,
        driver: Driver,
        world: World,
        waker: Waker,
        tick_s: float,
    ) -> None:
        self._store, self._machines, self._driver, self._world = store, machines, driver, world
        self._accounts, self._pool = accounts, pool
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
        if found is not None:
            await self._remove_orphans(found)
            await self._close_rows(found)

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

    async def _sweep(self) -> Mapping[str, Seen] | None:
        """What the driver finds; None when it cannot look now: what was seen before stays."""
        try:
            return await self._world.sweep()
        except (TransomError, TimeoutError, OSError) as error:
            log.warning("cannot look at the machines", reason=str(error) or "too slow")
            return None

    async def _remove_orphans(self, found: Mapping[str, Seen]) -> None:
        for machine, seen in found.items():
            if not is_id(machine, "mch"):
                continue
            row = await self._accounts.get(machine)
            session = await self._session_of(row)
            if row is None or not self._wanted(row, session, seen):
                log.warning("removing an orphan", machine=machine, seen=seen)
                await self._remove(machine, row, session)

    async def _close_rows(self, found: Mapping[str, Seen]) -> None:
        """A row of which nothing is left on the host, and which nobody else will close, gives its slot back."""
        for row in await self._machines.list_machines(living=True):
            if row.id in found or self._world.of(row.id) is not Seen.ABSENT:
                continue
            session = await self._session_of(row)
            if not self._wanted(row, session, None):
                await self._close(row, session)

    async def _session_of(self, row: Machine | None) -> Session | None:
        """The session whose machine this is now; None for another one's, nobody's, or one that was replaced."""
        if row is None or row.session is None:
            return None
        session = await self._store.get_session(row.session)
        return session if session is not None and session.machine == row.id else None

    def _wanted(self, row: Machine, session: Session | None, seen: Seen | None) -> bool:
        """A living session's machine, the remains of a failed one under inspection, or the pool's."""
        if row.session is None:
            return self._pool.keeps(row, seen)
        if session is None:
            return False
        return not session.state.over or (_kept(session) and seen is Seen.GONE)

    async def _remove(self, machine: str, row: Machine | None, session: Session | None) -> None:
        """Its row is closed before its folder goes: the log of one that failed is kept."""
        if not await self._did(machine, self._driver.destroy(machine, keep_folder=row is not None)):
            return
        self._world.forget(machine)
        if row is not None:
            await self._close(row, session)
            if not _kept(session):
                await self._did(machine, self._driver.purge(machine))

    async def _did(self, machine: str, removing: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(DESTROY_DEADLINE_S):
                await removing
        except (TransomError, TimeoutError, OSError) as error:
            log.warning("an orphan stays", machine=machine, reason=str(error) or "too slow")
            return False
        return True

    async def _close(self, row: Machine, session: Session | None) -> None:
        if session is not None:
            await self._accounts.of_session(session)
        elif row.session is None:
            await self._accounts.over(row.id, Outcome.UNUSED)
        else:
            await self._accounts.over(
                row.id, Outcome.FAILED, row.failed_stage or "boot", row.cause or "given up"
            )


def _kept(session: Session | None) -> bool:
    return session is not None and session.kept_until is not None
