"""Builds the golden image: named steps, one at a time, invisible until the last rename.

1 check 2 bootstrap 3 tools 4 configure 5 clean 6 seal. A recipe that was built before returns at once.
An interrupted build leaves the finished bootstrap for the next one, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from transom.images import bootstrap, configure, recipe, tools, tree, verify
from transom.images.errors import ImageError
from transom.images.manifest import VERSION, Manifest
from transom.images.recipe import Recipe
from transom.images.run import inside, missing, run
from transom.images.store import ImageStore

T = TypeVar("T")
STEPS = ("check", "bootstrap", "tools", "configure", "clean", "seal")
SPACE = 8 * 2**30
"""Bytes that must be free: root, tarball and npm's folder at once."""
HOST_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "npm": "npm",
    "bwrap": "bubblewrap",
    "tar": "tar",
}
LANDMARKS = (
    *("usr/lib/chromium/chromium", "usr/bin/Xvnc", "usr/bin/openbox", "usr/lib/x86_64-linux-gnu/libc.so.6"),
    *("usr/lib/aarch64-linux-gnu/libc.so.6", "etc/chromium/policies/managed/transom.json", "etc/passwd"),
    *("var/lib/dpkg/status", "opt/cli/node_modules/@openai/codex/package.json"),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a build is: `step` of STEPS, how much of that step is done (0..1), one line for people."""

    step: str
    fraction: float
    text: str = ""
    seconds: float | None = None
    """Set on the last report of each step."""


Report = Callable[[Progress], None]


def build(
    recipe_dir: Path,
    store: ImageStore,
    progress: Report = lambda report: None,
    *,
    suite: str = "trixie",
    mirror: str | None = None,
) -> str:
    """Return the digest of the image of `recipe_dir`, built now or before, and make it current.

    Raises ImageError, whose `mend` says what to do.
    """
    wanted = recipe.load(recipe_dir, suite=suite, mirror=mirror)
    digest = store.built_from(wanted.digest)
    if digest is None:
        digest = _build(wanted, store, progress)
    if store.current() != digest:
        store.use(digest)
    return digest


def _build(wanted: Recipe, store: ImageStore, progress: Report) -> str:
    steps = _Steps(progress)
    steps.run("check", lambda: check(wanted, store.folder))
    with store.building(lambda: progress(Progress("check", 1.0, "waiting for another build"))) as work:
        done = store.built_from(wanted.digest)
        if done is not None:
            return done
        try:
            return _build_in(wanted, store, work, steps)
        except OSError as error:
            raise ImageError(
                f"the build failed: {error}", mend="free disk space, or set TRANSOM_IMAGES"
            ) from error


def _build_in(wanted: Recipe, store: ImageStore, work: Path, steps: _Steps) -> str:
    built, root = work / "image", work / "image" / "root"
    built.mkdir(mode=0o755)

    def strap() -> None:
        archive = bootstrap.tarball(wanted, store.folder / "cache", work, steps.partly)
        steps.partly(0.97, "unpacking")
        bootstrap.unpack(archive, root)

    steps.run("bootstrap", strap)
    versions = steps.run("tools", lambda: tools.install(wanted, root, work))
    steps.run("configure", lambda: configure.configure(wanted, root))

    def clean() -> None:
        configure.clean(root)
        steps.partly(0.2, "caches of fonts, Python and GStreamer")
        configure.caches(root)

    steps.run("clean", clean)
    return steps.run("seal", lambda: seal(wanted, store, built, versions, steps.partly))


def seal(
    wanted: Recipe,
    store: ImageStore,
    built: Path,
    versions: dict[str, str],
    partly: Callable[[float, str], None] = lambda fraction, text: None,
) -> str:
    """Check `built`/root, name it by its content and make it visible; return the digest."""
    root = built / "root"
    wrong = verify.verify(root)
    if wrong:
        raise ImageError("the built root is not right: " + "; ".join(wrong), mend="report it with the recipe")
    partly(0.3, "digest")
    digest, size, files = tree.digest(root)
    partly(0.8, "writing to disk")
    found = Manifest(
        version=VERSION,
        digest=digest,
        recipe=wanted.digest,
        suite=wanted.suite,
        architecture=wanted.architecture,
        built_at=int(time.time()),
        size=size,
        files=files,
        packages=packages(root),
        tools=versions,
        landmarks={path: (root / path).lstat().st_size for path in LANDMARKS if (root / path).exists()},
    )
    store.add(built, found)
    return digest


def packages(root: Path) -> dict[str, str]:
    """Debian package -> version in `root`."""
    found: list[str] = []
    run(
        inside(root, ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n"]),
        deadline=60,
        mend="report it with the recipe",
        saw=found.append,
    )
    return dict(line.split(" ", 1) for line in found if " " in line)


def check(wanted: Recipe, folder: Path) -> None:
    """Raise ImageError when this host lacks a tool, disk space, or the right to bootstrap."""
    lacking = missing(HOST_TOOLS)
    if lacking:
        raise ImageError(
            f"not installed: {', '.join(lacking)}",
            mend=f"apt-get install --no-install-recommends {' '.join(lacking)}",
        )
    bootstrap.check()
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        raise ImageError(f"{place} cannot be written", mend="set TRANSOM_IMAGES to a folder of yours")
    free = shutil.disk_usage(place).free
    if free < SPACE:
        raise ImageError(
            f"{place} has {free / 2**30:.1f} GiB free, {SPACE / 2**30:.0f} are needed",
            mend="free disk space, or set TRANSOM_IMAGES to a folder on another disk",
        )


class _Steps:
    """Reports where the build is, and how long each step took."""

    def __init__(self, progress: Report) -> None:
        self._progress = progress
        self._step, self._fraction = STEPS[0], 0.0

    def run(self, step: str, work: Callable[[], T]) -> T:
        self._step, self._fraction = step, 0.0
        began = time.monotonic()
        self._progress(Progress(step, 0.0))
        result = work()
        self._progress(Progress(step, 1.0, seconds=time.monotonic() - began))
        return result

    def partly(self, fraction: float, text: str) -> None:
        """Report; a negative fraction means no further than before."""
        self._fraction = max(self._fraction, min(fraction, 1.0))
        self._progress(Progress(self._step, self._fraction, text))
