"""Exits for users: each gets a lease, keepers are told, what changes is said. Implements Egress of `model/ports.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from transom.egress import findings
from transom.egress.checker import Checker, Direct, Through
from transom.egress.living import Living
from transom.egress.measure import direct as ask_directly
from transom.egress.measure import through as ask_through
from transom.egress.pool import grant, overdue
from transom.egress.state import PoolState, Terms
from transom.model.alert import Alert, AlertKind
from transom.model.clock import Clock
from transom.model.errors import TransomError
from transom.model.exit import Decision, Lists, Pool
from transom.model.ports import AlertSink, KeeperSender, SecretBox
from transom.model.session import Session
from transom.model.stores import ExitStore
from transom_wire.control import Snapshot, Usage
from transom_wire.exit import ExitRoute

log = structlog.get_logger(__name__)
AWAY = "The server cannot look your exit up at the moment. It tries again by itself."
NOT_YET = "You get an exit of your own with your first desktop."
FLUSH_MS = 5_000
"""How often counts go to the store."""


@dataclass(frozen=True, slots=True)
class OwnExit:
    """What a user may know of their way out."""

    kind: str
    """upstream, direct or none."""
    exit: str | None
    address: str | None
    """As measured through it."""
    address_at: int | None
    state: str | None
    """healthy, suspect, quarantined or dead."""
    shared: bool
    asked: bool
    """They may move, by their own word."""
    word: str
    """What they should know: why they were moved, are asked, or have no exit."""


Listener = Callable[[OwnExit], None]


class EgressService:
    """The pool at work. `open` once the store is; `keep` runs for the controller's life."""

    def __init__(
        self,
        store: ExitStore,
        box: SecretBox,
        keepers: KeeperSender,
        alerts: AlertSink,
        clock: Clock,
        terms: Terms,
        *,
        shipped: Mapping[str, Lists] | None = None,
        through: Through = ask_through,
        direct: Direct = ask_directly,
    ) -> None:
        self.state = PoolState(store, box, clock, terms, shipped or {})
        self.alerts = alerts
        self.checker = Checker(self.state, alerts, through, direct, self.wake)
        self._living = Living(store, keepers, clock)
        self._soon = asyncio.Event()
        self._why: dict[str, str] = {}
        self._low = False
        self._flushed_at = 0
        self._listeners: dict[str, dict[Listener, OwnExit]] = {}
        self.state.watch(lambda _: self._tell_listeners())

    # Egress

    async def route(self, user: str, provider: str | None = None) -> ExitRoute:
        """The route for this user's machines now; never raises."""
        try:
            await self._lease(user)
        except TransomError as error:
            log.error("a lease could not be looked up", user=user, reason=error.message)
            if not self.state.known:
                return ExitRoute(kind="none", why=AWAY)
        return self.state.route(user, provider, self._why.get(user, ""))

    # What others tell it

    def noticed(self, session: Session) -> None:
        """A session's row is new or changed."""
        if self._living.noticed(session):
            self.wake()

    async def attached(self, session: str, snapshot: Snapshot) -> None:
        """A session's keeper answered."""
        await self._living.attached(session, snapshot)
        self.wake()

    def used(self, session: str, usage: Usage) -> None:
        """A session's keeper counted."""
        self._living.used(session, usage.numbers)

    def wake(self) -> None:
        """Look now, not at the next tick."""
        self._soon.set()

    # What a user sees

    def own(self, user: str) -> OwnExit:
        """This user's way out, as it is now."""
        pool, terms = self.state.pool, self.state.terms
        lease = pool.leases.get(user)
        exit = pool.exits.get(lease.exit) if lease else None
        if lease is None or exit is None:
            kind = terms.fallback if not pool.exits else "none"
            address = self.checker.host if kind == "direct" else None
            word = self._why.get(user) or (NOT_YET if pool.exits else "")
            return OwnExit(kind, None, address, None, None, False, False, word)
        return OwnExit(
            "upstream",
            exit.id,
            exit.address,
            exit.address_at or None,
            exit.health.state.value,
            lease.shared,
            lease.asked,
            lease.word,
        )

    @contextmanager
    def listen(self, user: str, listener: Listener) -> Iterator[OwnExit]:
        """Call `listener` when the user's way out changes, while the block runs; gives what it is now."""
        now = self.own(user)
        self._listeners.setdefault(user, {})[listener] = now
        try:
            yield now
        finally:
            mine = self._listeners.get(user, {})
            mine.pop(listener, None)
            if not mine:
                self._listeners.pop(user, None)

    # Its life

    async def open(self) -> None:
        """Read the pool. Raises Unavailable."""
        await self.state.refresh()

    async def keep(self) -> None:
        """Look at each tick, or sooner when something happened, for ever."""
        while True:
            self._soon.clear()
            try:
                await self.look()
            except TransomError as error:
                log.warning("cannot look at the exits", reason=error.message)
            except Exception:
                log.exception("looking at the exits failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(self.state.terms.tick_s):
                    await self._soon.wait()

    async def look(self) -> None:
        """One round: move who must, lease who has none, tell keepers, count, check. Raises Unavailable."""
        await self.state.refresh()
        await self._by_rule()
        for user in sorted(self._living.users()):
            await self._lease(user)
        await self._living.push(
            lambda user, provider: self.state.route(user, provider, self._why.get(user, ""))
        )
        await self._flush()
        self.checker.start_due()
        await self._say_low()

    async def close(self) -> None:
        """Stop checks, and write what was counted."""
        await self.checker.close()
        with suppress(TransomError):
            await self._living.flush()

    async def decided(self, decision: Decision) -> None:
        """Say what a decision changed; the leases in it are measured."""
        moved = {line.subject: line.detail.get("user") or line.user for line in decision.lines}
        for lease in decision.put:
            if lease.exit in moved and lease.exit in self.state.pool.exits:
                self.checker.start(lease.exit)
        for line in decision.lines:
            if line.action == "exit_move":
                user = line.detail.get("user") or line.user
                exit = self.state.pool.exits.get(line.subject)
                text = f"a user leaves by {exit.label} now" if exit else "a user has no exit any more"
                await self._raise(AlertKind.USER_MOVED, text, exit=line.subject or None, user=user)
        self.wake()

    async def _lease(self, user: str) -> None:
        """Make sure of this user's lease, where there are exits. Raises Unavailable."""
        if not self.state.known:
            await self.state.refresh()
        pool = self.state.pool
        if not pool.exits or (user in pool.leases and pool.leases[user].exit in pool.exits):
            self._why.pop(user, None)
            return
        found: list[str] = []

        def plan(pool: Pool) -> Decision:
            decision, _, why = grant(pool, user, self.state.clock(), self.state.terms.rules)
            found.append(why)
            return decision

        if plan(pool):
            decision = await self.state.decide(plan)
            await self.decided(decision)
        why = found[-1]
        if why and self._why.get(user) != why:
            await self._raise(AlertKind.POOL_EMPTY, "a user asked for an exit and got none", user=user)
        if why:
            self._why[user] = why
        else:
            self._why.pop(user, None)
        self._tell_listeners()

    async def _by_rule(self) -> None:
        def plan(pool: Pool) -> Decision:
            return overdue(pool, self.state.clock(), self.state.terms.rules)

        if plan(self.state.pool):
            await self.decided(await self.state.decide(plan))

    async def _flush(self) -> None:
        now = self.state.clock()
        if 0 <= now - self._flushed_at < FLUSH_MS:
            return
        self._flushed_at = now
        traffic = await self._living.flush()
        if traffic:
            await self.state.happened(traffic)

    async def _say_low(self) -> None:
        low = findings.low(self.state.pool, self.state.terms.low)
        if low and not self._low:
            free = len(self.state.pool.free())
            await self._raise(AlertKind.POOL_LOW, f"{free} of {len(self.state.pool.exits)} exits are free")
        self._low = low

    async def _raise(
        self, kind: AlertKind, text: str, *, exit: str | None = None, user: str | None = None
    ) -> None:
        await self.alerts.raised(Alert(kind, text, self.state.clock(), exit, user))

    def _tell_listeners(self) -> None:
        for user, listeners in list(self._listeners.items()):
            now = self.own(user)
            for listener, before in list(listeners.items()):
                if before != now:
                    listeners[listener] = now
                    listener(now)
