"""A root file system as a tree: one digest for all of it, times clamped, removed whatever its modes."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

EPOCH = 1_767_225_600
"""2026-01-01: no file of an image is younger, so that two builds of the same bytes look the same."""
CAPABILITY = "security.capability"
"""xattr(7): what a program may do whoever starts it; capabilities(7), "File capabilities"."""


def entries(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file, folder and link under `root`, by path, links not followed; names that are not UTF-8 too."""
    pending = [""]
    while pending:
        where = pending.pop()
        with os.scandir(root / where) as found:
            names = sorted(found, key=lambda entry: entry.name, reverse=True)
        for entry in reversed(names):
            yield f"{where}{entry.name}", entry.stat(follow_symlinks=False)
        pending += [f"{where}{entry.name}/" for entry in names if entry.is_dir(follow_symlinks=False)]


def digest(root: Path) -> tuple[str, int, int]:
    """(`sha256-...`, bytes of content, number of files). Owners and times are left out, modes and file capabilities
    are not."""
    found = sorted(entries(root))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        lines = pool.map(lambda entry: _line(root, *entry), found, chunksize=64)
        total = hashlib.sha256()
        for line in lines:
            total.update(line)
    files = [status.st_size for _, status in found if stat.S_ISREG(status.st_mode)]
    return f"sha256-{total.hexdigest()}", sum(files), len(files)


def file_digest(path: Path) -> str:
    """`sha256-` and the hash of one file. Raises OSError."""
    with path.open("rb") as file:
        return f"sha256-{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _line(root: Path, path: str, status: os.stat_result) -> bytes:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        with (root / path).open("rb") as file:
            what = f"file {status.st_size} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    elif stat.S_ISLNK(mode):
        what = f"link {os.readlink(root / path)}"
    else:
        what = f"other {stat.S_IFMT(mode):o}"
    raised = "".join(f" {each}" for each in rights(root, path, status))
    return f"{path}\0{mode & 0o777:o} {what}{raised}\n".encode(errors="surrogateescape")


def rights(root: Path, path: str, status: os.stat_result) -> list[str]:
    """What no image may have, though a mode of nine bits does not show it: `setuid`, `setgid` and `capabilities` of
    a file, `unsticky` of a folder that all may write, `device A:B`. Raises OSError."""
    mode, found = status.st_mode, []
    if stat.S_ISREG(mode):
        found += ["setuid"] if mode & stat.S_ISUID else []
        found += ["setgid"] if mode & stat.S_ISGID else []
        found += ["capabilities"] if CAPABILITY in os.listxattr(root / path, follow_symlinks=False) else []
    elif stat.S_ISDIR(mode) and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found.append("unsticky")
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        found.append(f"device {os.major(status.st_rdev)}:{os.minor(status.st_rdev)}")
    return found


def clamp(root: Path) -> None:
    """Set every time after EPOCH to EPOCH."""
    for path, status in [*entries(root), (".", root.stat())]:
        if status.st_mtime > EPOCH:
            os.utime(root / path, (EPOCH, EPOCH), follow_symlinks=False)


def open_to_all(root: Path) -> None:
    """Let the sandbox's user read what any user of the machine may: folders the builder's umask closed."""
    for path in ("", "etc", "usr", "opt", "home", "usr/local", "usr/local/bin"):
        folder = root / path
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o755)


def remove(folder: Path) -> None:
    """Remove a tree, also one whose folders may not be written. Missing is fine."""

    def again(retry: Callable[..., Any], path: str, _why: Any) -> None:
        if isinstance(_why[1], FileNotFoundError):
            return
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, 0o700)
        retry(path)

    if folder.exists() or folder.is_symlink():
        shutil.rmtree(folder, onerror=again)
