"""One message, and the descriptors beside it, as one packet of a SOCK_SEQPACKET socket (unix(7)).

Whatever arrives as a descriptor is owned by somebody from its first moment: it is returned, or closed.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Iterable, Sequence
from typing import TypeVar

from transom_wire.codec import Message, WireError, decode, encode

PACKET_BYTES = 4096
"""The largest request taken in; the longest is a tenth of this."""
MOST_DESCRIPTORS = 80
"""Taken in at most: a machine's network is 68 with all its doors."""
_INT = array.array("i").itemsize
M = TypeVar("M")


class PacketError(Exception):
    """What arrived is no packet of this protocol; says why and never quotes it."""


class Closed(Exception):
    """The peer has closed."""


def send(peer: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send `message` with `descriptors`, which stay the caller's. Raises OSError."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    peer.sendmsg([encode(message)], rights, socket.MSG_NOSIGNAL)


def receive(
    peer: socket.socket, allowed: Iterable[type[M]], limit: int = PACKET_BYTES
) -> tuple[M, list[int]]:
    """The next message, of at most `limit` bytes, and its descriptors, which are the caller's to close.
    Raises PacketError, Closed, OSError (TimeoutError by the socket's own time limit)."""
    room = socket.CMSG_SPACE(MOST_DESCRIPTORS * _INT)
    body, ancillary, flags, _ = peer.recvmsg(limit, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = _descriptors(ancillary)
    try:
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            raise PacketError("a packet with more bytes or descriptors than are taken in")
        if not body:
            raise Closed
        return decode(body, allowed), descriptors
    except WireError as error:
        close(descriptors)
        raise PacketError(str(error)) from error
    except BaseException:
        close(descriptors)
        raise


def _descriptors(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % _INT])
    return found.tolist()


def close(descriptors: Iterable[int]) -> None:
    """Close all of them, whatever becomes of each."""
    for each in descriptors:
        with contextlib.suppress(OSError):
            os.close(each)
