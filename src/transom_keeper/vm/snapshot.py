"""A saved machine as files in one folder: written once, made visible by one rename, only read after that."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from transom_wire.codec import Many, Range, WireError, decode, encode
from transom_wire.fields import Token

STATE, MEMORY, OVERLAY, NOTE = "state", "memory", "overlay", "snapshot.json"
"""MEMORY where a VMM keeps it beside its state; QEMU's state holds both."""
BOOTED = "booted, for its "
"""How a keeper's warning begins of a machine that should have been restored, and was booted."""
VERSION = 2
NOTE_BYTES = 4096


class SnapshotError(Exception):
    """The folder holds no whole snapshot; says why in words for the operator."""


@dataclass(frozen=True, slots=True)
class SnapshotNote:
    """What whoever starts a clone must know."""

    TYPE: ClassVar[str] = "snapshot_note"
    version: Annotated[int, Range(1, 1000)]
    boot_token: Token
    """The guest shows it on the link when it wakes up, in each clone: its keeper must expect just this one."""
    sizes: Annotated[dict[str, str], Many(8)]
    """Each file beside the note -> its bytes, in decimal digits."""


class NewSnapshot:
    """A snapshot that is being written, beside where it will be. Files are the owner's alone."""

    def __init__(self, folder: Path) -> None:
        self._final, self._work = folder, folder.with_name(f"{folder.name}.new")
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(mode=0o700)

    def create(self, name: str) -> int:
        """A descriptor to write the file `name` by. Raises OSError."""
        return os.open(self._work / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def take(self, name: str, path: Path) -> None:
        """Move the written file at `path`, of the same file system, here as `name`. Everybody may read it who is
        given it: this folder is the owner's alone. Raises OSError."""
        os.chmod(path, 0o444)
        os.rename(path, self._work / name)

    def finish(self, boot_token: str) -> None:
        """Add the note, have the disk hold all, and make it visible. Takes as long as the disk. Raises OSError."""
        sizes = {each.name: str(each.lstat().st_size) for each in self._work.iterdir()}
        with os.fdopen(self.create(NOTE), "wb") as file:
            file.write(encode(SnapshotNote(VERSION, boot_token, sizes)) + b"\n")
        for path in (*self._work.iterdir(), self._work):
            flush(path)
        os.rename(self._work, self._final)
        flush(self._final.parent)

    def discard(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self._work, ignore_errors=True)


def flush(path: Path) -> None:
    """Return once the disk holds the file or folder as it is: fsync(2). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_note(folder: Path) -> SnapshotNote:
    """The note of the snapshot in `folder`, of which every file is there, as long as it was. Raises SnapshotError."""
    try:
        with open(folder / NOTE, "rb") as file:
            note = decode(file.read(NOTE_BYTES), (SnapshotNote,))
    except (OSError, WireError, json.JSONDecodeError) as error:
        raise SnapshotError(f"there is no whole snapshot in {folder}: {error}") from error
    if note.version != VERSION:
        raise SnapshotError(f"the snapshot in {folder} is of another version")
    for name, size in note.sizes.items():
        if Path(name).name != name or _size(folder / name) != size:
            raise SnapshotError(f"the snapshot in {folder} is not whole: {name} is gone or cut short")
    return note


def _size(path: Path) -> str | None:
    """None: there is no such file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return str(found.st_size) if stat.S_ISREG(found.st_mode) else None


def open_file(folder: Path, name: str) -> int:
    """A descriptor that can only be read from. Raises OSError."""
    return os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
