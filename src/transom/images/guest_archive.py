"""The initramfs a virtual machine boots with: the image's own, and this transom's guest code behind it.

So a new transom needs no new image. The kernel unpacks both archives over each other; the guest's code is
then in `/transom/transom_guest` and `/transom/transom_wire`.
"""

from __future__ import annotations

import re
from pathlib import Path

from transom.images import cpio, files
from transom.images.errors import ImageError

PLACE = "transom"
"""Folder of the guest's packages in the initramfs."""
NAME = re.compile(r"[0-9a-z-]{8,128}")
LIMIT = 64 * 2**20
"""Bytes of guest code; it is under one MiB."""
FILES_LIMIT = 5000


def combine(initramfs: Path, guest: Path, cache: Path, image: str) -> Path:
    """Return `cache/<guest>-<image>.initramfs`, made by one rename unless it is there. Raises ImageError.

    `guest` is a staged folder, named by its digest, of `transom_guest/...` and `transom_wire/...`;
    `image` is the digest of the image that `initramfs` belongs to.
    """
    if not NAME.fullmatch(guest.name) or not NAME.fullmatch(image):
        raise ImageError("guest and image must be named by digest", mend="stage the guest's code again")
    kept = cache / f"{guest.name}-{image}.initramfs"
    if kept.is_file():
        return kept
    try:
        files.write(kept, cpio.padded(initramfs.read_bytes(), cpio.BLOCK) + archive(guest))
    except OSError as error:
        raise ImageError(
            f"the guest's archive cannot be made: {error}", mend=f"make {cache} writable, free disk space"
        ) from error
    return kept


def archive(guest: Path) -> bytes:
    """The cpio archive of a staged folder. Raises ImageError when it is no such folder, OSError."""
    entries, size = [], 0
    for path in sorted(guest.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ImageError(f"{path} is neither file nor folder", mend="stage the guest's code again")
        if path.is_dir():
            continue
        content = path.read_bytes()
        size += len(content)
        entries.append(cpio.file(f"{PLACE}/{path.relative_to(guest).as_posix()}", content))
        if size > LIMIT or len(entries) > FILES_LIMIT:
            raise ImageError(f"{guest} is too large for a guest's code", mend="stage the guest's code again")
    if not entries:
        raise ImageError(f"{guest} holds no guest code", mend="stage the guest's code again")
    return cpio.archive(entries)
