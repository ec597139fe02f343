"""Just enough of TURN (RFC 8656) over UDP to ask a server what it would allow."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass

COOKIE = 0x2112A442
ALLOCATE, CREATE_PERMISSION, SUCCESS = 0x0003, 0x0008, 0x0100
USERNAME, INTEGRITY, ERROR, PEER, REALM, NONCE = 0x0006, 0x0008, 0x0009, 0x0012, 0x0014, 0x0015
RELAYED, FAMILY, TRANSPORT = 0x0016, 0x0017, 0x0019
UDP = b"\x11\0\0\0"


@dataclass
class TurnClient:
    """One client with long-term credentials. Answers are 0 for success, or the server's error code."""

    server: tuple[str, int]
    username: str
    password: str

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(2)
        self.socket.connect(self.server)
        self.realm = self.nonce = b""

    def close(self) -> None:
        self.socket.close()

    def allocate(self, *, ipv6: bool = False) -> int:
        """Ask for a relayed address."""
        family = [(FAMILY, b"\x02\0\0\0")] if ipv6 else []
        code = self._ask(ALLOCATE, [(TRANSPORT, UDP), *family])
        return self._ask(ALLOCATE, [(TRANSPORT, UDP), *family]) if code == 401 and self.realm else code

    def permit(self, peer: str, port: int = 40000) -> int:
        """Ask to exchange datagrams with `peer`."""
        code = self._ask(CREATE_PERMISSION, [(PEER, _xored(peer, port, bytes(12)))])
        assert code != 401
        return code

    def _ask(self, method: int, attributes: list[tuple[int, bytes]]) -> int:
        transaction = os.urandom(12)
        pairs = [(n, _xored_again(v, transaction) if n == PEER else v) for n, v in attributes]
        key = b""
        if self.realm:
            pairs += [(USERNAME, self.username.encode()), (REALM, self.realm), (NONCE, self.nonce)]
            text = b":".join([self.username.encode(), self.realm, self.password.encode()])
            key = hashlib.md5(text, usedforsecurity=False).digest()
        body = b"".join(_attribute(*pair) for pair in pairs)
        head = struct.pack("!HHI12s", method, len(body) + (24 if key else 0), COOKIE, transaction)
        if key:
            body += _attribute(INTEGRITY, hmac.digest(key, head + body, hashlib.sha1))
        for _ in range(4):
            self.socket.send(head + body)
            try:
                return self._answer(transaction)
            except TimeoutError:
                continue
        raise TimeoutError("the TURN server does not answer")

    def _answer(self, transaction: bytes) -> int:
        while True:
            data = self.socket.recv(2048)
            kind, _, _, got = struct.unpack_from("!HHI12s", data)
            if got == transaction:
                break
        found, offset = {}, 20
        while offset + 4 <= len(data):
            name, size = struct.unpack_from("!HH", data, offset)
            found[name] = data[offset + 4 : offset + 4 + size]
            offset += 4 + size + -size % 4
        self.realm, self.nonce = found.get(REALM, self.realm), found.get(NONCE, self.nonce)
        if kind & 0x0110 == SUCCESS:
            return 0
        return found[ERROR][2] * 100 + found[ERROR][3]


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _xored(peer: str, port: int, transaction: bytes) -> bytes:
    address = ipaddress.ip_address(peer)
    mask = COOKIE.to_bytes(4, "big") + transaction
    packed = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ COOKIE >> 16) + packed


def _xored_again(value: bytes, transaction: bytes) -> bytes:
    """Of an address that was masked without a transaction, the one masked with it: IPv6 is, IPv4 is not."""
    return value[:8] + bytes(a ^ b for a, b in zip(value[8:], transaction, strict=False))
