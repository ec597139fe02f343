"""Acts that need the store, in order, each until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from transom.model.errors import TransomError, Unavailable

log = structlog.get_logger(__name__)
Act = Callable[[], Awaitable[None]]
RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits while the store cannot take what a guest said."""
LIMIT = 256
"""Acts that wait for the store; then the keeper is not read any more, and keeps its messages itself."""
DRAIN_S = 10.0
"""Once the keeper is gone, the store has this long to take what is left."""


class Lane:
    """A queue with one worker. An act that finds the store unavailable is tried again before the next."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._queue: asyncio.Queue[tuple[Act, Act | None]] = asyncio.Queue(LIMIT)
        self._worker = asyncio.create_task(self._work(), name=f"lane {session}")

    async def put(self, act: Act, then: Act | None = None) -> None:
        """Do `act`, then `then`; waits when the lane is full."""
        await self._queue.put((act, then))

    async def drain(self) -> None:
        """Wait for what is in the lane, within DRAIN_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._queue.join()

    async def close(self) -> None:
        """Stop; what is not done was not acknowledged, and comes again."""
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            act, then = await self._queue.get()
            await self._until_done(act)
            if then is not None:
                await then()
            self._queue.task_done()

    async def _until_done(self, act: Act) -> None:
        failures = 0
        while True:
            try:
                await act()
                return
            except Unavailable as error:
                log.warning("the store cannot serve", session=self._session, reason=error.message)
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
            except TransomError as error:
                log.warning("a guest's message was refused", session=self._session, reason=error.message)
                return
            except Exception:
                log.exception("a guest's message broke its handler", session=self._session)
                return
