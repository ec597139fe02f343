"""The forwarder: the one HTTP proxy a guest can reach, on a socket bound inside its network namespace.

It parses every request of a kept connection, dials the exit for each, and never passes a tunnel's first
bytes or a second request unread. What it decides is `proxy`'s and `rules`'; how it gets out is `forwarder_exit`'s
and `upstream`'s; which way that is at the moment is `forwarder_ways`'.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection

from transom_keeper.forwarder_accept import Acceptor
from transom_keeper.forwarder_count import GAUGES, Tally
from transom_keeper.forwarder_guest import ForwarderLimits, GuestConnection
from transom_keeper.forwarder_leg import Leg
from transom_keeper.forwarder_ways import MakeExit, Ways, exit_of
from transom_wire.address import IPAddress
from transom_wire.exit import ExitRoute


class Forwarder:
    """Serves on `listener`, a listening TCP socket that it owns, by `route`.

    `own` are addresses of this host that no interface of it shows.
    """

    def __init__(
        self,
        listener: socket.socket,
        route: ExitRoute,
        *,
        own: Collection[IPAddress] = (),
        limits: ForwarderLimits | None = None,
        make: MakeExit = exit_of,
    ) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self._limits = limits or ForwarderLimits()
        self._tally = Tally()
        self._ways = Ways(route, self._tally, dial_s=self._limits.dial_s, own=own, make=make)
        self._serving: dict[asyncio.Task[None], GuestConnection] = {}
        self._acceptor = Acceptor(listener, self._room, self._serve)
        self._accepting: asyncio.Task[None] | None = None

    @property
    def route(self) -> ExitRoute:
        """The route of the moment."""
        return self._ways.route

    async def start(self) -> None:
        """Begin to serve."""
        self._accepting = asyncio.ensure_future(self._acceptor.run())

    def change(self, route: ExitRoute, before: Callable[[], None] = lambda: None) -> None:
        """Leave by `route` from now on. What goes by another exit ends at once, and not a byte more of it is
        counted; where the exit is another one, `before` is called when the old one's counts are complete."""
        other = self._ways.change(route)
        for connection in self._serving.values():
            connection.route_changed(other)
        if other:
            before()
            self._tally.add("changes")

    async def close(self) -> None:
        """End every connection and stop listening. Idempotent."""
        tasks = [*self._serving, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ways.close()
        self._listener.close()

    def counters(self) -> dict[str, str]:
        """Decimal text by name: see `forwarder_count`."""
        numbers = {**self._tally.numbers(), "open": len(self._serving)}
        return {name: str(number) for name, number in numbers.items()}

    def sums(self) -> dict[str, str]:
        """The counters that only ever rise."""
        return {name: number for name, number in self.counters().items() if name not in GAUGES}

    def _room(self) -> bool:
        """True when one more connection may come; the one that idles longest gives way."""
        if len(self._serving) < self._limits.connections:
            return True
        idle = [each for each in self._serving.values() if each.idle_since is not None]
        if idle:
            min(idle, key=lambda each: each.idle_since or 0.0).give_way()
        return False

    def _serve(self, leg: Leg) -> None:
        self._tally.add("connections")
        connection = GuestConnection(leg, self._ways, self._tally, self._limits, self._acceptor.freed)
        task = asyncio.ensure_future(connection.serve())
        self._serving[task] = connection
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._serving[task]
        self._acceptor.freed()
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()
