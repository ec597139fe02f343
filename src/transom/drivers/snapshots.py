"""Saved machines: one folder a key, and the key says all that a clone must have in common with the saved one.

A snapshot is never written to again. One that lies here is whole: it came by one rename.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from transom.drivers.sweep import UNFINISHED, remove_aside, remove_unfinished, sweep_snapshots
from transom_keeper.vm.snapshot import SnapshotError, flush, read_note

MADE_OF = "made-of"
"""The file that says of which image and guest code a snapshot is."""
BAD = "bad-"
"""Begins the name of one that woke nothing up: for who wants to know why."""
KEPT = 2
"""Of the newest, so that going back to the image before costs no second save. Each is as large as the memory
that its machine had in use."""


def key_of(facts: Mapping[str, object]) -> str:
    """The name of the snapshot that has these facts. Pure."""
    return hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()[:32]


def _note(made: Path, made_of: str) -> None:
    """Write down what it is made of, in the folder itself and nowhere else: it was its machine's user's, who may have
    put anything there. Raises OSError, SnapshotError."""
    folder = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in os.listdir(folder):
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1:
                raise SnapshotError(f"{name!r} in it is no file of its own")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(MADE_OF, flags, 0o600, dir_fd=folder), "w") as note:
            note.write(f"{made_of}\n")
    finally:
        os.close(folder)


def _clear(folder: Path) -> None:
    """Remove it, or what lies there in its place."""
    with contextlib.suppress(OSError):
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)


class Snapshots:
    """The snapshots in one folder. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one = threading.Lock()
        """What is being taken in is nobody's to sweep."""

    def find(self, key: str) -> tuple[Path, str] | None:
        """The snapshot `key` and the boot token of its guest; None when there is none that is whole."""
        try:
            return self._folder / key, read_note(self._folder / key).boot_token
        except SnapshotError:
            return None

    def adopt(self, made: Path, key: str, made_of: str) -> None:
        """Take the folder `made` in as `key`, ours alone; older ones go. Raises OSError, SnapshotError."""
        with self._one:
            self._adopt(made, key, made_of)

    def _adopt(self, made: Path, key: str, made_of: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = self._folder / f"{UNFINISHED}{key}"
        _clear(ours)
        os.rename(made, ours)  # where nobody else can put another in its place
        try:
            _note(ours, made_of)
            read_note(ours)
            if os.geteuid() == 0:
                for path in (ours, *ours.iterdir()):
                    os.chown(path, 0, 0, follow_symlinks=False)
            flush(ours / MADE_OF)
            target = self._folder / key
            remove_aside(target)
            os.rename(ours, target)
        finally:
            _clear(ours)
        os.utime(target)
        flush(self._folder)
        self._prune()

    def set_aside(self, key: str, boot_token: str) -> bool:
        """Take the snapshot `key` out of use as it is, and remove the one that was before. False when `key` is another
        by now, or does not go."""
        with self._one:
            found = self.find(key)
            if found is None or found[1] != boot_token:
                return False
            for older in self._folder.glob(f"{BAD}*"):
                remove_aside(older)
            try:
                os.rename(found[0], self._folder / f"{BAD}{key}")
            except OSError:
                return False
            return True

    def sweep(self, wanted: Collection[str]) -> None:
        """Remove those that are made of something else than is `wanted`. A clone of one has its files open, and
        keeps them."""
        with self._one:
            remove_unfinished(self._folder)
            sweep_snapshots(self._folder, wanted, MADE_OF)

    def _prune(self) -> None:
        """A clone that was made of one that goes has its files open, and keeps them."""
        remove_unfinished(self._folder)
        good = (each for each in self._folder.iterdir() if not each.name.startswith(BAD))
        found = sorted(good, key=lambda each: each.stat().st_mtime, reverse=True)
        for old in found[KEPT:]:
            remove_aside(old)
