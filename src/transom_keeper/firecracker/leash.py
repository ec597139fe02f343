"""A machine ends when its keeper does, however that ends: a jailed Firecracker is nobody's child.

So the keeper has a child that holds the jail's process and one end of a pipe, and does nothing until the other end,
which only the keeper has, is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from transom_keeper import privileges


@dataclass(slots=True)
class Leash:
    """Let go, and what it holds is killed."""

    end: int
    child: int
    pidfd: int
    """The child's: readable once it has ended, and holds nothing any more."""

    def let_go(self) -> None:
        """Kill what it holds, if that lives, and wait for the child. Idempotent."""
        if self.end >= 0:
            os.close(self.end)
            os.close(self.pidfd)
            self.end = -1
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.child, 0)


_ARG_START, _ARG_END = 45, 46
"""Fields of /proc/PID/stat behind the command's name, from 0 (proc_pid_stat(5): 48 and 49 from 1)."""


def hold(pidfd: int, uid: int | None, name: str) -> Leash:
    """Hold the process of `pidfd`, as the user `uid`. The child is called `name` in the host's process list: it is
    the machine's, and no keeper. Only while there is one thread. Raises OSError."""
    theirs, ours = os.pipe()
    # until it ignores it and is called so, the child looks like a keeper, which SIGTERM ends
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        child = os.fork()
        if child == 0:
            _guard(pidfd, theirs, uid, name)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(theirs)
    return Leash(ours, child, os.pidfd_open(child))


def _guard(pidfd: int, keeper: int, uid: int | None, name: str) -> None:
    """The child's whole life. Never returns, and never runs anything of the parent's."""
    try:
        _only(pidfd, keeper)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _rename(name)
        privileges.drop(uid)
        poll = select.poll()
        for descriptor in (pidfd, keeper):
            poll.register(descriptor, select.POLLIN)
        poll.poll()
    finally:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os._exit(0)


def _rename(name: str) -> None:
    """Write `name` over the arguments that the process was started with, which the kernel shows."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    size = max(0, end - start - 1)
    ctypes.memmove(start, name.encode()[:size].ljust(size, b"\0"), size)


def _only(*kept: int) -> None:
    """Close every descriptor but the standard ones and these: the keeper's lock and sockets are its own."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
