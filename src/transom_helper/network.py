"""A machine's network: a namespace without a name, one TAP, the rules, and the machine's sockets bound inside."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass

from transom_helper import interface, namespaces
from transom_helper.refusal import Refusal
from transom_helper.rules import FIRST_DOOR, FORWARDER_PORT, LINK_PORT, ruleset
from transom_wire.vm import GATEWAY

NFT_SECONDS = 10.0
LINK_BACKLOG, FORWARDER_BACKLOG = 32, 128
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Made:
    """A network's descriptors, in the order in which they are handed out."""

    namespace: int
    descriptors: tuple[int, ...]
    """`namespace` first."""


def make(owner: int, doors: int, *, open_tap: bool) -> Made:
    """Make a network; it ends with its last descriptor, or at once when a part of it cannot be had. Raises
    Refusal, OSError."""
    nft = shutil.which("nft", path=_PATH)
    if nft is None:
        raise Refusal("nftables is not installed", "apt-get install nftables")
    return namespaces.apart(lambda: _make(nft, owner, doors, open_tap))


def _make(nft: str, owner: int, doors: int, open_tap: bool) -> Made:
    with contextlib.ExitStack() as undo:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        undo.callback(os.close, namespace)
        interface.settle()
        tap = interface.make_tap(None if open_tap else owner)
        if tap is not None:
            undo.callback(os.close, tap)
        _filter(nft, ruleset(doors))
        interface.address()
        descriptors = [namespace]
        for each in _sockets(doors):
            descriptors.append(each.detach())
            undo.callback(os.close, descriptors[-1])
        undo.pop_all()
    return Made(namespace, (*descriptors, *(() if tap is None else (tap,))))


def _filter(nft: str, rules: str) -> None:
    """Load the rules, all of them or none."""
    try:
        done = subprocess.run(
            [nft, "-f", "-"],
            input=rules,
            text=True,
            capture_output=True,
            timeout=NFT_SECONDS,
            env={"PATH": _PATH, "LC_ALL": "C"},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Refusal("nft did not end in time") from error
    if done.returncode != 0:
        first = done.stderr.strip().splitlines()[:1]
        raise Refusal(
            f"the packet filter was refused: {''.join(first)[:200]}",
            "use a kernel with nftables (families netdev, arp and inet), and nft 1.0 or later",
        )


def _sockets(doors: int) -> list[socket.socket]:
    made: list[socket.socket] = []
    with contextlib.ExitStack() as undo:
        for port, backlog in ((LINK_PORT, LINK_BACKLOG), (FORWARDER_PORT, FORWARDER_BACKLOG)):
            made.append(undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
            made[-1].bind((GATEWAY, port))
            made[-1].listen(backlog)
        for number in range(doors):
            made.append(undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            made[-1].bind((GATEWAY, FIRST_DOOR + number))
        undo.pop_all()
    return made
