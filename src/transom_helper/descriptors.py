"""What a caller's descriptors must be. The rest of the helper uses none that was not looked at here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from transom_helper import namespaces
from transom_helper.refusal import Refusal


def expect(descriptors: list[int], count: int) -> None:
    """As many as the request says. Raises Refusal."""
    if len(descriptors) != count:
        raise Refusal(f"{len(descriptors)} descriptors came, {count} expected")


def process(descriptor: int, user: int | None) -> int:
    """The number of a pidfd's process, which lives in our process namespace and is `user`'s in all its four
    user ids (None: anybody's). Whether the number is still that process's, only its pidfd can tell. Raises
    Refusal."""
    pid = _pid(descriptor)
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError as error:
        raise Refusal("the process has ended") from error
    uids = next((line.split()[1:] for line in lines if line.startswith("Uid:")), [])
    if len(uids) != 4 or (user is not None and set(uids) != {str(user)}):
        raise Refusal("the process is another user's")
    return pid


def _pid(descriptor: int) -> int:
    """Raises Refusal."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "Pid" and int(value) > 0:
                return int(value)
    raise Refusal("a descriptor came that is no living process's")


def network(descriptor: int) -> None:
    """A network namespace such as we make; whether we made it, and for whom, `living` knows. Raises Refusal."""
    if not namespaces.is_network(descriptor):
        raise Refusal("a descriptor came that is no machine's network")


def readable(descriptor: int, what: str, reader: int) -> None:
    """A plain file, open for reading only, which the user `reader` may read by its mode. Raises Refusal."""
    _plain(descriptor, what, os.O_RDONLY)
    seen = os.fstat(descriptor)
    if not (seen.st_mode & stat.S_IROTH or (seen.st_uid == reader and seen.st_mode & stat.S_IRUSR)):
        raise Refusal(f"user {reader} may not read the {what}", "chmod o+r the file")


def writable(descriptor: int, what: str, owners: frozenset[int]) -> None:
    """A plain file, open for reading and writing, of one name at most, of one of these users. Raises Refusal."""
    _plain(descriptor, what, os.O_RDWR)
    seen = os.fstat(descriptor)
    if seen.st_uid not in owners:
        raise Refusal(f"the {what} is another user's file")
    if seen.st_nlink > 1:
        raise Refusal(f"the {what} has more than one name")


def _plain(descriptor: int, what: str, access: int) -> None:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or flags & os.O_PATH:
        raise Refusal(f"the {what} is no plain file")
    if flags & os.O_ACCMODE != access:
        raise Refusal(f"the {what} is not open {'for reading only' if access == os.O_RDONLY else 'for both'}")


def pipe_end(descriptor: int, what: str) -> None:
    """A pipe's write end. Raises Refusal."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    if (
        not stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        or flags & os.O_ACCMODE != os.O_WRONLY
        or flags & os.O_PATH
    ):
        raise Refusal(f"the {what} is no pipe to write to")
