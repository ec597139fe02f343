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
        self._dialling: set[asyncio.Timeout] = set()
        self._generation = 0
        self._take(route)

    def _take(self, route: ExitRoute) -> None:
        rules = Rules(route.allow, route.deny)
        self._exit, self._rules, self.route = self._make(route, rules), rules, route
        self._generation += 1

    def change(self, route: ExitRoute) -> bool:
        """From now on by `route`; what is being dialled is dialled anew. True when the exit is another one."""
        other = _exit_part(route) != _exit_part(self.route)
        self._exit.close()
        self._take(route)
        for dialling in self._dialling:
            if not dialling.expired():  # one that has just been told is on its way out
                dialling.reschedule(asyncio.get_running_loop().time())
        return other

    def close(self) -> None:
        """Nothing more will be dialled."""
        self._exit.close()

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
        while True:
            self.judge(target)
            generation = self._generation
            try:
                async with asyncio.timeout(self._dial_s - (time.monotonic() - began)) as dialling:
                    self._dialling.add(dialling)
                    way = await self._exit.dial(target)
            except TimeoutError as error:
                if generation == self._generation:
                    raise ProxyError(504, "timeout", f"{target.host} did not answer in time.") from error
                continue
            except ProxyError:
                if generation == self._generation:
                    raise
                continue
            finally:
                self._dialling.discard(dialling)
            if generation == self._generation:
                self._tally.dialled(time.monotonic() - began)
                return way
            way.leg.abort()


def _exit_part(route: ExitRoute) -> tuple[object, ...]:
    """What makes two routes the same way out; a password or a list may change."""
    return route.kind, route.exit, route.scheme, route.host, route.port, route.username
