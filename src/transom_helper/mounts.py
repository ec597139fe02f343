"""Files in a jail by descriptor: mount_namespaces(7), open_tree(2), move_mount(2). Linux 5.2 or later.

A descriptor's own mount can be copied only in the namespace that it belongs to, and attached in any: so `copy`
in the helper's, then `attach` in the jail's own, which goes with its last process. No path of a caller's is
looked up, ever.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from transom_helper.namespaces import call
from transom_helper.refusal import Refusal

_OPEN_TREE, _MOVE_MOUNT = 428, 429
"""System call numbers, one on every architecture."""
_AT_EMPTY_PATH, _OPEN_TREE_CLONE = 0x1000, 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20, 0x1000, 0x4000, 1 << 18
_AT_FDCWD = -100


def copy(descriptor: int) -> int:
    """A mount of the descriptor's file alone, attached nowhere: a descriptor. Raises Refusal, OSError."""
    try:
        return call(
            "syscall",
            ctypes.c_long(_OPEN_TREE),
            ctypes.c_int(descriptor),
            ctypes.c_char_p(b""),
            ctypes.c_uint(_AT_EMPTY_PATH | _OPEN_TREE_CLONE | os.O_CLOEXEC),
        )
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise Refusal(
                "a file came that is not of the helper's own mount namespace",
                "run controller and helper without PrivateTmp=, ProtectSystem= and the like",
            ) from error
        raise


def make_private() -> None:
    """What is mounted in the calling thread's namespace from now on stays there. Raises OSError."""
    _mount(None, b"/", _MS_REC | _MS_PRIVATE)


def attach(tree: int, target: Path, *, writable: bool) -> None:
    """Show the file of `copy` at `target`, a plain file. Raises OSError."""
    place = bytes(target)
    call(
        "syscall",
        ctypes.c_long(_MOVE_MOUNT),
        ctypes.c_int(tree),
        ctypes.c_char_p(b""),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(place),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
    )
    flags = _MS_BIND | _MS_REMOUNT | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount(None, place, flags if writable else flags | _MS_RDONLY)


def _mount(source: bytes | None, target: bytes, flags: int) -> None:
    call(
        "mount",
        ctypes.c_char_p(source),
        ctypes.c_char_p(target),
        ctypes.c_char_p(None),
        ctypes.c_ulong(flags),
        ctypes.c_char_p(None),
    )
