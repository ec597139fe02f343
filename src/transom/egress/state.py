"""The pool as this controller knows it: read from the store after every change, for whoever asks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from transom.egress.health import Event, after
from transom.egress.pool import NO_EXITS, Rules
from transom.egress.routes import Passwords, lists_for, plain_route, upstream_route
from transom.model.clock import Clock
from transom.model.errors import TransomError
from transom.model.exit import Decision, Exit, Health, Lists, Pool
from transom.model.ports import SecretBox
from transom.model.stores import ExitStore
from transom_wire.exit import ExitRoute

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's choices, from the settings."""

    fallback: str = "none"
    """Where no exit is in the store: `none` or `direct`."""
    rules: Rules = field(default_factory=Rules)
    echo: str | None = None
    """URL that answers with the caller's address; None: addresses are not measured."""
    check_ms: int = 300_000
    """How often an exit that works is checked."""
    always: Lists = field(default_factory=Lists)
    """What holds for every machine: the controller's own name is none of their business."""
    low: int = 1
    """Fewer free exits than this are an alert."""
    tick_s: float = 5.0


class PoolState:
    """Pool, lists and passwords. One at a time changes them; readers see the newest whole one."""

    def __init__(
        self,
        store: ExitStore,
        box: SecretBox,
        clock: Clock,
        terms: Terms,
        shipped: Mapping[str, Lists],
    ) -> None:
        self.store, self.clock, self.terms = store, clock, terms
        self.pool = Pool({}, {})
        self.lists: Mapping[tuple[str, str], Lists] = {}
        self.known = False
        """The pool was read at least once."""
        self._shipped = shipped
        self._passwords = Passwords(box)
        self._lock = asyncio.Lock()
        self._watchers: list[Callable[[Pool], None]] = []

    def watch(self, watcher: Callable[[Pool], None]) -> None:
        """Call `watcher` with each pool that is read, for the life of the process."""
        self._watchers.append(watcher)

    async def refresh(self) -> None:
        """Read the store. Raises Unavailable."""
        async with self._lock:
            await self._refresh()

    async def decide(self, plan: Callable[[Pool], Decision]) -> Decision:
        """Commit what `plan` says about the pool as it is. Raises Unavailable."""
        async with self._lock:
            _, decision = await self.store.decide(plan, at=self.clock())
            await self._refresh()
            return decision

    async def remove(self, exit: str, plan: Callable[[Pool], Decision]) -> Decision | None:
        """Remove an exit; None when there is none of that id. Raises Unavailable."""
        async with self._lock:
            removed = await self.store.remove(exit, plan, at=self.clock())
            await self._refresh()
            return None if removed is None else removed[1]

    async def happened(self, events: Mapping[str, Event]) -> Mapping[str, tuple[Health, Exit]]:
        """Take in what happened to exits, by id; returns how each fared before, and the exit now."""
        async with self._lock:
            before = {id: self.pool.exits[id] for id in events if id in self.pool.exits}
            now = self.clock()
            await self.store.save_health(
                {id: after(exit.health, events[id], now) for id, exit in before.items()}
            )
            await self._refresh()
            return {
                id: (exit.health, self.pool.exits[id]) for id, exit in before.items() if id in self.pool.exits
            }

    def password(self, exit: Exit) -> str | None:
        """The exit's password, None without one or where it cannot be opened."""
        return self._passwords.of(exit)

    def route(self, user: str, provider: str | None, why: str = "") -> ExitRoute:
        """The route that follows from what is known now; `why` is said where there is no lease."""
        lists = lists_for(self.lists, self._shipped, user, provider, self.terms.always)
        if not self.pool.exits:
            return plain_route(self.terms.fallback, NO_EXITS, lists)
        lease = self.pool.leases.get(user)
        if lease is None or lease.exit not in self.pool.exits:
            return plain_route("none", why or NO_EXITS, lists)
        return upstream_route(self.pool.exits[lease.exit], self._passwords, lists)

    async def _refresh(self) -> None:
        self.pool, self.lists = await self.store.pool(), await self.store.lists()
        self.known = True
        try:
            await self._passwords.learn(self.pool)
        except TransomError as error:
            log.error("the passwords of exits cannot be opened", reason=error.message)
        for watcher in self._watchers:
            watcher(self.pool)
