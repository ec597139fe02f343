"""The way out of the moment: judges a target by the classifier and the route's lists, then dials by its exit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from transom_keeper.forwarder_count import Tally
from transom_keeper.forwarder_exit import DirectExit, Exit, NoExit, Way, is_own
from transom_keeper.proxy import ProxyError, Target
from transom_keeper.rules import Rules
from transom_keeper.upstream import UpstreamExit
from transom_wire.address import IPAddress, inner_address, refuse_host
from transom_wire.exit import ExitRoute

MakeExit = Callable[[ExitRoute, Rules], Exit]


def exit_of(route: ExitRoute, rules: Rules) -> Exit:
    """The exit that a route names. One that cannot be made is none: never the one before, never the host's own."""
    if route.kind == "upstream":
        try:
            return UpstreamExit(route)
        except ValueError:
            return NoExit("The exit of this machine is not set up right.")
    if route.kind == "direct":
        return DirectExit(denies=rules.denies)
    return NoExit(route.why)


class Ways:
    """One route at a time. `own` are addresses of this host that no interface shows, as behind a cloud's NAT."""

    def __init__(
        self,
        route: ExitRoute,
        tally: Tally,
        *,
        dial_s: float,
        own: Collection[IPAddress] = (),
        make: MakeExit = exit_of,
    ) -> None:
        self._tally, self._dial_s, self._make = tally, dial_s, make
        self._own = {inner_address(address) for address in own}
        self._dialling: set[asyncio.Task[Way]] = set()
        self._take(route)

    def _take(self, route: ExitRoute) -> None:
        rules = Rules(route.allow, route.deny)
        self._exit, self._rules, self.route = self._make(route, rules), rules, route

    def change(self, route: ExitRoute) -> bool:
        """From now on by `route`; what is being dialled is dialled anew. True when the exit is another one."""
        other = _exit_part(route) != _exit_part(self.route)
        self._take(route)
        for dial in self._dialling:
            dial.cancel()
        return other

    def judge(self, target: Target) -> None:
        """Raises ProxyError for what may not be reached, whatever the exit."""
        host = target.host
        reason = refuse_host(host)
        if reason is None and not isinstance(host, str) and self._is_own(host):
            reason = "this host's own"
        if reason is not None:
            raise ProxyError(403, "address", f"{host} may not be reached from here: {reason} address.")
        refusal = self._rules.refusal(host, target.port)
        if refusal is not None:
            raise ProxyError(403, "rule", f"{host} may not be reached at port {target.port}: {refusal}.")

    def _is_own(self, address: IPAddress) -> bool:
        bare = inner_address(address)
        return bare in self._own or is_own(str(bare))

    async def open(self, target: Target) -> Way:
        """A connection for `target`, by the route of the moment it is made. Raises ProxyError."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._dial_s):
                while True:
                    self.judge(target)
                    way = await self._dial(target)
                    if way is not None:
                        break
        except TimeoutError as error:
            raise ProxyError(504, "timeout", f"{target.host} did not answer in time.") from error
        self._tally.dialled(time.monotonic() - began)
        return way

    async def _dial(self, target: Target) -> Way | None:
        """None: the route changed meanwhile."""
        exit = self._exit
        dial = asyncio.ensure_future(exit.dial(target))
        self._dialling.add(dial)
        try:
            await asyncio.wait((dial,))
            if dial.cancelled():
                return None
            if exit is not self._exit and dial.exception() is None:
                dial.result().leg.abort()
                return None
            return dial.result()
        finally:
            self._dialling.discard(dial)
            if not dial.done():
                dial.cancel()
                await asyncio.gather(dial, return_exceptions=True)


def _exit_part(route: ExitRoute) -> tuple[object, ...]:
    """What makes two routes the same way out; a password or a list may change."""
    return route.kind, route.exit, route.scheme, route.host, route.port, route.username
