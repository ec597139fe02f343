"""One connection to a proxy made before it is asked for: the next dial saves its way there, and TLS's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from transom_keeper.forwarder_leg import Leg
from transom_keeper.upstream_dialogue import UpstreamError

IDLE_S = 15.0
"""A spare that nobody wanted for so long is closed: proxies close idle connections too, and count them."""
PAUSE_S = 0.005
"""After a dial, before the next spare is made: who dialled goes first."""


class Spare:
    """At most one. `reach` makes a connection, and may raise UpstreamError: then there is none."""

    def __init__(self, reach: Callable[[], Awaitable[Leg]]) -> None:
        self._reach = reach
        self._leg: Leg | None = None
        self._making: asyncio.Task[None] | None = None
        self._end: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> Leg | None:
        """The spare, where there is one that the proxy has neither closed nor spoken on."""
        leg, self._leg = self._leg, None
        if self._end is not None:
            self._end.cancel()
        if leg is None or (not leg.ended and not leg.has_held):
            return leg
        leg.abort()
        return None

    def want(self) -> None:
        """Make one, unless it is there or on its way. After a dial that worked: a dead proxy is not called again."""
        if self._leg is None and self._making is None and not self._closed:
            self._making = asyncio.ensure_future(self._make())

    async def _make(self) -> None:
        try:
            await asyncio.sleep(PAUSE_S)
            with contextlib.suppress(UpstreamError):
                self._leg = await self._reach()
                self._end = asyncio.get_running_loop().call_later(IDLE_S, self._drop)
        finally:
            self._making = None

    def _drop(self) -> None:
        if self._leg is not None:
            self._leg.abort()
            self._leg = None

    def close(self) -> None:
        """No more of them."""
        self._closed = True
        if self._making is not None:
            self._making.cancel()
        if self._end is not None:
            self._end.cancel()
        self._drop()
