"""The providers' command-line tools: npm installs what the lock file pins, and no script of theirs runs."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from transom.images import sbom, tree
from transom.images.errors import ImageError
from transom.images.recipe import Recipe
from transom.images.run import run

DEADLINE = 900.0
PLACE = "opt/cli/node_modules"
"""Where they live in the image."""
PACKAGE = re.compile(r"(?:@[a-z0-9._-]+/)?[a-z0-9._-]+")


def install(recipe: Recipe, root: Path, work: Path) -> list[sbom.Item]:
    """Put the tools and their commands into `root`; return the npm packages. Raises ImageError."""
    folder = work / "cli"
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(recipe.folder / "cli" / name, folder / name)
    quiet = ("--no-audit", "--no-fund", "--no-update-notifier")
    native = ("--os=linux", f"--cpu={recipe.architecture}", "--libc=glibc")
    run(
        ["npm", "ci", "--ignore-scripts", "--omit=dev", "--prefer-offline", *quiet, *native],
        deadline=DEADLINE,
        mend="check that npm can reach its registry, then build again",
        cwd=folder,
        env={**os.environ, "NODE_ENV": "production"},
    )
    modules = folder / "node_modules"
    prune(modules, recipe.prune)
    place = root / PLACE
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    modules.rename(place)
    for command, path in recipe.commands.items():
        link(root, command, path)
    return packages(place)


def prune(modules: Path, globs: tuple[str, ...]) -> None:
    """Remove what the image does not need."""
    for glob in globs:
        for path in list(modules.glob(glob)):
            if path.is_dir() and not path.is_symlink():
                tree.remove(path)
            else:
                path.unlink()


def link(root: Path, command: str, path: str) -> None:
    """Make `command` stand in /usr/local/bin for the file at `path`. Raises ImageError."""
    target = root / PLACE / path
    if not target.is_file():
        raise ImageError(
            f"npm did not bring {path} for {command}", mend="correct image/cli/commands.json or the lock file"
        )
    target.chmod(target.stat().st_mode | 0o555)
    name = root / "usr/local/bin" / command
    name.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    name.unlink(missing_ok=True)
    name.symlink_to(f"/{PLACE}/{path}")


def packages(modules: Path) -> list[sbom.Item]:
    """The npm packages that are there, those inside others too."""
    found = {}
    for path in sorted(modules.rglob("package.json")):
        place = path.parent.relative_to(modules).as_posix().rpartition("node_modules/")[2]
        about = json.loads(path.read_text(errors="replace"))
        if PACKAGE.fullmatch(place) and isinstance(about, dict) and about.get("version"):
            item = sbom.npm(place, about)
            found[item.purl] = item
    return list(found.values())
