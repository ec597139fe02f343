"""One TURN allocation (RFC 8656) by UDP, TCP or TLS, to see whether it is granted; let go at once. Blocking."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit

from transom.stream.preflight import Look

COOKIE = 0x2112A442
ALLOCATE, REFRESH = 0x0003, 0x0004
USERNAME, INTEGRITY, ERROR, LIFETIME, REALM, NONCE, TRANSPORT = 0x06, 0x08, 0x09, 0x0D, 0x14, 0x15, 0x19
SUCCESS, FAILURE, UNAUTHORIZED, STALE_NONCE = 0x0100, 0x0110, 401, 438
DEADLINE_S = 3.0
"""For each answer."""
MAX_BYTES = 2048
HEAD = struct.Struct("!HHI12s")
PORTS = {"turn": 3478, "turns": 5349}
Attributes = dict[int, bytes]


class TurnError(ValueError):
    """What the server sent is no answer."""


def allocation(url: str, username: str, password: str) -> Look:
    """Ask the relay of `url` (`turn:host:port?transport=tcp`) for an address."""
    scheme, host, port, transport = read_url(url)
    what = f"turn-{'tls' if scheme == 'turns' else transport}"
    try:
        with closing(_connect(scheme, host, port, transport)) as stream:
            stream.settimeout(DEADLINE_S)
            code = _allocate(stream, transport, username, password)
    except TimeoutError:
        return Look(what, False, f"{host}:{port}: no answer")
    except (OSError, TurnError) as error:
        return Look(what, False, f"{host}:{port}: {error}")
    if code:
        return Look(what, False, f"{host}:{port}: refused with {code}", refused=code in (401, 403, 441))
    return Look(what, True, f"{host}:{port}: an address was allocated")


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


def _allocate(stream: socket.socket, transport: str, username: str, password: str) -> int:
    """0 when it was granted, or the server's error code."""
    read = _datagram if transport == "udp" else _message
    code, found = _ask(stream, read, ALLOCATE, {TRANSPORT: b"\x11\0\0\0"}, b"")
    for _ in range(2):
        if code not in (UNAUTHORIZED, STALE_NONCE) or REALM not in found or NONCE not in found:
            return code
        signed = {USERNAME: username.encode(), REALM: found[REALM], NONCE: found[NONCE]}
        text = b":".join([username.encode(), found[REALM], password.encode()])
        key = hashlib.md5(text, usedforsecurity=False).digest()
        code, found = _ask(stream, read, ALLOCATE, {TRANSPORT: b"\x11\0\0\0", **signed}, key)
        if code == 0:
            with suppress(OSError, TurnError):
                _ask(stream, read, REFRESH, {LIFETIME: bytes(4), **signed}, key)
            return 0
        if code != STALE_NONCE:
            return code
    return code


def _ask(
    stream: socket.socket,
    read: Callable[[socket.socket], bytes],
    method: int,
    attributes: Attributes,
    key: bytes,
) -> tuple[int, Attributes]:
    transaction = os.urandom(12)
    body = b"".join(_packed(name, value) for name, value in attributes.items())
    message = HEAD.pack(method, len(body) + (24 if key else 0), COOKIE, transaction) + body
    if key:
        message += _packed(INTEGRITY, hmac.digest(key, message, hashlib.sha1))
    stream.sendall(message)
    while True:
        answer = read(stream)
        if answer[8:20] == transaction:
            return parse(answer)


def parse(answer: bytes) -> tuple[int, Attributes]:
    """An answer's error code, 0 for success, and its attributes, of each the first. Raises TurnError."""
    if not HEAD.size <= len(answer) <= MAX_BYTES:
        raise TurnError("not a TURN answer")
    kind, size, cookie, _ = HEAD.unpack_from(answer)
    if cookie != COOKIE or size != len(answer) - HEAD.size or kind & 0xC000:
        raise TurnError("not a TURN answer")
    found: Attributes = {}
    offset = HEAD.size
    while offset + 4 <= len(answer):
        name, length = struct.unpack_from("!HH", answer, offset)
        if offset + 4 + length > len(answer):
            raise TurnError("not a TURN answer")
        found.setdefault(name, answer[offset + 4 : offset + 4 + length])
        offset += 4 + length + -length % 4
    if kind & FAILURE == SUCCESS:
        return 0, found
    error = found.get(ERROR, b"")
    if kind & FAILURE != FAILURE or len(error) < 4 or not 3 <= error[2] & 7 <= 6 or error[3] > 99:
        raise TurnError("not a TURN answer")
    return (error[2] & 7) * 100 + error[3], found


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
