"""An upstream proxy as a way out: its own address is dialled, and it is asked for the site. Names stay names.

What the proxy says is parsed without I/O (`upstream_http`, `upstream_socks`); here are sockets and deadlines.
Whatever goes wrong becomes one page, and one cause to count it by: see EXIT_FAULTS in `transom_wire.exit`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable

from transom_keeper.forwarder_exit import Way, connect, resolve_upstream
from transom_keeper.forwarder_leg import Leg
from transom_keeper.proxy import ProxyError, Target
from transom_keeper.upstream_dialogue import Dialogue, UpstreamError
from transom_keeper.upstream_http import ConnectDialogue, basic_login
from transom_keeper.upstream_socks import SocksDialogue
from transom_keeper.upstream_spare import Spare
from transom_wire.address import refuse_reason
from transom_wire.exit import ExitRoute

CONNECT_S = 5.0
"""Seconds for the proxy to take a connection, one address."""
GREETING_S = 8.0
"""Seconds for its TLS, and for all of SOCKS before it has to go anywhere."""
ANSWER_S = 25.0
"""Seconds for it to reach the site and say so."""
ADDRESS_S = 30.0
"""A proxy's name is looked up again after so long, or when its address does not answer."""
MAX_ADDRESSES = 4
"""Addresses of its name that are tried."""

Connect = Callable[..., Awaitable[Leg]]
Resolve = Callable[[str, int], Awaitable[list[str]]]


class _Unheard(UpstreamError):
    """The proxy closed before it said anything."""


