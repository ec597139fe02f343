"""STUN Binding requests (RFC 8489) as ICE uses them for connectivity checks (RFC 8445). Sans-I/O.

Only what the door must know: who is meant, whether the sender holds the password, whether the pair is
nominated. Everything else in a check is between viewer and guest, and passes unread.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import struct
import zlib
from dataclasses import dataclass

MAGIC_COOKIE = b"\x21\x12\xa4\x42"
HEADER_BYTES = 20
MAX_BYTES = 1280
"""Bytes of a check. Browsers send 90 to 200; a path may carry no more than this unfragmented over IPv6."""
MAX_ATTRIBUTES = 24
MAX_USERNAME = 513
"""Bytes: two ufrags of at most 256 characters (RFC 8839) and a colon."""

_BINDING_REQUEST = 0x0001
_USERNAME, _MESSAGE_INTEGRITY, _USE_CANDIDATE, _FINGERPRINT = 0x0006, 0x0008, 0x0025, 0x8028
_PRIORITY, _ICE_CONTROLLING = 0x0024, 0x802A
_INTEGRITY_BYTES = 20
_FINGERPRINT_XOR = 0x5354554E
_HEAD = struct.Struct("!HH4s12s")
_ATTRIBUTE = struct.Struct("!HH")
_UFRAGS = re.compile(rb"([A-Za-z0-9+/]{4,256}):([A-Za-z0-9+/]{4,256})")


class StunError(ValueError):
    """Not a STUN Binding request that an ICE agent could have sent; the text never quotes the datagram."""


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """One check. `covered` is what MESSAGE-INTEGRITY signs: the message before it, its length adjusted."""

    transaction: bytes
    guest_ufrag: str
    viewer_ufrag: str
    use_candidate: bool
    covered: bytes
    integrity: bytes

    def proves(self, password: str) -> bool:
        """True when the sender knows `password`, the short-term credential of the agent it calls."""
        return hmac.compare_digest(_sign(password, self.covered), self.integrity)


def is_binding_request(datagram: bytes) -> bool:
    """True when `datagram` says it is a STUN Binding request; it may still be malformed."""
    return len(datagram) >= HEADER_BYTES and datagram[:2] == b"\x00\x01" and datagram[4:8] == MAGIC_COOKIE


def parse_binding_request(datagram: bytes) -> BindingRequest:
    """Return the check in `datagram`. Raises StunError.

    The first USERNAME counts, and nothing after MESSAGE-INTEGRITY but a closing FINGERPRINT is read
    (RFC 8489, 14.5): whatever an attacker appends has no meaning here.
    """
    if not HEADER_BYTES <= len(datagram) <= MAX_BYTES:
        raise StunError("size")
    kind, length, cookie, transaction = _HEAD.unpack_from(datagram)
    if kind != _BINDING_REQUEST or cookie != MAGIC_COOKIE:
        raise StunError("not a Binding request")
    if length != len(datagram) - HEADER_BYTES or length % 4:
        raise StunError("length")
    username: bytes | None = None
    use_candidate = False
    for offset, name, value in _attributes(datagram):
        if name == _USERNAME and username is None:
            username = value
        elif name == _USE_CANDIDATE:
            use_candidate = True
        elif name == _MESSAGE_INTEGRITY:
            guest, viewer = _ufrags(username)
            integrity = _checked_integrity(datagram, offset, value)
            covered = _covered(datagram, offset)
            return BindingRequest(transaction, guest, viewer, use_candidate, covered, integrity)
        elif name == _FINGERPRINT:
            raise StunError("FINGERPRINT before MESSAGE-INTEGRITY")
    raise StunError("no MESSAGE-INTEGRITY")


def build_binding_request(
    *,
    guest_ufrag: str,
    viewer_ufrag: str,
    password: str,
    use_candidate: bool = False,
    transaction: bytes | None = None,
    fingerprint: bool = True,
) -> bytes:
    """Return a check as a controlling viewer sends it: for tests and for `doctor`."""
    username = f"{guest_ufrag}:{viewer_ufrag}".encode()
    attributes = _pack(_USERNAME, username) + _pack(_PRIORITY, b"\x6e\x7f\x1e\xff")
    attributes += _pack(_ICE_CONTROLLING, bytes(8))
    if use_candidate:
        attributes += _pack(_USE_CANDIDATE, b"")
    head = _HEAD.pack(_BINDING_REQUEST, len(attributes) + 24, MAGIC_COOKIE, transaction or os.urandom(12))
    message = head + attributes
    message += _pack(_MESSAGE_INTEGRITY, _sign(password, message))
    if not fingerprint:
        return message
    message = message[:2] + (len(message) - HEADER_BYTES + 8).to_bytes(2, "big") + message[4:]
    return message + _pack(_FINGERPRINT, _fingerprint(message))


def answers(datagram: bytes, transaction: bytes) -> bool:
    """True when `datagram` is the success response to the check with this transaction."""
    return len(datagram) >= HEADER_BYTES and datagram[:2] == b"\x01\x01" and datagram[8:20] == transaction


def _attributes(datagram: bytes) -> list[tuple[int, int, bytes]]:
    """(offset, type, value) of each attribute up to MESSAGE-INTEGRITY."""
    found: list[tuple[int, int, bytes]] = []
    offset = HEADER_BYTES
    while offset < len(datagram):
        if len(found) == MAX_ATTRIBUTES:
            raise StunError("too many attributes")
        name, size = _ATTRIBUTE.unpack_from(datagram, offset)
        start, end = offset + 4, offset + 4 + size
        if end > len(datagram):
            raise StunError("attribute past the end")
        found.append((offset, name, datagram[start:end]))
        if name == _MESSAGE_INTEGRITY:
            break
        offset = end + -size % 4
    return found


def _ufrags(username: bytes | None) -> tuple[str, str]:
    match = _UFRAGS.fullmatch(username) if username and len(username) <= MAX_USERNAME else None
    if match is None:
        raise StunError("USERNAME is not a pair of ufrags")
    return match[1].decode(), match[2].decode()


def _checked_integrity(datagram: bytes, offset: int, value: bytes) -> bytes:
    """The value of MESSAGE-INTEGRITY, once a FINGERPRINT that ends the message is known to be right."""
    if len(value) != _INTEGRITY_BYTES:
        raise StunError("MESSAGE-INTEGRITY of a wrong size")
    rest = datagram[offset + 4 + _INTEGRITY_BYTES :]
    closing = _ATTRIBUTE.pack(_FINGERPRINT, 4)
    if rest[-8:-4] == closing and rest[-4:] != _fingerprint(datagram[:-8]):
        raise StunError("FINGERPRINT")
    return value


def _covered(datagram: bytes, offset: int) -> bytes:
    """RFC 8489, 14.5: the length field counts up to the end of MESSAGE-INTEGRITY, whatever follows."""
    length = offset - HEADER_BYTES + 4 + _INTEGRITY_BYTES
    return datagram[:2] + length.to_bytes(2, "big") + datagram[4:offset]


def _sign(password: str, covered: bytes) -> bytes:
    return hmac.digest(password.encode(), covered, hashlib.sha1)


def _fingerprint(message: bytes) -> bytes:
    return (zlib.crc32(message) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def _pack(name: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4)
