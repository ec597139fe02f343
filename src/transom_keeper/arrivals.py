"""Sockets bound inside the machine, as they arrive outside: what they must be, or the machine is refused.

They come from the trusted init before anything of the user's has run, or from the root helper, and are
checked all the same: a machine whose network namespace is the host's would hold its listeners on the host's own.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from dataclasses import dataclass

from transom_keeper.sandbox import DOOR_SOCKETS, FORWARDER_PORT, LINK_PORT, LOOPBACK

SO_NETNS_COOKIE = 71
"""Linux 5.14; names the network namespace a socket was made in. Same number on x86_64 and aarch64."""
EXPECTED = 2 + DOOR_SOCKETS
_ROOM = 64
"""Descriptors taken in at most, so that a flood is seen as one and closed rather than truncated."""


class ArrivalError(Exception):
    """What the init sent is not the machine's sockets; says which and why."""


@dataclass(frozen=True, slots=True)
class MachineSockets:
    """The three ways in and out of a machine."""

    link: socket.socket
    forwarder: socket.socket
    door: list[socket.socket]

    def close(self) -> None:
        """Let go of all."""
        for each in (self.link, self.forwarder, *self.door):
            each.close()


def receive(init: socket.socket) -> MachineSockets:
    """Take the init's one message of descriptors, and check each. Raises ArrivalError, OSError."""
    size = array.array("i").itemsize
    body, ancillary, flags, _ = init.recvmsg(64, socket.CMSG_SPACE(_ROOM * size), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % size])
    sockets: list[socket.socket] = []
    try:
        if not body:
            raise ArrivalError("the init ended before it sent its sockets")
        if flags & socket.MSG_CTRUNC or len(descriptors) != EXPECTED:
            raise ArrivalError(f"{len(descriptors)} descriptors arrived, {EXPECTED} expected")
        while descriptors:
            sockets.insert(0, _as_socket(descriptors.pop()))
        return check(sockets)
    except ArrivalError:
        for each in sockets:
            each.close()
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        raise


def _as_socket(descriptor: int) -> socket.socket:
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise ArrivalError("a descriptor arrived that is no socket") from error


def check(sockets: list[socket.socket], address: str = LOOPBACK) -> MachineSockets:
    """Return them by use: link, forwarder, then the door's; all bound to `address`. Raises ArrivalError."""
    link, forwarder, *door = sockets
    _check_listener(link, address, LINK_PORT)
    _check_listener(forwarder, address, FORWARDER_PORT)
    for each in door:
        _check_datagram(each, address)
    if len({each.getsockname()[1] for each in door}) != len(door):
        raise ArrivalError("two of the door's sockets have one port")
    _check_namespace(sockets)
    for each in sockets:
        each.setblocking(False)
    return MachineSockets(link, forwarder, door)


def _check_kind(each: socket.socket, kind: socket.SocketKind, protocol: int, address: str) -> int:
    if (each.family, each.type) != (socket.AF_INET, kind):
        raise ArrivalError(f"a socket of family {each.family:d} and type {each.type:d} arrived")
    if each.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) != protocol:
        raise ArrivalError("a socket of another protocol arrived")
    bound, port = each.getsockname()
    if bound != address:
        raise ArrivalError(f"a socket arrived that is not bound to the machine's {address}")
    return int(port)


def _check_listener(each: socket.socket, address: str, port: int) -> None:
    bound = _check_kind(each, socket.SOCK_STREAM, socket.IPPROTO_TCP, address)
    if bound != port:
        raise ArrivalError(f"a listener on port {bound} arrived, {port} expected")
    if not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ArrivalError(f"the socket on port {port} does not listen")


def _check_datagram(each: socket.socket, address: str) -> None:
    bound = _check_kind(each, socket.SOCK_DGRAM, socket.IPPROTO_UDP, address)
    if bound == 0:
        raise ArrivalError("a door socket arrived that is not bound")
    with contextlib.suppress(OSError):
        each.getpeername()
        raise ArrivalError("a door socket arrived that is connected already")


def _check_namespace(sockets: list[socket.socket]) -> None:
    """All in one network namespace, and that is not ours."""
    with socket.socket(socket.AF_UNIX) as own:
        here = _cookie(own)
    cookies = {_cookie(each) for each in sockets}
    if None in cookies or here is None:  # before Linux 5.14: nothing to compare
        return
    if len(cookies) != 1:
        raise ArrivalError("the sockets are not of one network namespace")
    if here in cookies:
        raise ArrivalError("the machine shares the host's network namespace")


def _cookie(each: socket.socket) -> bytes | None:
    try:
        return each.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
    except OSError:
        return None
