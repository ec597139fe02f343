"""What the keeper gives up before anything of the guest runs."""

from __future__ import annotations

import ctypes
import os
import resource

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
_CORE_BYTES = 1
"""One byte and not zero: zero still starts a `|handler` of core_pattern, as root on the host; one does not."""
_OPEN_FILES = 65536

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def drop(uid: int | None, group: int | None = None) -> None:
    """Become `uid` for good (None: stay who we are), never to gain a right again. Raises OSError. Of all groups
    only `group` is kept.

    Not dumpable either: nobody but root may trace this process or read its memory.
    """
    if uid is not None:
        kept = [] if group is None else [group]
        os.setgroups(kept)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        if os.getresuid() != (uid, uid, uid) or os.getresgid() != (uid, uid, uid) or os.getgroups() != kept:
            raise PermissionError("the keeper could not give up its rights")
    if os.geteuid() == 0:
        raise PermissionError("a machine never runs as root: the keeper was told no user to become")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_DUMPABLE, 0)


def limit_resources() -> None:
    """Bound what the sandbox inherits: no core dumps, enough open files for a browser, no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (_CORE_BYTES, _CORE_BYTES))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
