"""Writes cpio archives of the kind Linux unpacks at boot ("newc"), the same bytes for the same content.

The layout is in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Several archives
may follow each other in one file, each beginning at a multiple of four bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from transom.images.tree import EPOCH

TRAILER = "TRAILER!!!"
ALIGN, BLOCK = 4, 512
NAME_LIMIT, SIZE_LIMIT = 4096, 2**32 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder, link or device; it belongs to root. `path` is relative and plain."""

    path: str
    mode: int
    """Kind and permissions, as in `st_mode`."""
    content: bytes = b""
    """A file's bytes, or a link's target."""
    device: tuple[int, int] = (0, 0)


def file(path: str, content: bytes, *, runs: bool = False) -> Entry:
    """A regular file that all may read, and run when `runs`."""
    return Entry(path, stat.S_IFREG | (0o755 if runs else 0o644), content)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def folder(path: str) -> Entry:
    """A folder that all may enter."""
    return Entry(path, stat.S_IFDIR | 0o755)


def character(path: str, mode: int, major: int, minor: int) -> Entry:
    """A character device."""
    return Entry(path, stat.S_IFCHR | mode, b"", (major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """One whole archive: sorted, the folders on the way added, times EPOCH. Raises ValueError."""
    chunks = [_record(number, entry) for number, entry in enumerate(_complete(entries), start=1)]
    chunks.append(_record(0, Entry(TRAILER, 0), links=1, time=0))
    return padded(b"".join(chunks), BLOCK)


def padded(data: bytes, step: int = ALIGN) -> bytes:
    """`data` and as many zeros as make its length a multiple of `step`."""
    return data + bytes(-len(data) % step)


def _complete(entries: Iterable[Entry]) -> Iterator[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        pure = PurePosixPath(entry.path)
        if str(pure) != entry.path or pure.is_absolute() or ".." in pure.parts or "\0" in entry.path:
            raise ValueError(f"not a plain relative path: {entry.path!r}")
        if entry.path in found or entry.path in (".", TRAILER):
            raise ValueError(f"twice, or reserved: {entry.path!r}")
        found[entry.path] = entry
    for path in list(found):
        for parent in PurePosixPath(path).parents:
            if str(parent) == ".":
                break
            if not stat.S_ISDIR(found.setdefault(str(parent), folder(str(parent))).mode):
                raise ValueError(f"{parent} is not a folder")
    # by parts: a folder comes before what is in it
    yield from sorted(found.values(), key=lambda entry: PurePosixPath(entry.path).parts)


def _record(number: int, entry: Entry, *, links: int = 0, time: int = EPOCH) -> bytes:
    name = entry.path.encode() + b"\0"
    if len(name) > NAME_LIMIT or len(entry.content) > SIZE_LIMIT:
        raise ValueError(f"too large for cpio: {entry.path!r}")
    fields = (
        *(number, entry.mode, 0, 0, links or (2 if stat.S_ISDIR(entry.mode) else 1), time),
        *(len(entry.content), 0, 0, *entry.device, len(name), 0),
    )
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return padded(header + name) + padded(entry.content)
