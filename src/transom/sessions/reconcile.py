"""The loop: woken by events and by a tick; serial for each session, side by side for many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from transom.model.clock import Clock
from transom.model.errors import NotFound, Unavailable
from transom.model.session import Session, SessionState
from transom.sessions.ledger import Ledger
from transom.sessions.plan import plan
from transom.sessions.run import Runner
from transom.sessions.steps import ClaimMachine, CreateMachine, Observed, Step

log = structlog.get_logger(__name__)
ROUNDS = 24
"""Plans in one go; a session's whole life takes a dozen. More is a fault of ours: wait for the tick."""
AT_ONCE = 16
"""Sessions whose steps may run at the same time."""
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits while the store cannot serve."""

Observe = Callable[[Session], Observed]


class Reconciler:
    """Brings every session it is told about to where its row wants it."""

    def __init__(self, *, ledger: Ledger, runner: Runner, observe: Observe, clock: Clock) -> None:
        self._ledger, self._runner = ledger, runner
        self._observe, self._clock = observe, clock
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._creating: dict[str, asyncio.Task[bool]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._closed = False

    def wake(self, session: str) -> None:
        """Something may have changed for `session`."""
        if self._closed:
            return
        if session in self._workers:
            self._again.add(session)
            return
        worker = asyncio.create_task(self._work(session), name=f"reconcile {session}")
        self._workers[session] = worker
        worker.add_done_callback(lambda _: self._finished(session))

    def noticed(self, session: Session) -> None:
        """A row changed. An end that was decided interrupts the making of its machine."""
        interrupted = session.state is SessionState.CREATING and session.wanted_end is not None
        if interrupted and (step := self._creating.get(session.id)):
            step.cancel()
        self.wake(session.id)

    async def settle(self) -> None:
        """Wait until no session has work that can be done now; for tests and for a calm stop."""
        while self._workers:
            await asyncio.gather(*self._workers.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Stop. Steps under way are cut; the next start plans them again."""
        self._closed = True
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _finished(self, session: str) -> None:
        self._workers.pop(session, None)
        if session in self._again:
            self._again.discard(session)
            self.wake(session)

    async def _work(self, session: str) -> None:
        failures = 0
        while True:
            try:
                async with self._room:
                    await self._bring(session)
                return
            except NotFound:
                return
            except Unavailable as error:
                wait = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                log.warning("the store cannot serve", session=session, reason=error.message, wait_s=wait)
                await asyncio.sleep(wait)
            except Exception:
                log.exception("reconcile failed", session=session)
                return

    async def _bring(self, session: str) -> None:
        row = await self._ledger.get(session)
        for _ in range(ROUNDS):
            self._again.discard(session)
            steps = plan(row, self._observe(row), self._clock(), self._runner.policy)
            for step in steps:
                if not await self._run(row, step):
                    break
            after = await self._row_or_none(session)
            if after is None or (after == row and session not in self._again):
                return
            row = after
        log.error("a plan does not end", session=session)

    async def _row_or_none(self, session: str) -> Session | None:
        with suppress(NotFound):
            return await self._ledger.get(session)
        return None

    async def _run(self, row: Session, step: Step) -> bool:
        if not isinstance(step, CreateMachine | ClaimMachine):
            return await self._runner.run(row, step)
        task = asyncio.create_task(self._runner.run(row, step))
        self._creating[row.id] = task
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                task.cancel()
                raise
            log.info("creation interrupted", session=row.id)
            return False
        finally:
            self._creating.pop(row.id, None)
