"""The forwarder's exits: how a host and a port become a connection, or a reason why not."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from transom_keeper.proxy import ProxyError
from transom_wire.address import IPAddress, refuse_reason

RESOLVE_S = 5.0
CONNECT_S = 4.0
"""Seconds for one address; the next one may answer."""
MAX_ADDRESSES = 4
"""Addresses of one name that are tried; a name may have hundreds."""
MAX_RESOLVING = 16
"""Names looked up at once: a lookup holds a thread until the system's own resolver gives up."""
BUFFER = 64 * 1024
"""Bytes read ahead of one connection before its sender has to wait."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a name. Raises OSError."""
Refuse = Callable[[str], str | None]
"""Why an address may not be reached, or None."""
Connect = Callable[[str, int], Awaitable[Streams]]
"""A connection to an address. Raises OSError."""


class Exit(Protocol):
    """A way out of the machine."""

    async def dial(self, host: IPAddress | str, port: int) -> Streams:
        """Connect, within deadlines. Raises ProxyError with the page that the guest gets."""


class NoExit:
    """No way out: the default."""

    async def dial(self, host: IPAddress | str, port: int) -> Streams:
        """Refuse."""
        raise ProxyError(403, "no_exit", "This machine has no way out to the internet.")


class DirectExit:
    """The host's own network, for a laptop: public addresses only.

    Each resolved address is judged, and an allowed one is dialled itself: the name is not resolved twice.
    """

    def __init__(
        self,
        resolve: Resolve | None = None,
        refuse: Refuse | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._resolve = resolve or resolve_by_system
        self._refuse = refuse or refuse_from_here
        self._connect = connect or connect_by_system
        self._resolving = asyncio.Semaphore(MAX_RESOLVING)

    async def dial(self, host: IPAddress | str, port: int) -> Streams:
        """Connect to `host`, or to the first of its allowed addresses that answers."""
        failure = ProxyError(502, "unreachable", f"{host} cannot be reached.")
        for address in await self._allowed(host, port):
            try:
                async with asyncio.timeout(CONNECT_S):
                    return await self._connect(address, port)
            except TimeoutError:
                failure = ProxyError(504, "timeout", f"{host} did not answer in time.")
            except OSError as error:
                failure = ProxyError(502, "unreachable", f"{host} cannot be reached: {_cause(error)}.")
        raise failure

    async def _allowed(self, host: IPAddress | str, port: int) -> list[str]:
        addresses = await self._look_up(host, port) if isinstance(host, str) else [str(host)]
        judged = [(address, self._refuse(address)) for address in addresses]
        allowed = [address for address, reason in judged if reason is None]
        if not allowed:
            raise ProxyError(403, "address", f"{host} may not be reached from here: {judged[0][1]} address.")
        return allowed[:MAX_ADDRESSES]

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


def exit_named(name: str) -> Exit:
    """The exit of a keeper's configuration: `none` or `direct`. Raises ValueError."""
    if name == "none":
        return NoExit()
    if name == "direct":
        return DirectExit()
    raise ValueError("no such exit")


async def resolve_by_system(name: str, port: int) -> Sequence[str]:
    """Addresses of `name` by getaddrinfo, in the order the system prefers. Raises OSError.

    The name goes in as bytes, with its final dot: else Python would load its IDNA tables after the keeper
    gave up its rights, and the resolver would try the host's search domains, which reach private names.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(f"{name}.".encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def connect_by_system(address: str, port: int) -> Streams:
    """A TCP connection to an address; no name is looked up. Raises OSError."""
    ip_address(address)
    return await asyncio.open_connection(address, port, limit=BUFFER)


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
