"""The only place that writes session rows: one change at a time for each session, told to whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import fields, replace
from weakref import WeakValueDictionary

from transom.model.errors import NotFound
from transom.model.listeners import Listeners
from transom.model.session import Session
from transom.model.stores import SessionStore

Change = Callable[[Session], Session]
Watcher = Callable[[Session], None]
TRIES = 8
"""How often a change is tried again when another process moved the row meanwhile."""


class Ledger:
    """Reads and changes rows; a change is a pure function of the newest row."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._watchers: Listeners[Watcher] = Listeners()
        self._everywhere: list[Watcher] = []

    async def get(self, session: str) -> Session:
        """The row. Raises NotFound, Unavailable."""
        found = await self._store.get_session(session)
        if found is None:
            raise NotFound("no such session")
        return found

    async def change(self, session: str, change: Change) -> Session:
        """Write `change(row)`, and again on a fresh row when it moved meanwhile; the row as it is now."""
        async with self._lock(session):
            for _ in range(TRIES):
                seen = await self.get(session)
                wanted = change(seen)
                if wanted == seen:
                    return seen
                if await self._store.save_session(wanted, seen=seen):
                    self.tell(wanted)
                    return wanted
            return await self.get(session)

    async def swap(self, seen: Session, wanted: Session) -> bool:
        """Write `wanted` only where state, end and machine are still those of `seen`; what else changed is
        kept."""
        moved = False

        def apply(row: Session) -> Session:
            nonlocal moved
            moved = _place(row) == _place(seen)
            return _merge(row, seen, wanted) if moved else row

        await self.change(seen.id, apply)
        return moved

    async def take(
        self, seen: Session, take: Callable[[Session], Awaitable[Session | None]]
    ) -> Session | None:
        """Have `take` write the newest row, where state, end and machine are still those of `seen`; what it
        wrote, or None."""
        async with self._lock(seen.id):
            row = await self.get(seen.id)
            if _place(row) != _place(seen):
                return None
            taken = await take(row)
            if taken is not None:
                self.tell(taken)
            return taken

    async def touch(self, session: str, at: int) -> None:
        """A viewer's heartbeat."""
        async with self._lock(session):
            await self._store.touch_session(session, at)

    async def forget(self, session: str) -> None:
        """Delete the row."""
        async with self._lock(session):
            await self._store.delete_session(session)

    @asynccontextmanager
    async def _lock(self, session: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(session, asyncio.Lock())
        async with lock:
            yield

    def tell(self, session: Session) -> None:
        """Tell every watcher of `session` what it is now."""
        for watcher in (*self._everywhere, *self._watchers.of(session.id)):
            watcher(session)

    def watch_all(self, watcher: Watcher) -> None:
        """Call `watcher` on every change of every session, for the life of the process."""
        self._everywhere.append(watcher)

    def watch(self, session: str, watcher: Watcher) -> AbstractContextManager[None]:
        """Call `watcher` on every change of `session` while the block runs."""
        return self._watchers.listen(session, watcher)


def _place(session: Session) -> tuple[object, ...]:
    return session.state, session.wanted_end, session.machine


def _merge(row: Session, seen: Session, wanted: Session) -> Session:
    """`row` with those fields replaced in which `wanted` differs from `seen`; timelines of one machine are
    united."""
    changed = {
        field.name: getattr(wanted, field.name)
        for field in fields(Session)
        if getattr(wanted, field.name) != getattr(seen, field.name)
    }
    if "timeline" in changed and "machine" not in changed:
        changed["timeline"] = {**wanted.timeline, **row.timeline}
    return replace(row, **changed)
