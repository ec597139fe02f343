"""Makes a Debian root into transom's: overlay, user, no trace of the builder, caches that are never stale."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transom.images import tree
from transom.images.recipe import Recipe
from transom.images.run import inside, run

CACHE_DEADLINE = 300.0
REGISTRY = "var/cache/gstreamer-1.0/registry.bin"
"""GStreamer's plugin list; the guest's environment names it."""
UID = 1000
HOST = "desktop"
DAY = "20454"
"""2026-01-01, in days since 1970."""
SET_ID = stat.S_ISUID | stat.S_ISGID
UNREPEATABLE = ("usr/lib/*/gio/modules",)
"""GStreamer notes when these were last changed on the builder's disk, which no build repeats and no guest asks."""
ASIDE = ".aside"
MENDLESS = "this is a fault of the recipe: report it"
OVER_DEBIAN = {
    "usr/bin/xdg-open": "/usr/local/bin/xdg-open",
    "usr/bin/x-www-browser": "/usr/local/bin/xdg-open",
    "usr/bin/www-browser": "/usr/local/bin/xdg-open",
    "usr/bin/sensible-browser": "/usr/local/bin/xdg-open",
    "usr/bin/chromium": "/usr/local/bin/chromium",
}
"""Debian's names for a browser, for tools that call them by path."""
FOLDERS = ("opt/transom", "home/user", "run", "tmp", "var/tmp", "proc", "sys", "dev")
"""Mount points: a read-only root cannot grow them."""
WRITTEN = {
    "etc/hostname": f"{HOST}\n",
    "etc/hosts": f"127.0.0.1 localhost {HOST}\n::1 localhost\n",
    "etc/resolv.conf": "",
    "etc/machine-id": "",
    "etc/fstab": "",
}
"""Files that would else carry the building host's own."""
EMPTIED = (
    *("var/log", "var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/cache/ldconfig"),
    *("var/cache/fontconfig", "var/tmp", "tmp", "run", "root", "etc/ssh", "var/lib/systemd"),
)
GONE = (
    "etc/machine-id-",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "var/lib/dpkg/status-old",
)


def configure(recipe: Recipe, root: Path) -> None:
    """Lay the overlay over `root`, and add the user. Raises ImageError."""
    for folder in FOLDERS:
        (root / folder).mkdir(mode=0o755, parents=True, exist_ok=True)
    overlay(recipe.overlay, root)
    for name, target in OVER_DEBIAN.items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    add_user(root)


def overlay(source: Path, root: Path) -> None:
    """Copy `source` over `root`: plain modes, links as links, nothing of the builder's owner or times."""
    for where, folders, files in os.walk(source):
        here = root / Path(where).relative_to(source)
        here.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name in [*files, *(name for name in folders if (Path(where) / name).is_symlink())]:
            path, target = Path(where) / name, here / name
            target.unlink(missing_ok=True)
            if path.is_symlink():
                target.symlink_to(path.readlink())
            else:
                shutil.copyfile(path, target)
                target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def add_user(root: Path) -> None:
    """The one user of a machine: no password, and none to find."""
    lines = {
        "passwd": f"user:x:{UID}:{UID}::/home/user:/bin/bash",
        "group": f"user:x:{UID}:",
        "shadow": f"user:!:{DAY}:0:99999:7:::",
        "gshadow": "user:!::",
    }
    for name, line in lines.items():
        path = root / "etc" / name
        kept = [old for old in path.read_text().splitlines() if not old.startswith("user:")]
        mode = path.stat().st_mode
        path.write_text("\n".join([*kept, line]) + "\n")
        path.chmod(mode)


def clean(root: Path) -> None:
    """Remove what the building left, name the host anew, clamp every time."""
    for name in EMPTIED:
        folder = root / name
        if folder.is_dir() and not folder.is_symlink():
            for path in folder.iterdir():
                tree.remove(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in GONE:
        (root / name).unlink(missing_ok=True)
    # compiled while packages were installed, in an order that no build repeats
    for folder in [path for path in root.rglob("__pycache__") if not path.is_symlink()]:
        tree.remove(folder)
    for name, text in WRITTEN.items():
        path = root / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    (root / "tmp").chmod(0o1777)
    (root / "var/tmp").chmod(0o1777)
    for name in ("shadow", "shadow-"):
        undate(root / "etc" / name)
    disarm(root)
    tree.open_to_all(root)
    tree.clamp(root)


def undate(shadow: Path) -> None:
    """Name one day for every password's last change: else the day of the build is in the image."""
    if not shadow.is_file():
        return
    lines = [line.split(":") for line in shadow.read_text().splitlines()]
    mode = shadow.stat().st_mode
    shadow.write_text("".join(":".join([*line[:2], DAY, *line[3:]]) + "\n" for line in lines))
    shadow.chmod(mode)


def disarm(root: Path) -> None:
    """Take set-user-id and set-group-id off every program: no machine needs one, nor does its host."""
    for path, status in tree.entries(root):
        if stat.S_ISREG(status.st_mode) and status.st_mode & SET_ID:
            (root / path).chmod(stat.S_IMODE(status.st_mode) & ~SET_ID)


@contextmanager
def hidden(root: Path, globs: Sequence[str]) -> Iterator[None]:
    """Take what the globs name out of the programs' sight for a while."""
    aside = root / ASIDE
    aside.mkdir()
    moved = {aside / str(number): path for number, path in enumerate(p for g in globs for p in root.glob(g))}
    try:
        for place, path in moved.items():
            path.rename(place)
        yield
    finally:
        for place, path in moved.items():
            place.rename(path)
        aside.rmdir()


def caches(root: Path) -> None:
    """Fonts, Python bytecode and GStreamer's plugin list, so that no start has to make them.

    After the times are clamped: a cache that is older than its source is made anew at every start.
    """
    registry = f"GST_REGISTRY=/{REGISTRY}"
    compiling = ["-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    python = [f"/{path.relative_to(root)}" for path in sorted((root / "usr/lib").glob("python3*"))]
    steps = (
        ["fc-cache", "--system-only", "--force"],
        ["python3", "-m", "compileall", *compiling, *python],
        ["gst-inspect-1.0"],
    )
    (root / REGISTRY).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with hidden(root, UNREPEATABLE):
        for argv in steps:
            if (root / "usr/bin" / argv[0]).exists():
                fixed = ["env", registry, "GST_REGISTRY_FORK=no", "PYTHONHASHSEED=0"]
                run(inside(root, [*fixed, *argv]), deadline=CACHE_DEADLINE, mend=MENDLESS)
    for folder in ((root / REGISTRY).parent, root / "var/cache/fontconfig"):
        for file in folder.iterdir() if folder.is_dir() else ():
            file.chmod(0o644)
    tree.clamp(root)
