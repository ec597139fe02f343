"""What a state folder kept for images and guest code that are gone. Blocking: call it in a thread."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path

STAGED = re.compile(r"(?P<code>[0-9a-f]{32})(?:-(?P<image>[0-9a-f]{16}))?")
"""A folder of guest code: as staged, or compiled for an image."""
ARCHIVE = re.compile(r"(?P<code>[0-9a-f]{32})(?:-[0-9a-f]{16})?-sha256-(?P<image>[0-9a-f]{64})\.initramfs")
NOTE_BYTES = 4096
UNFINISHED = ".new-"
UNFINISHED_S = 3600.0
"""Seconds after which what was begun there is nobody's."""


def sweep_guest(folder: Path, code: str, images: Collection[str]) -> list[str]:
    """Remove guest code that is neither `code` nor held by a machine, and what was made of it, or for images that
    are not among `images` (digests). Returns the names that went; what does not go stays for the next time."""
    known = {digest.removeprefix("sha256-") for digest in images}
    gone = []
    for path in _entries(folder):
        if not _needed(path, code, known) and _remove(path):
            gone.append(path.name)
    return gone


def sweep_snapshots(folder: Path, wanted: Collection[str], note: str) -> list[str]:
    """Remove snapshots whose file `note` says that they are made of something that is not among `wanted`; one that
    says nothing readable is none of ours."""
    gone = []
    for path in _entries(folder):
        try:
            made_of = (path / note).read_bytes()[:NOTE_BYTES].decode(errors="replace").strip()
        except OSError:
            continue
        if made_of not in wanted and remove_aside(path):
            gone.append(path.name)
    return gone


def remove_aside(folder: Path) -> bool:
    """Remove a folder that others may look at: out of their sight first, whole, and then for good. Whoever is killed
    in between leaves what `remove_unfinished` finds. False when it does not go."""
    aside = folder.with_name(f"{UNFINISHED}gone-{folder.name}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside)
    except OSError:
        return False
    return True


def remove_unfinished(folder: Path) -> None:
    """Remove what `remove_aside` was killed over."""
    for path in _entries(folder):
        if path.name.startswith(UNFINISHED):
            shutil.rmtree(path, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _needed(path: Path, code: str, images: set[str]) -> bool:
    if path.name.startswith(UNFINISHED):
        with contextlib.suppress(OSError):
            return time.time() - path.stat().st_mtime < UNFINISHED_S
        return True
    if (match := ARCHIVE.fullmatch(path.name)) is not None:
        return match["code"] == code and match["image"] in images
    if (match := STAGED.fullmatch(path.name)) is None:
        return True
    return match["code"] == code and (
        match["image"] is None or any(image.startswith(match["image"]) for image in images)
    )


def _remove(path: Path) -> bool:
    """Remove a file, or a folder that no keeper holds (`transom_keeper.image_hold`)."""
    try:
        if not path.is_dir():
            path.unlink()
            return True
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return remove_aside(path)
        finally:
            os.close(descriptor)
    except OSError:
        return False
