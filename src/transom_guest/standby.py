"""Services of a warm machine: started before anybody's session, told to go on by its claim.

The service's standard input is a socket to the supervisor. The service writes a line when it has done all it
can before a claim; the supervisor writes one, a JSON object of environment variables, when it may go on.
With WAIT a service stops there, for its machine may yet be cloned: all is loaded, and nothing random drawn.
With TELL it runs on, and only says that it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import ssl
import sys
from collections.abc import Callable, Mapping

WAIT, TELL = "--wait", "--tell"
SETTLED = b"settled\n"
LINE_LIMIT = 4096
"""Bytes of the word to go on."""


class Leash:
    """The supervisor's end for one start of a service. `theirs` is the service's standard input."""

    def __init__(self, settled: Callable[[], None]) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self._heard)

    def go(self, changes: Mapping[str, str]) -> None:
        """Tell it to go on, with these environment variables changed."""
        with contextlib.suppress(OSError):
            self._ours.send(json.dumps(dict(changes)).encode() + b"\n")

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._ours.fileno() >= 0:
            self._loop.remove_reader(self._ours)
        self._ours.close()
        self.theirs.close()

    def _heard(self) -> None:
        try:
            data = self._ours.recv(64)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data == SETTLED:
            self._settled()
        self._loop.remove_reader(self._ours)


def settled(arguments: list[str]) -> None:
    """In a service: with TELL, say that it serves. May be said again."""
    if TELL in arguments:
        _say_settled()


def wait(arguments: list[str]) -> None:
    """In a service: with WAIT, say that all is loaded and wait; return once the machine is a session's.

    Nothing that draws random numbers may come before this. Exits when the supervisor has gone.
    """
    if WAIT not in arguments:
        return
    _say_settled()
    line = b""
    while not line.endswith(b"\n") and len(line) < LINE_LIMIT:
        data = os.read(0, LINE_LIMIT)
        if not data:
            sys.exit(0)
        line += data
    os.environ.update(json.loads(line))
    freshen()


def freshen() -> None:
    """Have this process's own generators begin anew from the kernel's, which the claim has reseeded."""
    random.seed()
    ssl.RAND_add(os.urandom(64), 64.0)


def _say_settled() -> None:
    with contextlib.suppress(OSError):
        os.write(0, SETTLED)
