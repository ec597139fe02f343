"""Linux namespaces for one thread at a time, and what a descriptor says of one (ioctl_ns(2))."""

from __future__ import annotations

import ctypes
import fcntl
import os
import threading
from collections.abc import Callable
from typing import TypeVar

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
NS_GET_USERNS, NS_GET_NSTYPE = 0xB701, 0xB703
"""Linux 4.9 and 4.11."""

_libc = ctypes.CDLL(None, use_errno=True)
R = TypeVar("R")


def call(name: str, *arguments: object) -> int:
    """A function of the C library that answers -1 for an error. Raises OSError."""
    result = int(getattr(_libc, name)(*arguments))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces. Only in a thread of `apart`. Raises OSError."""
    call("unshare", flags)


def enter(descriptor: int, kind: int) -> None:
    """Move the calling thread into a namespace. Only in a thread of `apart`. Raises OSError."""
    call("setns", descriptor, kind)


def apart(work: Callable[[], R]) -> R:
    """What `work` returns or raises, run in a thread that ends with it: namespaces are a thread's own, and one
    that has changed them is of no further use. The children it starts have them too."""
    done: list[R] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="apart", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def is_network(descriptor: int) -> bool:
    """True for a network namespace that belongs to our own user namespace, and is not our own: nobody but
    root can have made it."""
    try:
        if fcntl.ioctl(descriptor, NS_GET_NSTYPE) != CLONE_NEWNET:
            return False
        owner = fcntl.ioctl(descriptor, NS_GET_USERNS)
    except OSError:
        return False
    try:
        ours = same_file(owner, "/proc/self/ns/user")
    finally:
        os.close(owner)
    return ours and not same_file(descriptor, "/proc/self/ns/net")


def same_file(descriptor: int, path: str) -> bool:
    """True when both are one file. Raises OSError."""
    one, other = os.fstat(descriptor), os.stat(path)
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
