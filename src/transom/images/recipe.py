"""The recipe of the golden image: a folder of data, read and named by digest."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from transom.images.errors import ImageError

GENERATION = 1
"""Rises when the building code makes another image from the same recipe."""
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
SUITE = re.compile(r"[a-z][a-z0-9.-]{1,30}")
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
"""Python's name of a machine -> npm's."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into an image."""

    folder: Path
    suite: str
    mirror: str | None
    architecture: str
    """npm's word: x64 or arm64."""
    packages: tuple[str, ...]
    commands: dict[str, str]
    """Command -> path under node_modules, for this architecture."""
    prune: tuple[str, ...]
    """Globs under node_modules that do not go into the image."""

    @property
    def overlay(self) -> Path:
        """Files that are laid over the root as they are."""
        return self.folder / "overlay"

    @property
    def bootstrap_digest(self) -> str:
        """Names the outcome of the bootstrap step alone."""
        return _digest([str(GENERATION), self.suite, self.mirror or "", self.architecture, *self.packages])

    @property
    def digest(self) -> str:
        """Names everything that decides what the image will be."""
        return _digest([self.bootstrap_digest, *_listing(self.folder)])


def load(folder: Path, *, suite: str = "trixie", mirror: str | None = None) -> Recipe:
    """Read the recipe in `folder`. Raises ImageError when it is not one."""
    if not SUITE.fullmatch(suite):
        raise ImageError(f"not a Debian suite: {suite!r}", mend="use trixie")
    if mirror is not None and not re.fullmatch(r"(?:https?|file)://[!-~]{1,500}", mirror):
        raise ImageError("the mirror is not an http, https or file URL", mend="correct TRANSOM_MIRROR")
    architecture = MACHINES.get(platform.machine())
    if architecture is None:
        raise ImageError(f"no image can be built for {platform.machine()}", mend="use x86_64 or aarch64")
    try:
        packages = _packages(folder / "packages")
        tools = json.loads((folder / "cli" / "commands.json").read_text())
        commands = {_command(name): _inside(paths[architecture]) for name, paths in tools["commands"].items()}
        prune = tuple(_inside(glob) for glob in tools["prune"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(
            f"{folder} is not a whole recipe: {error}", mend="check out the image folder again"
        ) from error
    return Recipe(folder, suite, mirror, architecture, packages, commands, prune)


def _packages(folder: Path) -> tuple[str, ...]:
    found: set[str] = set()
    for path in sorted(folder.glob("*.txt")):
        lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
        found.update(line for line in lines if line)
    bad = [name for name in found if not PACKAGE.fullmatch(name)]
    if bad or not found:
        raise ValueError(f"no packages, or not package names: {bad}")
    return tuple(sorted(found))


def _command(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise ValueError(f"not a command's name: {name!r}")
    return name


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ValueError(f"not a path inside: {path!r}")
    return path


def _listing(folder: Path) -> list[str]:
    """One line a file: path, kind, whether it runs, and what is in it."""
    lines: list[str] = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "node_modules")
        for name in sorted(files + [name for name in folders if (Path(where) / name).is_symlink()]):
            path = Path(where) / name
            shown = path.relative_to(folder).as_posix()
            if fnmatch.fnmatch(name, "*.md"):
                continue
            if path.is_symlink():
                lines.append(f"link {shown} {path.readlink()}")
            else:
                runs = bool(path.stat().st_mode & 0o100)
                lines.append(f"file {shown} {runs} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return lines


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
