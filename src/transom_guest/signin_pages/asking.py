"""Asks the desktop's browser, again and again, whether the pages that it shows are clear, and never waits for it.

Its word that a page to sign in at is shown goes the same way, so that an answer is behind it: what was on the screen
before a question was asked had no such page when the question is answered, or that was said before.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from transom_guest.signin_pages.host import QUESTION

EACH_S = 0.5
"""Seconds between two questions."""
MOST = 64
"""Questions that are remembered, and hosts that are asked."""


@dataclass(slots=True)
class _Question:
    text: str
    at: float
    left: set[str]
    """Hosts that have not answered."""


class Answers:
    """What is known by them. Pure; times are monotonic seconds."""

    def __init__(self) -> None:
        self.until = float("-inf")
        """All before this was clear, or was said not to be."""
        self._open: deque[_Question] = deque(maxlen=MOST)

    def asked(self, text: str, at: float, hosts: Iterable[str]) -> None:
        """These hosts were asked. None: nobody is there who could answer."""
        if left := set(hosts):
            self._open.append(_Question(text, at, left))

    def answered(self, text: str, host: str) -> None:
        """A host says that all is clear; what it was not asked is no answer."""
        for question in self._open:
            if question.text == text:
                question.left.discard(host)
                if not question.left:
                    self.until = max(self.until, question.at)
        while self._open and self._open[0].at <= self.until:
            self._open.popleft()


class Asking:
    """By the sockets that hosts have in `folder`. Where it cannot be asked nothing is answered."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._answers = folder, Answers()
        self._socket: socket.socket | None = None
        self._last = float("-inf")

    def look(self, now: float) -> float:
        """Ask when it is time; until when all is known to have been clear."""
        self._hear()
        if now - self._last >= EACH_S:
            self._last = now
            self._ask(now)
        return self._answers.until

    def _hear(self) -> None:
        while self._socket is not None:
            try:
                data, sender = self._socket.recvfrom(QUESTION)
            except OSError:
                return
            self._answers.answered(data.decode("ascii", "replace"), os.path.basename(str(sender)))

    def _ask(self, now: float) -> None:
        text = secrets.token_hex(8)
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                self._socket.bind("")  # an abstract address, for the answers
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return
        try:
            names = os.listdir(folder)[:MOST]
            self._answers.asked(text, now, [name for name in names if self._reaches(folder, name, text)])
        finally:
            os.close(folder)

    def _reaches(self, folder: int, name: str, text: str) -> bool:
        """Whether that host is asked. One that takes nothing lives, and is not heard from; one that ended is none."""
        assert self._socket is not None
        try:
            # its whole path may be longer than an address
            self._socket.sendto(text.encode(), f"/proc/self/fd/{folder}/{name}")
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
            return False
        except OSError:
            return True
        return True
