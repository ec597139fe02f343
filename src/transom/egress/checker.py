"""Our own checks of exits: on lease, on a schedule, on demand; what they find goes to the store and the alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from transom.egress import findings
from transom.egress.health import Event, Failed, Worked, next_check
from transom.egress.measure import Measured, NotMeasured
from transom.egress.state import PoolState
from transom.model.alert import Alert
from transom.model.errors import TransomError
from transom.model.exit import Exit, Upstream
from transom.model.ports import AlertSink

log = structlog.get_logger(__name__)
AT_ONCE = 8
"""Checks that run together."""
HOST_FRESH_MS = 2_000
"""What the echo service said to this host holds so long, while several exits fail at once."""
PATIENCE_S = 20.0
"""Seconds for whoever waits for checks: the command line gives up after 30."""
ALL_S = 60.0
"""Seconds for one check, its own deadlines and the store's included."""

Through = Callable[[Upstream, str | None], Awaitable[Measured]]
Direct = Callable[[str], Awaitable[Measured]]


class Checker:
    """Asks each exit when it is due. A check that runs is joined, not repeated."""

    def __init__(
        self,
        state: PoolState,
        alerts: AlertSink,
        through: Through,
        direct: Direct,
        changed: Callable[[], None],
    ) -> None:
        self._state, self._alerts = state, alerts
        self._through, self._direct, self._changed = through, direct, changed
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._comparing = asyncio.Lock()
        self._asking_host = asyncio.Lock()
        self._worked_at = self._any_at = -(2**62)
        self._host_at = -(2**62)
        self._host_reached = False
        self.host: str | None = None
        """This host's own address, as the echo service says; None: not known."""
        self.as_host: set[str] = set()
        """Exits that leave by this host's own address, as each was measured last."""

    @property
    def running(self) -> list[str]:
        """Exits that are asked at the moment."""
        return list(self._running)

    def start_due(self) -> None:
        """Begin every check that is due."""
        now = self._state.clock()
        for exit in self._state.pool.exits.values():
            if next_check(exit.health, self._state.terms.check_ms) <= now:
                self.start(exit.id)

    def start(self, exit: str) -> asyncio.Task[None]:
        """Check `exit` now, or join the check that runs."""
        running = self._running.get(exit)
        if running is None:
            running = asyncio.create_task(self._bounded(exit), name=f"check {exit}")
            self._running[exit] = running
            running.add_done_callback(lambda _: self._running.pop(exit, None))
        return running

    async def check(self, exits: list[str]) -> None:
        """Check these now, and wait for all, but not longer than somebody who asked would; what runs goes on."""
        running = [self.start(exit) for exit in exits]
        if running:
            await asyncio.wait(running, timeout=PATIENCE_S)

    async def close(self) -> None:
        """Stop what runs."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _bounded(self, exit: str) -> None:
        try:
            async with self._room, asyncio.timeout(ALL_S):
                await self._check(exit)
        except (TransomError, TimeoutError) as error:
            log.warning("an exit could not be checked", exit=exit, reason=str(error) or "it took too long")
        except Exception:
            log.exception("a check broke", exit=exit)
            with suppress(TransomError):  # else it would be asked again at once, for ever
                await self._state.happened({exit: Failed("the check itself broke")})

    async def _check(self, id: str) -> None:
        exit = self._state.pool.exits.get(id)
        if exit is None:
            return
        address, event = await self._ask(exit)
        if event is None:
            return
        fared = (await self._state.happened({id: event})).get(id)
        if fared is not None:
            for alert in findings.of_health(fared[1], fared[0], self._state.clock()):
                await self._alerts.raised(alert)
        if address is not None:
            await self._measured(id, address)
        self._changed()

    async def _ask(self, exit: Exit) -> tuple[str | None, Event | None]:
        """Its address where that was said, and what happened; None: nothing that says something of the exit."""
        upstream = replace(exit.upstream, password=self._state.password(exit))
        echo = self._state.terms.echo
        try:
            found = await self._through(upstream, echo)
        except NotMeasured as error:
            if echo is None or error.own or await self._echo_works(echo):
                return None, await self._failed(str(error), echo)
            # Nobody reaches the echo service now: the exit is judged by its port alone.
            try:
                found = await self._through(upstream, None)
            except NotMeasured as closed:
                return None, await self._failed(str(closed), echo)
        else:
            self._worked_at = self._state.clock()
        self._any_at = self._state.clock()
        return found.address, Worked(found.latency_ms)

    async def _failed(self, why: str, echo: str | None) -> Failed | None:
        """None where it is this host that is cut off: no exit worked lately, nor does what the host reached itself.
        Else an hour without network would make every exit dead, and move every user when it returns."""
        lately = self._state.clock() - self._any_at < self._state.terms.check_ms
        if echo is None or self.host is None or lately or await self._ask_host(echo, HOST_FRESH_MS):
            return Failed(why)
        return None

    async def _echo_works(self, echo: str) -> bool:
        """Asked now by this host itself; where it never had an answer, by what other exits had lately."""
        if await self._ask_host(echo, HOST_FRESH_MS):
            return True
        return self.host is None and self._state.clock() - self._worked_at < self._state.terms.check_ms

    async def _ask_host(self, echo: str, age_ms: int) -> bool:
        """True when the echo service answered this host, not longer than `age_ms` ago."""
        async with self._asking_host:
            now = self._state.clock()
            if now - self._host_at < age_ms:
                return self._host_reached
            try:
                self.host, self._host_reached = (await self._direct(echo)).address, True
            except NotMeasured:
                self._host_reached = False
            self._host_at = self._state.clock()
            return self._host_reached

    async def _measured(self, id: str, address: str) -> None:
        state = self._state
        if state.terms.echo is not None:
            await self._ask_host(state.terms.echo, state.terms.check_ms)
        now = state.clock()
        async with self._comparing:  # of two exits with one address, one finds the other
            before = await state.store.save_address(id, address, now)
            await state.refresh()
            exit = state.pool.exits.get(id)
            found = list(findings.of_address(state.pool, exit, before, now)) if exit else []
            if exit is not None and (alert := self._by_host(exit, now)):
                found.append(alert)
        for alert in found:
            await self._alerts.raised(alert)

    def _by_host(self, exit: Exit, now: int) -> Alert | None:
        """Once for as long as it lasts: the host's own address may be known only later, or change."""
        alert = findings.of_host(exit, self.host, now)
        said = exit.id in self.as_host
        (self.as_host.discard if alert is None else self.as_host.add)(exit.id)
        self.as_host &= set(self._state.pool.exits)
        return None if said else alert
