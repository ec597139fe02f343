"""The guest's code as a sandbox may see it: two packages, read-only, nothing of the controller's."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import transom_guest
import transom_wire

SUFFIXES = (".py", ".js", ".css", ".html", ".xml", ".json", ".txt", ".toml", ".svg")


def packages() -> tuple[Path, ...]:
    """The folders of transom_guest and transom_wire as this Python imports them."""
    return tuple(Path(module.__path__[0]) for module in (transom_guest, transom_wire))


def stage(target: Path, sources: tuple[Path, ...] | None = None) -> Path:
    """Copy the packages into `target/<digest>` and return that folder. Raises OSError.

    The digest is of the names and contents, so a folder once there is whole and right; it appears by one
    rename. Folders are 0755 and files 0644: the sandbox's user, who owns none of it, reads them.
    """
    files = _files(packages() if sources is None else sources)
    final = target / _digest(files)
    if final.is_dir():
        return final
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o711)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=target))
    try:
        _write(work, files)
        os.rename(work, final)
    except OSError:
        shutil.rmtree(work, ignore_errors=True)
        if not final.is_dir():  # another controller may have been faster
            raise
    return final


def _files(sources: tuple[Path, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for source in sources:
        for path in sorted(source.rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                found[str(Path(source.name, path.relative_to(source)))] = path.read_bytes()
    return found


def _digest(files: dict[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:32]


def _write(work: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    for folder in [work, *(path for path in work.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
