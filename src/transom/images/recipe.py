"""The recipe of the golden image: a folder of data, read and named by digest.

`packages/LAYER.txt` names Debian packages, one a line, `name [amd64]` for one architecture alone. A layer
can be left out, `base` excepted. The layer `cli` has the npm tools of `cli/` as well, the layer `vm` the
kernel and initramfs that `initramfs/` describes.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import platform
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from transom.images.errors import ImageError

GENERATION = 4
"""Rises when the building code makes another image from the same recipe."""
BOOTSTRAP_GENERATION = 3
"""Rises when it makes another tarball from the same packages."""
SUITE_DEFAULT = "trixie"
BASE, CLI, VM = "base", "cli", "vm"
LAYER = re.compile(r"[a-z][a-z0-9-]{0,30}")
LINE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]{1,99})(?:\s+\[(?P<only>amd64|arm64)\])?")
MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
SUITE = re.compile(r"[a-z][a-z0-9.-]{1,30}")
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
"""Python's name of a machine -> npm's."""
DEBIAN = {"x64": "amd64", "arm64": "arm64"}
"""npm's name of a machine -> Debian's."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into an image."""

    folder: Path
    suite: str
    mirror: str | None
    architecture: str
    """npm's word: x64 or arm64."""
    layers: Mapping[str, tuple[str, ...]]
    """Layer -> the Debian packages it asks for."""
    fetched: tuple[str, ...]
    """Debian packages that are fetched and not installed: kernel and busybox."""
    modules: tuple[str, ...]
    """Kernel modules of the initramfs."""
    commands: dict[str, str]
    """Command -> path under node_modules, for this architecture."""
    prune: tuple[str, ...]
    """Globs under node_modules that do not go into the image."""
    ext4: bool = False
    """Make a `rootfs.ext4` as well."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The Debian packages of all layers."""
        return tuple(sorted({name for names in self.layers.values() for name in names}))

    @property
    def overlay(self) -> Path:
        """Files that are laid over the root as they are."""
        return self.folder / "overlay"

    @property
    def init(self) -> Path:
        """What the kernel of a virtual machine runs first."""
        return self.folder / "initramfs" / "init"

    @property
    def bootstrap_digest(self) -> str:
        """Names the outcome of the bootstrap step alone."""
        parts = (str(BOOTSTRAP_GENERATION), self.suite, self.mirror or "", self.architecture)
        return _digest([*parts, *self.packages, "fetched", *self.fetched])

    @property
    def digest(self) -> str:
        """Names everything that decides what the image will be."""
        how = (str(GENERATION), self.bootstrap_digest, *self.layers)
        return _digest([*how, str(self.ext4), *_listing(self.folder)])


def load(
    folder: Path,
    *,
    suite: str = SUITE_DEFAULT,
    mirror: str | None = None,
    without: Collection[str] = (),
    ext4: bool = False,
) -> Recipe:
    """Read the recipe in `folder`, the layers in `without` left out. Raises ImageError."""
    if not SUITE.fullmatch(suite):
        raise ImageError(f"not a Debian suite: {suite!r}", mend=f"use {SUITE_DEFAULT}")
    if mirror is not None and not re.fullmatch(r"(?:https?|file)://[!-~]{1,500}", mirror):
        raise ImageError("the mirror is not an http, https or file URL", mend="correct TRANSOM_MIRROR")
    architecture = MACHINES.get(platform.machine())
    if architecture is None:
        raise ImageError(f"no image can be built for {platform.machine()}", mend="use x86_64 or aarch64")
    try:
        layers = _layers(folder / "packages", architecture, without)
        commands, prune = _tools(folder / "cli", architecture) if CLI in layers else ({}, ())
        fetched = _packages(folder / "initramfs/packages.txt", architecture) if VM in layers else ()
        modules = _lines(folder / "initramfs/modules.txt", MODULE) if VM in layers else ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(
            f"{folder} is not a whole recipe: {error}", mend="check out the image folder again"
        ) from error
    return Recipe(folder, suite, mirror, architecture, layers, fetched, modules, commands, prune, ext4)


def _layers(folder: Path, architecture: str, without: Collection[str]) -> dict[str, tuple[str, ...]]:
    found = {
        path.stem: _packages(path, architecture)
        for path in sorted(folder.glob("*.txt"))
        if LAYER.fullmatch(path.stem)
    }
    if not found.get(BASE):
        raise ValueError("no packages in the base layer")
    unknown = sorted(set(without) - (found.keys() - {BASE}))
    if unknown:
        raise ImageError(
            f"not a layer that can be left out: {', '.join(unknown)}",
            mend=f"choose from {', '.join(sorted(found.keys() - {BASE}))}",
        )
    return {name: packages for name, packages in found.items() if name not in without}


def _tools(folder: Path, architecture: str) -> tuple[dict[str, str], tuple[str, ...]]:
    tools = json.loads((folder / "commands.json").read_text())
    commands = {_command(name): _inside(paths[architecture]) for name, paths in tools["commands"].items()}
    return commands, tuple(_inside(glob) for glob in tools["prune"])


def _packages(path: Path, architecture: str) -> tuple[str, ...]:
    found = set()
    for line in _lines(path, LINE):
        match = LINE.fullmatch(line)
        if match and match["only"] in (None, DEBIAN[architecture]):
            found.add(match["name"])
    return tuple(sorted(found))


def _lines(path: Path, shape: re.Pattern[str]) -> tuple[str, ...]:
    """The lines of a list, comments and empty ones left out. Raises ValueError."""
    found = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    bad = [line for line in found if line and not shape.fullmatch(line)]
    if bad:
        raise ValueError(f"{path.name}: {bad[0]!r}")
    return tuple(line for line in found if line)


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
