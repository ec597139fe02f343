"""One TURN allocation (RFC 8656) by UDP, TCP or TLS, and a check of the door by it; let go at once. Blocking."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import struct
import time
from contextlib import closing, suppress
from urllib.parse import urlsplit

from transom.stream.preflight import CHECK_S, CHECKS, Look, Target, place
from transom_wire.stun import answers

COOKIE = 0x2112A442
ALLOCATE, REFRESH, PERMIT, SEND, DATA_COMES = 0x0003, 0x0004, 0x0008, 0x0016, 0x0017
USERNAME, INTEGRITY, ERROR, LIFETIME, REALM, NONCE, TRANSPORT = 0x06, 0x08, 0x09, 0x0D, 0x14, 0x15, 0x19
PEER, DATA, RELAYED, FAMILY = 0x12, 0x13, 0x16, 0x17
OVER_UDP, OVER_IPV6 = b"\x11\0\0\0", b"\x02\0\0\0"
SUCCESS, FAILURE = 0x0100, 0x0110
UNAUTHORIZED, FORBIDDEN, STALE_NONCE, WRONG_CREDENTIALS = 401, 403, 438, 441
DEADLINE_S = 3.0
"""For each answer."""
MAX_BYTES = 2048
HEAD = struct.Struct("!HHI12s")
PORTS = {"turn": 3478, "turns": 5349}
Attributes = dict[int, bytes]


class TurnError(ValueError):
    """What the server sent is no answer."""


class TurnRefusal(Exception):
    """The server said no, with `code`, to `asked`."""

    def __init__(self, asked: int, code: int) -> None:
        super().__init__(code)
        self.asked, self.code = asked, code


def by_relay(url: str, username: str, password: str, target: Target | None) -> Look:
    """Ask the relay of `url` (`turn:host:port?transport=tcp`) for an address, and check the door by it. Without a
    `target` nothing is known to get through, and none works."""
    scheme, host, port, transport = read_url(url)
    what, relay = f"turn-{'tls' if scheme == 'turns' else transport}", place((host, port))
    try:
        with closing(_connect(scheme, host, port, transport)) as stream:
            stream.settimeout(DEADLINE_S)
            return _through(_Client(stream, username, password), what, relay, target)
    except TimeoutError:
        return Look(what, False, f"{relay}: no answer")
    except TurnRefusal as no:
        return _refusal(what, relay, no, target)
    except (OSError, ValueError) as error:
        return Look(what, False, f"{relay}: {error}")


def _through(client: _Client, what: str, relay: str, target: Target | None) -> Look:
    ipv6 = target is not None and ":" in target.door[0]
    found, transaction = client.ask(ALLOCATE, {TRANSPORT: OVER_UDP, **({FAMILY: OVER_IPV6} if ipv6 else {})})
    try:
        if target is None:
            return Look(what, False, f"{relay}: it gives an address, but there is no door to try it with")
        pair = f"{relay} -> {place(_unxored(found.get(RELAYED, b''), transaction))} -> {place(target.door)}"
        client.ask(PERMIT, {}, target.door)
        for _ in range(CHECKS):
            took = client.checked(target)
            if took is not None:
                return Look(what, True, f"{pair}, answered in {took:.0f} ms")
        return Look(what, False, f"{pair}: no answer")
    finally:
        client.let_go()


def _refusal(what: str, relay: str, no: TurnRefusal, target: Target | None) -> Look:
    if no.asked == PERMIT and target is not None:
        refused = "door" if no.code == FORBIDDEN else ""
        return Look(what, False, f"{relay} -> {place(target.door)}: refused with {no.code}", refused)
    refused = "credentials" if no.code in (UNAUTHORIZED, FORBIDDEN, WRONG_CREDENTIALS) else ""
    return Look(what, False, f"{relay}: refused with {no.code}", refused)


def read_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and transport of a TURN URL (RFC 7065)."""
    scheme, _, rest = url.partition(":")
    place, _, query = rest.partition("?")
    parts = urlsplit(f"//{place}")
    transport = "tcp" if query == "transport=tcp" or scheme == "turns" else "udp"
    return scheme, parts.hostname or "", parts.port or PORTS.get(scheme, 3478), transport


def _connect(scheme: str, host: str, port: int, transport: str) -> socket.socket:
    if transport == "udp":
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        plain = socket.socket(family, socket.SOCK_DGRAM)
        plain.connect(address)
        return plain
    plain = socket.create_connection((host, port), timeout=DEADLINE_S)
    if scheme != "turns":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError):
        plain.close()
        raise


