"""Reading a tool's files without being led astray: no symbolic link on the way, own files only, not too large."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from transom_guest.signin.credential import Holding, Incomplete, hold
from transom_wire.link import CredentialFile

MAX_FILE = 64 * 1024
"""Bytes of one credential file; the largest known is under 8 KiB."""
MAX_TOTAL = 80 * 1024
"""Bytes of all files together: sealed and in base64 they must fit a link message (128 KiB)."""

Signature = tuple[tuple[int, int, int, int] | None, ...]
"""(inode, size, mtime_ns, ctime_ns) for each file, None where there is none: changes when anything does."""


class FileRefused(Incomplete):
    """The file is not one that a sign-in tool of this user wrote."""


def look(home: Path, specs: Sequence[CredentialFile]) -> Signature:
    """What the files look like now, by lstat: cheap enough to ask several times a second."""
    seen: list[tuple[int, int, int, int] | None] = []
    for spec in specs:
        try:
            info = os.lstat(home / spec.path)
        except OSError:
            seen.append(None)
        else:
            seen.append((info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns))
    return tuple(seen)


def gather(home: Path, specs: Sequence[CredentialFile]) -> Holding:
    """Read and judge every file. Raises Incomplete, of which FileRefused is one."""
    found: dict[str, tuple[bytes, int]] = {}
    for spec in specs:
        try:
            found[spec.path] = read_safely(home, spec.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise FileRefused(f"{spec.path} cannot be read: {error.strerror}") from error
    if sum(len(body) for body, _ in found.values()) > MAX_TOTAL:
        raise FileRefused(f"the files are larger than {MAX_TOTAL} bytes together")
    return hold(specs, found)


def read_safely(home: Path, path: str) -> tuple[bytes, int]:
    """The bytes and modification time (ns) of `home/path`, opened step by step. Raises FileRefused, OSError."""
    with contextlib.ExitStack() as opened:
        here = _open(opened, str(home), os.O_DIRECTORY, None)
        *folders, name = path.split("/")
        for folder in folders:
            here = _open(opened, folder, os.O_DIRECTORY, here)
        handle = _open(opened, name, os.O_NONBLOCK, here)
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise FileRefused(f"{path} is not a plain file")
        if info.st_uid != os.geteuid():
            raise FileRefused(f"{path} belongs to another user")
        if info.st_size > MAX_FILE:
            raise FileRefused(f"{path} is larger than {MAX_FILE} bytes")
        body = os.read(handle, MAX_FILE + 1)
        if len(body) > MAX_FILE:
            raise FileRefused(f"{path} is larger than {MAX_FILE} bytes")
        return body, info.st_mtime_ns


def _open(opened: contextlib.ExitStack, name: str, flags: int, folder: int | None) -> int:
    if name in ("", ".", ".."):
        raise FileRefused("not a plain path")
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    opened.callback(os.close, handle)
    return handle
