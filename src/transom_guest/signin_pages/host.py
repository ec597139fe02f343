"""The native messaging host: the browser starts it, says on standard input whether a page to sign in at is shown, and
closes that once it has no more to say. Runs alone, as a script, with nothing but the standard library.

While one is shown there is a file of this process's, which it holds a lock on: a file without one is a host that died
without its last word. A datagram to its socket asks whether the pages that are shown now are clear; the browser is
asked, and its answer goes back.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

HELLO = "hello"
"""There once a browser has said anything since it was started."""
ASKS = "asks"
"""The folder of the hosts' sockets, beside the other."""
LIMIT = 1024
"""Bytes of a message."""
QUESTION = 64
"""Bytes of a question, which is text."""


def said(stream: BinaryIO) -> bool | str | None:
    """The next message: whether one is shown, or the question whose answer is that none is. None at the end, and for
    what is no message."""
    header = stream.read(4)
    size = int.from_bytes(header, sys.byteorder)
    if len(header) < 4 or size > LIMIT:
        return None
    try:
        found = json.loads(stream.read(size))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    shown, clear = found.get("shown"), found.get("clear")
    if isinstance(clear, str):
        return clear
    return shown if isinstance(shown, bool) else None


def is_held(path: Path) -> bool:
    """Whether the host that made this file lives."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


class Askers:
    """Passes on what is asked by datagrams, and who asked gets the answer."""

    def __init__(self, folder: Path, out: BinaryIO) -> None:
        """Raises OSError."""
        self._path, self._out = folder / str(os.getpid()), out
        self._asked = ("", "")
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        os.chdir(folder)  # the whole path may be longer than an address
        self._socket.bind(self._path.name)
        threading.Thread(target=self._hear, daemon=True).start()

    def answer(self, question: str) -> None:
        """It is clear, says the browser."""
        asked, asker = self._asked
        if question == asked:
            with contextlib.suppress(OSError):
                self._socket.sendto(question.encode(), socket.MSG_DONTWAIT, asker)

    def end(self) -> None:
        """Nobody is answered any more."""
        self._path.unlink(missing_ok=True)

    def _hear(self) -> None:
        while True:
            data, asker = self._socket.recvfrom(QUESTION)
            question = data.decode("ascii", "replace")
            self._asked = (question, asker)
            body = json.dumps({"ask": question}).encode()
            self._out.write(len(body).to_bytes(4, sys.byteorder) + body)
            self._out.flush()


def serve(folder: Path, stream: BinaryIO, answer: Callable[[str], None] = lambda _question: None) -> None:
    """Write down what is said until the end. Raises OSError."""
    own, held = folder / str(os.getpid()), -1
    for path in folder.iterdir():
        if path.name != HELLO and not is_held(path):
            path.unlink(missing_ok=True)  # this browser says anew what is shown
    while (shown := said(stream)) is not None:
        if isinstance(shown, str):
            answer(shown)
            continue
        (folder / HELLO).touch(mode=0o600)
        if shown and held < 0:
            held = os.open(own, os.O_WRONLY | os.O_CREAT, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
        elif not shown and held >= 0:
            own.unlink(missing_ok=True)
            os.close(held)
            held = -1


if __name__ == "__main__":
    place = Path(sys.argv[0]).absolute().parent
    askers = Askers(place / ASKS, sys.stdout.buffer)
    try:
        serve(place / "shown", sys.stdin.buffer, askers.answer)
    finally:
        askers.end()
