"""How many networks each caller has, without holding any of them: a number for each namespace.

A network ends with its callers' descriptors, and nobody tells the helper. But a namespace may be given a
number that is known in ours (ip-netns(8), `set`); it keeps nothing alive, and is gone with the namespace.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
import struct
import threading
from collections import Counter

from transom_helper.refusal import Refusal

_RTM_NEWNSID, _RTM_GETNSID = 88, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 1, 4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER, _ATTRIBUTE = struct.Struct("IHHII"), struct.Struct("HH")
_RTGENMSG = 4
"""Bytes of struct rtgenmsg, padded."""
_FIRST, _LAST = 1 << 24, 1 << 30
SECONDS = 5.0
TRIES = 1000
"""Numbers looked at for one that no other helper has given."""


class Living:
    """The networks that were handed out and are there still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[int, int] = {}
        known = numbers()
        self._numbers = itertools.count(
            max((each for each in known if _FIRST <= each < _LAST), default=_FIRST) + 1
        )

    def check(self, uid: int, most: int) -> None:
        """Raises Refusal when `uid` has `most` networks. An earlier helper's count for nobody."""
        if self.count()[uid] >= most:
            raise Refusal(
                f"this user has {most} networks", "end machines, or start the helper with --machines"
            )

    def count(self) -> Counter[int]:
        """Networks for each user."""
        with self._lock:
            before = set(self._owners)
        gone = before - numbers()  # one that is noted meanwhile is not among the numbers, and is there
        with self._lock:
            for number in gone:
                self._owners.pop(number, None)
            return Counter(self._owners.values())

    def note(self, namespace: int, uid: int) -> None:
        """`namespace`, a descriptor, belongs to `uid`. Raises OSError."""
        with self._lock:
            for number in itertools.islice(self._numbers, TRIES):
                with contextlib.suppress(FileExistsError):  # another helper on this host was faster
                    _ask(_RTM_NEWNSID, _NLM_F_ACK, ((_NETNSA_NSID, number), (_NETNSA_FD, namespace)))
                    self._owners[number] = uid
                    return
        raise OSError(errno.EEXIST, "no number is free")

    def expect(self, namespace: int, uid: int) -> None:
        """`namespace`, a descriptor, is of a network that was made for `uid`; root may use any that a helper has
        made. Raises Refusal for every other, those of an earlier helper among them; OSError."""
        number = number_of(namespace)
        with self._lock:
            owner = self._owners.get(number)
        if owner != uid and not (uid == 0 and _FIRST <= number < _LAST):
            raise Refusal("the network is none that was made for this user", "ask for a network first")


def number_of(namespace: int) -> int:
    """The number that the namespace of this descriptor has in ours; negative when it has none. Raises OSError."""
    for body in _ask(_RTM_GETNSID, _NLM_F_ACK, ((_NETNSA_FD, namespace),)):
        for kind, value in _attributes(body):
            if kind == _NETNSA_NSID:
                return value
    return -1


def numbers() -> set[int]:
    """The numbers of all namespaces that have one in ours. Raises OSError."""
    found: set[int] = set()
    for body in _ask(_RTM_GETNSID, _NLM_F_DUMP, ()):
        found |= {value for kind, value in _attributes(body) if kind == _NETNSA_NSID}
    return found


def _ask(kind: int, flags: int, attributes: tuple[tuple[int, int], ...]) -> list[bytes]:
    """One rtnetlink request; the bodies of the answers. Raises OSError."""
    body = bytes(_RTGENMSG) + b"".join(
        _ATTRIBUTE.pack(8, name) + struct.pack("i", value) for name, value in attributes
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(SECONDS)
        netlink.bind((0, 0))
        netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, 1, 0) + body)
        answers: list[bytes] = []
        while True:
            for got, answer in messages(netlink.recv(65536)):
                if got == _NLMSG_ERROR:
                    code = -struct.unpack_from("i", answer)[0]
                    if code:
                        raise OSError(code, "rtnetlink")
                    return answers
                if got == _NLMSG_DONE:
                    return answers
                answers.append(answer)


def messages(data: bytes) -> list[tuple[int, bytes]]:
    """(type, body) of each message in what the kernel sent. Pure."""
    found = []
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            break
        found.append((kind, data[_HEADER.size : length]))
        data = data[(length + 3) & ~3 :]
    return found


def _attributes(body: bytes) -> list[tuple[int, int]]:
    found, rest = [], body[_RTGENMSG:]
    while len(rest) >= 8:
        length, name = _ATTRIBUTE.unpack_from(rest)
        if length < 8 or length > len(rest):
            break
        found.append((name, struct.unpack_from("i", rest, 4)[0]))
        rest = rest[(length + 3) & ~3 :]
    return found
