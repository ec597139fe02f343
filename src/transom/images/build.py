"""Builds the golden image: named steps, one at a time, invisible until the last rename.

1 check 2 bootstrap 3 tools 4 configure 5 clean 6 seal. A recipe that was built before returns at once.
An interrupted build leaves the finished bootstrap for the next one, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

from transom.images import bootstrap, configure, debian, machine, recipe, sbom, tools, tree, verify
from transom.images.errors import ImageError
from transom.images.manifest import ROOT, VERSION, Layer, Manifest, Part, identity
from transom.images.recipe import CLI, SUITE_DEFAULT, VM, Recipe
from transom.images.run import missing
from transom.images.store import ImageStore

T = TypeVar("T")
STEPS = ("check", "bootstrap", "tools", "configure", "clean", "seal")
SPACE = 8 * 2**30
"""Bytes that must be free: root, tarball, npm's folder and squashfs at once."""
HOST_TOOLS = {"mmdebstrap": "mmdebstrap", "bwrap": "bubblewrap", "tar": "tar"}
CLI_TOOLS = {"npm": "npm"}
VM_TOOLS = {"dpkg-deb": "dpkg", "mksquashfs": "squashfs-tools", "zstd": "zstd"}
EXT4_TOOLS = {"mke2fs": "e2fsprogs", "debugfs": "e2fsprogs"}
LANDMARKS = (
    *("usr/lib/chromium/chromium", "usr/bin/Xvnc", "usr/lib/xorg/Xorg", "usr/bin/openbox"),
    *("usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/aarch64-linux-gnu/libc.so.6", "etc/passwd"),
    *(
        "etc/chromium/policies/managed/transom.json",
        "var/lib/dpkg/status",
        "opt/cli/node_modules/@openai/codex/package.json",
    ),
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
    suite: str = SUITE_DEFAULT,
    mirror: str | None = None,
    without: Collection[str] = (),
    ext4: bool = False,
) -> str:
    """Return the digest of the image of `recipe_dir`, built now or before, and make it current.

    An image that was rolled back from does not become current again by itself. Raises ImageError, whose
    `mend` says what to do.
    """
    wanted = recipe.load(recipe_dir, suite=suite, mirror=mirror, without=without, ext4=ext4)
    digest = store.built_from(wanted.digest)
    if digest is None:
        digest = _build(wanted, store, progress)
    if store.current() != digest and digest not in store.rolled_back():
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
    place = _Place(work)
    place.built.mkdir(mode=0o755)

    def strap() -> None:
        archive = bootstrap.tarball(wanted, store.folder / "cache", work, steps.partly)
        steps.partly(0.97, "unpacking")
        bootstrap.unpack(archive, place.root, place.beside)

    steps.run("bootstrap", strap)
    items = steps.run(
        "tools", lambda: tools.install(wanted, place.root, work) if CLI in wanted.layers else []
    )

    def configuring() -> list[sbom.Item]:
        configure.configure(wanted, place.root)
        if VM not in wanted.layers:
            return []
        steps.partly(0.3, "kernel and initramfs")
        return machine.boot_parts(wanted, place.beside, place.built, work)

    kernel = steps.run("configure", configuring)

    def clean() -> None:
        configure.clean(place.root)
        steps.partly(0.2, "caches of fonts, Python and GStreamer")
        configure.caches(place.root)

    steps.run("clean", clean)
    return steps.run("seal", lambda: seal(wanted, store, place, [*items, *kernel], steps.partly))


@dataclass(frozen=True, slots=True)
class _Place:
    """The folders of one build."""

    work: Path

    @property
    def built(self) -> Path:
        """What becomes the image."""
        return self.work / "image"

    @property
    def root(self) -> Path:
        return self.built / ROOT

    @property
    def beside(self) -> Path:
        """What the bootstrap brought that does not go into the root."""
        return self.work / "beside"


def seal(
    wanted: Recipe,
    store: ImageStore,
    place: _Place,
    items: list[sbom.Item],
    partly: Callable[[float, str], None],
) -> str:
    """Check the built root, pack it, name the image by its content and make it visible; return the digest."""
    root = place.root
    wrong = verify.verify(root, wanted.layers)
    if wrong:
        raise ImageError("the built root is not right: " + "; ".join(wrong), mend="report it with the recipe")
    partly(0.1, "digest")
    root_digest, size, files = tree.digest(root)
    found = _listed(root, wanted, items)
    text = sbom.document(found, suite=wanted.suite, architecture=wanted.architecture, root_digest=root_digest)
    machine.write(place.built / sbom.NAME, text.encode())
    if VM in wanted.layers:
        machine.file_systems(
            wanted, place.beside, place.built, place.work, lambda share, what: partly(0.2 + 0.6 * share, what)
        )
    parts = {ROOT: Part(root_digest, size), **_file_parts(place.built)}
    partly(0.9, "writing to disk")
    return store.add(
        place.built,
        Manifest(
            version=VERSION,
            digest=identity(parts),
            recipe=wanted.digest,
            suite=wanted.suite,
            architecture=wanted.architecture,
            built_at=int(time.time()),
            size=size,
            files=files,
            packages={item.name: item.version for item in found if item.kind == sbom.DEBIAN},
            tools={item.name: item.version for item in found if item.kind == sbom.NPM},
            landmarks={path: (root / path).lstat().st_size for path in LANDMARKS if (root / path).exists()},
            parts=parts,
            layers=_layers(root, wanted, parts),
        ),
    )


def _file_parts(built: Path) -> dict[str, Part]:
    """The files beside the root."""
    return {
        path.name: Part(tree.file_digest(path), path.stat().st_size)
        for path in sorted(built.iterdir())
        if path.is_file()
    }


def _listed(root: Path, wanted: Recipe, items: list[sbom.Item]) -> list[sbom.Item]:
    """What is in the image: the packages of dpkg's list, and `items`."""
    found = debian.installed((root / debian.STATUS).read_text(errors="replace"))
    copyrights = root / "usr/share/doc"
    own = [sbom.debian(each, wanted.suite, copyrights / name / "copyright") for name, each in found.items()]
    return [*own, *items]


def _layers(root: Path, wanted: Recipe, parts: Mapping[str, Part]) -> dict[str, Layer]:
    found = debian.layers(root, wanted.layers)
    if VM in found:
        own = sum(parts[name].size for name in machine.BOOT_PARTS)
        found[VM] = Layer(found[VM].packages + len(wanted.fetched), found[VM].size + own)
    if CLI in found:
        npm = sum(status.st_size for _, status in tree.entries(root / tools.PLACE) if S_ISREG(status.st_mode))
        found[CLI] = Layer(found[CLI].packages, found[CLI].size + npm)
    return found


def check(wanted: Recipe, folder: Path) -> None:
    """Raise ImageError when this host lacks a tool, disk space, or the right to bootstrap."""
    tools_of = {CLI: CLI_TOOLS, VM: VM_TOOLS}
    needed = {**HOST_TOOLS, **(EXT4_TOOLS if wanted.ext4 else {})}
    for layer in wanted.layers:
        needed |= tools_of.get(layer, {})
    lacking = missing(needed)
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
