"""The folder of files that travel. Everything is done by its descriptor; no link is followed, out of it or in it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from transom_wire.files import CHUNK, MOST_FILES, FileEntry, name_fault

FOLDER = "Files"
"""In the user's home. The browser's downloads land there as well."""
TEMPORARY = ".coming-"
"""What a file is called until it is whole; such names are in no list."""
LEFT_S = 600.0
"""Seconds after which a file that is not whole is nobody's: its controller is given up long before."""
LOOKED_AT = 20_000
"""Entries of a folder that are looked at for a list."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Refusal(Exception):
    """A request is not carried out; `code` is FileRefused's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@contextmanager
def opened(home: Path) -> Iterator[Folder]:
    """The folder in `home`, made if it is not there. Raises Refusal, OSError."""
    with contextlib.suppress(FileExistsError):
        (home / FOLDER).mkdir(mode=0o700)
    try:
        descriptor = os.open(home / FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (NotADirectoryError, OSError) as error:
        raise Refusal("failed", f"the folder cannot be opened: {error.strerror}") from error
    try:
        yield Folder(descriptor)
    finally:
        os.close(descriptor)


class Folder:
    """An open folder. Every call raises Refusal with the reason, or OSError for a disk that fails."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def listing(self) -> tuple[tuple[FileEntry, ...], bool]:
        """Its plain files by name, and whether there is more than is listed."""
        names, more = self._names()
        found: list[FileEntry] = []
        for name in names:
            status = self._status(name)
            if name_fault(name) or status is None:
                more = more or not name.startswith(".")
                continue
            if len(found) == MOST_FILES:
                return tuple(found), True
            found.append(FileEntry(name, status.st_size, max(0, status.st_mtime_ns // 1_000_000)))
        return tuple(found), more

    def _names(self) -> tuple[list[str], bool]:
        names: list[str] = []
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                if len(names) == LOOKED_AT:
                    return sorted(names), True
                names.append(entry.name)
        return sorted(names), False

    def _status(self, name: str) -> os.stat_result | None:
        """Of a plain file; None for everything else."""
        try:
            found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def reading(self, name: str, most: int) -> tuple[int, int]:
        """(descriptor to read it by, size). The caller closes it."""
        check(name)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
        except OSError as error:
            raise Refusal("missing", "there is no such file") from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            os.close(descriptor)
            if stat.S_ISREG(status.st_mode):
                raise Refusal("too_large", f"the file has more than {most} bytes")
            raise Refusal("missing", "that is no plain file")
        return descriptor, status.st_size

    def room(self, name: str, size: int | None, most: int, files: int, *, new: bool = False) -> None:
        """Refuse a file that cannot come, before it does; a `new` one where something has its name."""
        check(name)
        if size is not None and size > most:
            raise Refusal("too_large", f"the file has more than {most} bytes")
        names, _ = self._names()
        self._sweep(names)
        if new and self._there(name):
            raise exists()
        if name not in names and sum(not each.startswith(".") for each in names) >= files:
            raise Refusal("too_many", f"there are {files} files already")
        if name in names and self._status(name) is None:
            raise Refusal("name", "something that is no plain file has this name")
        space = os.fstatvfs(self._descriptor)
        if size is not None and size > space.f_bavail * space.f_frsize:
            raise full()

    def _there(self, name: str) -> bool:
        """Something has this name, be it beyond what is looked at for a list."""
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            return True
        return False

    def _sweep(self, names: list[str]) -> None:
        """What a transfer that was killed has left: nothing has been added to it for long."""
        for name in names:
            status = self._status(name) if name.startswith(TEMPORARY) else None
            if status is not None and time.time() - status.st_mtime > LEFT_S:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._descriptor)

    def write(self, name: str, most: int, read: Callable[[], bytes], *, new: bool = False) -> int:
        """Take what `read` gives until it gives nothing; then the file is there, and not before. Its size. A `new`
        one takes no other's place, whenever that came."""
        check(name)
        coming = TEMPORARY + secrets.token_hex(8)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(coming, flags, 0o600, dir_fd=self._descriptor)
        try:
            try:
                size = _take(descriptor, most, read)
            finally:
                os.close(descriptor)
            self._name(coming, name, new=new)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.unlink(coming, dir_fd=self._descriptor)
            if isinstance(error, OSError) and error.errno in FULL:
                raise full() from error
            raise
        return size

    def _name(self, coming: str, name: str, *, new: bool) -> None:
        """A link is made in one step or, where the name is taken, not at all; a rename would replace."""
        here = {"src_dir_fd": self._descriptor, "dst_dir_fd": self._descriptor}
        if not new:
            os.rename(coming, name, **here)
            return
        try:
            os.link(coming, name, **here, follow_symlinks=False)
        except FileExistsError as error:
            raise exists() from error
        os.unlink(coming, dir_fd=self._descriptor)

    def remove(self, name: str) -> int:
        """The file goes; the size it had."""
        check(name)
        status = self._status(name)
        if status is None:
            raise Refusal("missing", "there is no such file")
        os.unlink(name, dir_fd=self._descriptor)
        return status.st_size


def check(name: str) -> None:
    """Raises Refusal for a name that no file may have."""
    fault = name_fault(name)
    if fault:
        raise Refusal("name", f"a file cannot have this name: {fault}")


def exists() -> Refusal:
    """It would take another's place."""
    return Refusal("exists", "something has this name already")


def full() -> Refusal:
    """There is no room."""
    return Refusal("full", "the machine's disk is full")


def _take(descriptor: int, most: int, read: Callable[[], bytes]) -> int:
    size = 0
    while data := read():
        size += len(data)
        if size > most:
            raise Refusal("too_large", f"the file has more than {most} bytes")
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:CHUNK]) :]
    return size
