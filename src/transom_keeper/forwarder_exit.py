"""The forwarder's exits: how a target becomes a connection, or a reason why not. Here: none, and the host's own."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from transom_keeper.forwarder_leg import Leg, PlainLeg, TlsLeg
from transom_keeper.proxy import ProxyError, Target
from transom_wire.address import IPAddress, refuse_reason
from transom_wire.exit import NO_ROUTE

RESOLVE_S = 5.0
CONNECT_S = 4.0
"""Seconds for one address; the next one may answer."""
TLS_END_S = 2.0
"""Seconds for the other side to end TLS as we do; nothing is lost when it does not."""
MAX_ADDRESSES = 4
"""Addresses of one name that are tried; a name may have hundreds."""
MAX_RESOLVING = 16
"""Names looked up at once: a lookup holds a thread until the system's own resolver gives up."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a name. Raises OSError."""
Refuse = Callable[[str], str | None]
"""Why an address may not be reached, or None."""
Denies = Callable[[IPAddress, int], bool]
"""True for an address and a port that the machine's own rules deny."""
Connect = Callable[[str, int], Awaitable[Leg]]
"""A connection to an address. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Way:
    """A connection on which a request can be sent."""

    leg: Leg
    absolute: bytes | None = None
    """None: the site is at the other end. Else a proxy is, which wants whole addresses and, where this is not
    empty, this as Proxy-Authorization."""


class Exit(Protocol):
    """A way out of the machine."""

    async def dial(self, target: Target) -> Way:
        """Connect, within deadlines. Raises ProxyError with the page that the guest gets."""

    def close(self) -> None:
        """No more will be dialled; ways that were made live on."""


class NoExit:
    """No way out. `why` is the sentence that the guest's browser shows."""

    def __init__(self, why: str = "") -> None:
        self._why = why or NO_ROUTE.why

    async def dial(self, target: Target) -> Way:
        """Refuse."""
        raise ProxyError(403, "no_exit", self._why)

    def close(self) -> None:
        """Nothing is kept."""


class DirectExit:
    """The host's own network, for a laptop: public addresses only.

    Each resolved address is judged, and an allowed one is dialled itself: the name is not resolved twice.
    """

    def __init__(
        self,
        resolve: Resolve | None = None,
        refuse: Refuse | None = None,
        connect: Connect | None = None,
        denies: Denies | None = None,
    ) -> None:
        self._resolve = resolve or resolve_by_system
        self._denies = denies or (lambda address, port: False)
        self._refuse = refuse or refuse_from_here
        self._connect = connect or connect_by_system
        self._resolving = asyncio.Semaphore(MAX_RESOLVING)

    async def dial(self, target: Target) -> Way:
        """Connect to the target's host, or to the first of its allowed addresses that answers."""
        host, port = target.host, target.port
        failure = ProxyError(502, "no_way", f"{host} cannot be reached.")
        for address in await self._allowed(host, port):
            try:
                return Way(await self._connect(address, port))
            except TimeoutError:
                failure = ProxyError(504, "timeout", f"{host} did not answer in time.")
            except OSError as error:
                failure = ProxyError(502, "no_way", f"{host} cannot be reached: {_cause(error)}.")
        raise failure

    def close(self) -> None:
        """Nothing is kept."""

    async def _allowed(self, host: IPAddress | str, port: int) -> list[str]:
        addresses = await self._look_up(host, port) if isinstance(host, str) else [str(host)]
        judged = [(address, self._judge(address, port)) for address in addresses]
        allowed = [address for address, reason in judged if reason is None]
        if not allowed:
            raise ProxyError(403, "address", f"{host} may not be reached from here: {judged[0][1]} address.")
        return allowed[:MAX_ADDRESSES]

    def _judge(self, address: str, port: int) -> str | None:
        return self._refuse(address) or ("a blocked" if self._denies(ip_address(address), port) else None)

    async def _look_up(self, name: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(RESOLVE_S), self._resolving:
                addresses = list(dict.fromkeys(await self._resolve(name, port)))
        except TimeoutError as error:
            raise ProxyError(504, "name", f"The name {name} was not found in time.") from error
        except (OSError, UnicodeError) as error:
            raise ProxyError(502, "name", f"The name {name} was not found.") from error
        if not addresses:
            raise ProxyError(502, "name", f"The name {name} has no address.")
        return addresses


async def resolve_by_system(name: str, port: int) -> Sequence[str]:
    """Addresses of a guest's `name` by getaddrinfo, in the order the system prefers. Raises OSError.

    With its final dot: the resolver would else try the host's search domains, which reach private names.
    """
    return await _getaddrinfo(f"{name}.", port)


async def resolve_upstream(name: str, port: int) -> list[str]:
    """Addresses of a proxy, which the operator named: as the host itself would look it up. Raises OSError."""
    return await _getaddrinfo(name, port)


async def _getaddrinfo(name: str, port: int) -> list[str]:
    """The name goes in as bytes: else Python would load its IDNA tables after the keeper gave up its rights."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def connect_by_system(address: str, port: int) -> Leg:
    """A TCP connection to an address; no name is looked up. Raises OSError."""
    return await connect(address, port, within=CONNECT_S)


async def connect(
    address: str,
    port: int,
    *,
    within: float,
    tls: ssl.SSLContext | None = None,
    name: str = "",
    tls_s: float = 0,
) -> Leg:
    """A TCP connection to an address, made `within` so many seconds.

    With `tls` the other side then proves to be `name`, in `tls_s` seconds. Raises TimeoutError for TCP and
    ConnectionAbortedError for TLS that take too long, ssl.SSLError, other OSErrors.
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if isinstance(ip_address(address), IPv6Address) else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(within):
            await loop.sock_connect(made, (address, port))
        if tls is None:
            return (await loop.create_connection(PlainLeg, sock=made))[1]
        made_tls = loop.create_connection(
            TlsLeg,
            sock=made,
            ssl=tls,
            server_hostname=name,
            ssl_handshake_timeout=tls_s,
            ssl_shutdown_timeout=TLS_END_S,
        )
        return (await made_tls)[1]
    except BaseException:
        made.close()
        raise


def refuse_from_here(address: str) -> str | None:
    """The classifier's reason, or that the address is one of this host's own, public ones included."""
    return refuse_reason(address) or ("this host's own" if is_own(address) else None)


def is_own(address: str) -> bool:
    """True when `address` is on an interface of this host now: only such an address can be bound.

    Where the kernel lets any address be bound (`ip_nonlocal_bind`) everything looks like the host's own,
    and is refused.
    """
    family = socket.AF_INET6 if isinstance(ip_address(address), IPv6Address) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _cause(error: OSError) -> str:
    """What happened, in words; asyncio joins several failures into a text without errno."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return {errno.ENETUNREACH: "no route", errno.EHOSTUNREACH: "no route"}.get(
        error.errno or 0, "no connection"
    )
