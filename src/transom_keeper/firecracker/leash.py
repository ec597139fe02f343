"""A machine ends when its keeper does, however that ends: a jailed Firecracker is nobody's child.

So the keeper has a child that holds the jail's process and one end of a pipe, and does nothing until the other end,
which only the keeper has, is closed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass

from transom_keeper import privileges


@dataclass(slots=True)
class Leash:
    """Let go, and what it holds is killed."""

    end: int
    child: int

    def let_go(self) -> None:
        """Kill what it holds, if that lives, and wait for the child. Idempotent."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.child, 0)


def hold(pidfd: int, uid: int | None) -> Leash:
    """Hold the process of `pidfd`, as the user `uid`. Only while there is one thread. Raises OSError."""
    theirs, ours = os.pipe()
    child = os.fork()
    if child == 0:
        _guard(pidfd, theirs, uid)
    os.close(theirs)
    return Leash(ours, child)


def _guard(pidfd: int, keeper: int, uid: int | None) -> None:
    """The child's whole life. Never returns, and never runs anything of the parent's."""
    try:
        _only(pidfd, keeper)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        privileges.drop(uid)
        poll = select.poll()
        for descriptor in (pidfd, keeper):
            poll.register(descriptor, select.POLLIN)
        poll.poll()
    finally:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os._exit(0)


def _only(*kept: int) -> None:
    """Close every descriptor but the standard ones and these: the keeper's lock and sockets are its own."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