class UpstreamExit:
    """The proxy of one route."""

    def __init__(
        self, route: ExitRoute, connect: Connect = connect, resolve: Resolve = resolve_upstream
    ) -> None:
        if route.scheme is None or route.host is None or route.port is None:
            raise ValueError("an upstream has a scheme, a host and a port")
        self._route, self._host, self._port = route, route.host, route.port
        self._connect, self._resolve = connect, resolve
        self._tls = ssl.create_default_context() if route.scheme == "https" else None
        self._login = basic_login(route.username, route.password)
        self._addresses: tuple[float, list[str]] = (0.0, [])
        self._spare = Spare(self._reach)
        self._near = refuse_reason(route.host) == "loopback"
        """On this host itself every proxy's own end is on the loopback."""
        self._by_uri: set[int] = set()
        """Ports to which this proxy makes no tunnel: it takes whole addresses for those."""

    async def dial(self, target: Target) -> Way:
        """A way to `target` through the proxy. Raises ProxyError.

        A plain request goes by a tunnel too: its answer is the site's then, never the proxy's. Many proxies
        make tunnels to port 443 only; those get the whole address, as browsers send it, from then on.
        """
        plain = target.path is not None
        if plain and target.port in self._by_uri:
            return await self._whole_address()
        try:
            return Way(await self._guarded(self._tunnel(target), target))
        except ProxyError as error:
            if not plain or self._route.scheme == "socks5" or error.cause not in ("barred", "garbled"):
                raise
        way = await self._whole_address()
        self._by_uri.add(target.port)
        return way

    def close(self) -> None:
        """Keep no connection in store any more; what was dialled lives on."""
        self._spare.close()

    async def _whole_address(self) -> Way:
        return Way(await self._guarded(self._reach(), None), absolute=self._login or b"")

    async def _guarded(self, dialled: Awaitable[Leg], target: Target | None) -> Leg:
        try:
            return await dialled
        except UpstreamError as error:
            raise page_of(error, target) from error

    async def _tunnel(self, target: Target) -> Leg:
        leg = await self._by_spare(target)
        if leg is None:
            leg = await self._reach()
            await self._talk(leg, self._dialogue(target))
        self._spare.want()
        return leg

    async def _by_spare(self, target: Target) -> Leg | None:
        """None where there is no spare, or it was closed before a word was heard on it."""
        leg = self._spare.take()
        if leg is None:
            return None
        try:
            await self._talk(leg, self._dialogue(target))
        except _Unheard:
            return None
        return leg

    def _dialogue(self, target: Target) -> Dialogue:
        if self._route.scheme == "socks5":
            login = (self._route.username, self._route.password)
            return SocksDialogue(target.host, target.port, *login, judge_bound=not self._near)
        return ConnectDialogue(target.host, target.port, self._login)

    async def _talk(self, leg: Leg, dialogue: Dialogue) -> None:
        try:
            await self._converse(leg, dialogue)
        except BaseException:
            leg.abort()
            raise
        leg.take_back(dialogue.early)

    async def _converse(self, leg: Leg, dialogue: Dialogue) -> None:
        """One deadline for all the greeting and one for the answer, however it drips in."""
        now = asyncio.get_running_loop().time
        saying, asked, heard, until = dialogue.begin(), False, False, now() + GREETING_S
        while not dialogue.done:
            if dialogue.asked and not asked:
                asked, until = True, now() + ANSWER_S
            try:
                async with asyncio.timeout_at(until):
                    if saying:
                        await leg.write(saying)
                    data = await leg.read()
            except TimeoutError as error:
                raise UpstreamError("timeout" if asked else "silent") from error
            except OSError as error:
                raise (UpstreamError if heard else _Unheard)("garbled", "it broke off") from error
            if not data and not heard:
                raise _Unheard("garbled", "it closed without an answer")
            saying, heard = dialogue.take(data), True

    async def _reach(self) -> Leg:
        """A connection to the proxy itself, TLS and all. Raises UpstreamError."""
        failure = UpstreamError("down", "its name has no address")
        addresses = await self._look_up()
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return await self._reach_one(address)
            except UpstreamError as error:
                failure = error
        self._addresses = (0.0, [])
        raise failure

    async def _reach_one(self, address: str) -> Leg:
        try:
            return await self._connect(
                address, self._port, within=CONNECT_S, tls=self._tls, name=self._host, tls_s=GREETING_S
            )
        except ssl.SSLCertVerificationError as error:
            raise UpstreamError("certificate", error.verify_message) from error
        except ConnectionAbortedError as error:
            raise UpstreamError("silent") from error
        except ConnectionRefusedError as error:
            raise UpstreamError("down", "it refuses connections") from error
        except (ssl.SSLError, ConnectionError) as error:
            raise UpstreamError(
                "garbled", "it does not speak TLS" if self._tls else "it broke off"
            ) from error
        except TimeoutError as error:
            raise UpstreamError("down", "it does not answer") from error
        except OSError as error:
            raise UpstreamError("down", "it cannot be reached") from error

    async def _look_up(self) -> list[str]:
        until, known = self._addresses
        if time.monotonic() < until:
            return known
        try:
            async with asyncio.timeout(GREETING_S):
                found = await self._resolve(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise UpstreamError("down", "its name cannot be looked up") from error
        self._addresses = (time.monotonic() + ADDRESS_S, found)
        return found


_PAGES: dict[str, tuple[int, str]] = {
    "down": (502, "The exit of this machine is down: {detail}."),
    "silent": (504, "The exit of this machine does not answer: it takes connections and says nothing."),
    "password": (502, "The exit refused our name or password."),
    "certificate": (502, "The exit is not who it should be: its certificate is wrong ({detail})."),
    "garbled": (502, "The exit does not work as a proxy: {detail}."),
    "quota": (502, "The exit asks for payment, or its quota is used up ({detail})."),
    "barred": (502, "The exit does not let {site} be reached ({detail})."),
    "no_way": (502, "The exit has no way to {site} ({detail})."),
    "timeout": (504, "The exit did not reach {site} in time."),
    "address": (403, "{site} may not be reached from here: {detail} address."),
}


def page_of(error: UpstreamError, target: Target | None) -> ProxyError:
    """What the person at the browser reads; `target` None: the exit itself was dialled."""
    status, sentence = _PAGES[error.cause]
    site = str(target.host) if target is not None else "the site"
    return ProxyError(status, error.cause, sentence.format(site=site, detail=error.detail))
