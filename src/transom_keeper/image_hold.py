"""Holds what a machine starts from, image and guest code, for the keeper's life: who removes them asks for the
lock alone.

A lock of the kernel's (flock) on the folder: it needs neither a file nor a database, and it goes with
the keeper, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from pathlib import Path

IMAGE = re.compile(r"sha256-[0-9a-f]{64}")
TRIES, WAIT_SECONDS = 50, 0.05
"""Whoever only lists images holds the lock alone for a moment."""


def folder_of(root: Path) -> Path:
    """The image's folder that `root` is, or is in; `root` itself when it is no image of a store."""
    return next((path for path in (root, *root.parents) if IMAGE.fullmatch(path.name)), root)


def hold(root: Path) -> int:
    """Hold the image that `root` belongs to; the descriptor is for life. Raises OSError when it is going."""
    folder = folder_of(root)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _share(descriptor)
        # it may have been taken out of sight between the two calls
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise OSError(errno.ESTALE, "the image was replaced", str(folder))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _share(descriptor: int) -> None:
    for _ in range(TRIES):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(WAIT_SECONDS)
    raise OSError(errno.EBUSY, "the image is being removed")
