"""Writes pulled credential files into a folder: private, each whole or not at all, through no symbolic link."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from transom.cli.failure import Failure
from transom.vault.bundle import safe_paths

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def write_files(folder: Path, files: Mapping[str, bytes], *, force: bool) -> dict[str, str]:
    """Write `files` (relative path -> content) under `folder`; returns path -> `written` or `unchanged`.

    A file that is there with other content stops everything before anything is written, unless `force`.
    Each file appears whole, with its content on disk. Raises Failure.
    """
    if not safe_paths(tuple(files)):
        raise Failure("the server sent file names that are not allowed: nothing was written")
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with _opened(folder) as root:
            done = {path: _standing(root, path, content) for path, content in files.items()}
            other = sorted(path for path, standing in done.items() if standing == "differs")
            if other and not force:
                raise Failure(
                    f"there already, with other content: {', '.join(other)}",
                    mend="pull into an empty folder, or overwrite with --force",
                    code="exists",
                )
            wanted = [path for path, standing in done.items() if standing != "unchanged"]
            _put_all(root, {path: files[path] for path in wanted}, force)
    except OSError as error:
        raise Failure(f"the files cannot be written to {folder}: {error.strerror}") from None
    return {path: "unchanged" if standing == "unchanged" else "written" for path, standing in done.items()}


def _put_all(root: int, files: Mapping[str, bytes], force: bool) -> None:
    with contextlib.ExitStack() as stack:
        staged = []
        for path, content in files.items():
            parent = stack.enter_context(_parent(root, path))
            aside = _stage(parent, content)
            stack.callback(_discard, parent, aside)
            staged.append((parent, aside, path))
        for parent, aside, path in staged:
            _place(parent, aside, path, force)


def _stage(parent: int, content: bytes) -> str:
    aside = f".transom-{secrets.token_hex(8)}"
    descriptor = os.open(
        aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE, dir_fd=parent
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _discard(parent, aside)
        raise
    return aside


def _place(parent: int, aside: str, path: str, force: bool) -> None:
    name = path.rpartition("/")[2]
    if force:
        # A rename replaces a symbolic link itself, never what it points to.
        os.rename(aside, name, src_dir_fd=parent, dst_dir_fd=parent)
        return
    try:
        os.link(aside, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        raise Failure(f"{path} appeared meanwhile: it was left alone", code="exists") from None


def _discard(parent: int, aside: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside, dir_fd=parent)


def _standing(root: int, path: str, content: bytes) -> str:
    """`absent`, `unchanged` (then its mode is made private) or `differs`."""
    try:
        with _parent(root, path, make=False) as parent:
            name = path.rpartition("/")[2]
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent
            )
    except FileNotFoundError:
        return "absent"
    except OSError:
        return "differs"
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
            return "differs"
        if found.st_size != len(content) or _read(descriptor, found.st_size) != content:
            return "differs"
        os.fchmod(descriptor, FILE_MODE)
    finally:
        os.close(descriptor)
    return "unchanged"


def _read(descriptor: int, size: int) -> bytes:
    body = b""
    while len(body) < size and (chunk := os.read(descriptor, size - len(body))):
        body += chunk
    return body


@contextmanager
def _parent(root: int, path: str, *, make: bool = True) -> Iterator[int]:
    """The folder that `path` lies in, each step opened from the one before, and no link among them."""
    with contextlib.ExitStack() as stack:
        here = root
        for part in path.split("/")[:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, FOLDER_MODE, dir_fd=here)
            here = stack.enter_context(_opened(part, here))
        yield here


@contextmanager
def _opened(folder: Path | str, parent: int | None = None) -> Iterator[int]:
    # The folder the user named may be a link, that is their wish; below it none is followed.
    nofollow = 0 if parent is None else os.O_NOFOLLOW
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | nofollow, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