class _Client:
    """Long-term credentials over one connection. Calls raise OSError, TurnError and TurnRefusal."""

    def __init__(self, stream: socket.socket, username: str, password: str) -> None:
        self._stream, self._username, self._password = stream, username, password
        self._read = _datagram if stream.type == socket.SOCK_DGRAM else _message
        self._key, self._signed = b"", Attributes()

    def ask(
        self, method: int, attributes: Attributes, peer: tuple[str, int] | None = None
    ) -> tuple[Attributes, bytes]:
        """What is answered, and the transaction's name."""
        for _ in range(3):
            transaction = self._say(method, attributes, peer)
            answer = self._read(self._stream)
            while answer[8:20] != transaction:
                answer = self._read(self._stream)
            code, found = parse(answer)
            if code == 0:
                return found, transaction
            again = code == STALE_NONCE or (code == UNAUTHORIZED and not self._key)
            if not again or REALM not in found or NONCE not in found:
                break
            self._sign(found[REALM], found[NONCE])
        raise TurnRefusal(method, code)

    def checked(self, target: Target) -> float | None:
        """Milliseconds to the door's answer to one check that the relay sends; None when none came in time."""
        transaction, since = os.urandom(12), time.monotonic()
        self._say(SEND, {DATA: target.request(transaction)}, target.door)
        while (left := since + CHECK_S - time.monotonic()) > 0:
            self._stream.settimeout(left)
            try:
                kind, found = read_message(self._read(self._stream))
            except TimeoutError:
                break
            if kind == DATA_COMES and answers(found.get(DATA, b""), transaction):
                return (time.monotonic() - since) * 1000
        return None

    def let_go(self) -> None:
        """Give the address back."""
        self._stream.settimeout(DEADLINE_S)
        with suppress(OSError, TurnError, TurnRefusal):
            self.ask(REFRESH, {LIFETIME: bytes(4)})

    def _sign(self, realm: bytes, nonce: bytes) -> None:
        name = self._username.encode()
        text = b":".join([name, realm, self._password.encode()])
        self._key = hashlib.md5(text, usedforsecurity=False).digest()
        self._signed = {USERNAME: name, REALM: realm, NONCE: nonce}

    def _say(self, method: int, attributes: Attributes, peer: tuple[str, int] | None) -> bytes:
        transaction = os.urandom(12)
        key = b"" if method == SEND else self._key
        told = (
            attributes | ({PEER: _xored(peer, transaction)} if peer else {}) | (self._signed if key else {})
        )
        body = b"".join(_packed(name, value) for name, value in told.items())
        message = HEAD.pack(method, len(body) + (24 if key else 0), COOKIE, transaction) + body
        if key:
            message += _packed(INTEGRITY, hmac.digest(key, message, hashlib.sha1))
        self._stream.sendall(message)
        return transaction


def parse(answer: bytes) -> tuple[int, Attributes]:
    """An answer's error code, 0 for success, and its attributes, of each the first. Raises TurnError."""
    kind, found = read_message(answer)
    if kind & FAILURE == SUCCESS:
        return 0, found
    error = found.get(ERROR, b"")
    if kind & FAILURE != FAILURE or len(error) < 4 or not 3 <= error[2] & 7 <= 6 or error[3] > 99:
        raise TurnError("not a TURN answer")
    return (error[2] & 7) * 100 + error[3], found


def read_message(message: bytes) -> tuple[int, Attributes]:
    """Its type, and its attributes, of each the first. Raises TurnError."""
    if not HEAD.size <= len(message) <= MAX_BYTES:
        raise TurnError("not a TURN answer")
    kind, size, cookie, _ = HEAD.unpack_from(message)
    if cookie != COOKIE or size != len(message) - HEAD.size or kind & 0xC000:
        raise TurnError("not a TURN answer")
    found: Attributes = {}
    offset = HEAD.size
    while offset + 4 <= len(message):
        name, length = struct.unpack_from("!HH", message, offset)
        if offset + 4 + length > len(message):
            raise TurnError("not a TURN answer")
        found.setdefault(name, message[offset + 4 : offset + 4 + length])
        offset += 4 + length + -length % 4
    return kind, found


def _xored(peer: tuple[str, int], transaction: bytes) -> bytes:
    """XOR-PEER-ADDRESS (RFC 8489, 14.2)."""
    address = ipaddress.ip_address(peer[0])
    head = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, peer[1] ^ COOKIE >> 16)
    return head + _masked(address.packed, transaction)


def _unxored(value: bytes, transaction: bytes) -> tuple[str, int]:
    """The address and port of such an attribute. Raises TurnError."""
    if len(value) not in (8, 20):
        raise TurnError("not an address")
    port = int.from_bytes(value[2:4], "big") ^ COOKIE >> 16
    return str(ipaddress.ip_address(_masked(value[4:], transaction))), port


def _masked(packed: bytes, transaction: bytes) -> bytes:
    mask = COOKIE.to_bytes(4, "big") + transaction
    return bytes(a ^ b for a, b in zip(packed, mask, strict=False))


def _datagram(stream: socket.socket) -> bytes:
    return stream.recv(MAX_BYTES)


def _message(stream: socket.socket) -> bytes:
    head = _exactly(stream, HEAD.size)
    size = int.from_bytes(head[2:4], "big")
    if size > MAX_BYTES - HEAD.size:
        raise TurnError("not a TURN answer")
    return head + _exactly(stream, size)


def _exactly(stream: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = stream.recv(size - len(found))
        if not more:
            raise TurnError("the connection was closed")
        found += more
    return found


def _packed(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)
