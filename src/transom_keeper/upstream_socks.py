"""SOCKS5 (RFC 1928) with user name and password (RFC 1929), CONNECT only. No I/O.

Names go as names: the proxy resolves them. With a user name nothing but RFC 1929 is offered: a proxy that would
rather take us without one might let us out by somebody else's address.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from transom_keeper.upstream_dialogue import UpstreamError
from transom_wire.address import IPAddress, inner_address

NO_LOGIN, BY_PASSWORD, NONE_FITS = 0x00, 0x02, 0xFF
MAX_PART = 255
"""Bytes of a name, a user name or a password: each has one byte for its length."""
_REPLIES = {
    0x01: ("no_way", "it failed"),
    0x02: ("barred", "its rules"),
    0x03: ("no_way", "network unreachable"),
    0x04: ("no_way", "host unreachable"),
    0x05: ("no_way", "connection refused"),
    0x06: ("no_way", "time to live expired"),
    0x07: ("garbled", "it does not know CONNECT"),
    0x08: ("no_way", "it does not know this kind of address"),
}
_IPV4, _NAME, _IPV6 = 0x01, 0x03, 0x04


class SocksDialogue:
    """One CONNECT; `host` as `parse_host` returned it."""

    def __init__(
        self,
        host: IPAddress | str,
        port: int,
        username: str | None,
        password: str | None,
        *,
        judge_bound: bool = True,
    ) -> None:
        self._host, self._port = host, port
        self._login = None if username is None else (username.encode(), (password or "").encode())
        self._judge_bound = judge_bound
        self._buffer = b""
        self._next: Callable[[], bytes | None] = self._method
        self.done, self.asked, self.early = False, False, b""

    def begin(self) -> bytes:
        """The methods we take. Raises UpstreamError."""
        if self._login and any(len(part) > MAX_PART for part in self._login):
            raise UpstreamError("password")
        return bytes((5, 1, NO_LOGIN if self._login is None else BY_PASSWORD))

    def take(self, data: bytes) -> bytes:
        """One step, once its reply is whole. Raises UpstreamError."""
        if not data:
            raise UpstreamError("garbled", "it closed without an answer")
        self._buffer += data
        saying = self._next()
        if saying is None:
            return b""
        if self._buffer:
            raise UpstreamError("garbled", "it spoke before it was asked")
        return saying

    def _method(self) -> bytes | None:
        if self._buffer[0] != 5:
            raise UpstreamError("garbled", "it does not speak SOCKS5")
        if len(self._buffer) < 2:
            return None
        method = self._spend(2)[1]
        if method == NONE_FITS:
            raise UpstreamError("password")
        if method != (NO_LOGIN if self._login is None else BY_PASSWORD):
            raise UpstreamError("garbled", "it chose what was not offered")
        if self._login is None:
            return self._request()
        self._next = self._verdict
        name, password = self._login
        return bytes((1, len(name))) + name + bytes((len(password),)) + password

    def _verdict(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        if self._spend(2)[1] != 0:
            raise UpstreamError("password")
        return self._request()

    def _request(self) -> bytes:
        self._next, self.asked = self._reply, True
        return b"\x05\x01\x00" + _written(self._host) + self._port.to_bytes(2, "big")

    def _reply(self) -> bytes | None:
        """The last step: nothing is left to say, and what comes behind it is the site's."""
        if self._buffer[0] != 5:
            raise UpstreamError("garbled", "it does not speak SOCKS5")
        if len(self._buffer) < 2:
            return None
        code = self._buffer[1]
        if code:
            raise UpstreamError(*_REPLIES.get(code, ("garbled", f"reply {code}")))
        size = self._bound_size()
        if size is None or len(self._buffer) < size:
            return None
        self._judge(self._buffer[3], self._spend(size)[4:-2])
        self.early, self._buffer, self.done = self._buffer, b"", True
        return b""

    def _bound_size(self) -> int | None:
        """Bytes of the whole reply, or None where that is not known yet."""
        if len(self._buffer) < 5:
            return None
        kind, length = self._buffer[3], self._buffer[4]
        sizes = {_IPV4: 4, _IPV6: 16, _NAME: 1 + length}
        if kind not in sizes:
            raise UpstreamError("garbled", "its reply has an address of no known kind")
        return 4 + sizes[kind] + 2

    def _judge(self, kind: int, bound: bytes) -> None:
        """A proxy's own end of the connection is on its loopback only when the site is."""
        if not self._judge_bound or kind == _NAME:
            return
        address: IPAddress = IPv4Address(bound) if kind == _IPV4 else IPv6Address(bound)
        if inner_address(address).is_loopback:
            raise UpstreamError("address", "loopback")

    def _spend(self, size: int) -> bytes:
        spent, self._buffer = self._buffer[:size], self._buffer[size:]
        return spent


def _written(host: IPAddress | str) -> bytes:
    if isinstance(host, IPv4Address):
        return bytes((_IPV4,)) + host.packed
    if isinstance(host, IPv6Address):
        return bytes((_IPV6,)) + host.packed
    name = host.encode("ascii")
    if len(name) > MAX_PART:
        raise UpstreamError("garbled", "the name is too long for it")
    return bytes((_NAME, len(name))) + name
