"""Where images live: `<folder>/sha256-<digest>/{root,manifest.json}`, and which one new sessions use.

An image appears by one rename and is never changed. Everything unfinished lies under `work/`, which
only the holder of the lock touches.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transom.images import guest_archive, manifest, tree
from transom.images.errors import ImageError
from transom.images.manifest import DIGEST, Manifest

LOCK_DEADLINE = 3600.0
"""Seconds to wait for another build."""
BUILD = "transom image build"


def default_folder() -> Path:
    """/var/cache/transom/images for root, the user's own cache for others."""
    if os.geteuid() == 0:
        return Path("/var/cache/transom/images")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "transom" / "images"


class ImageStore:
    """The images in one folder. Cheap to make; reads the disk at each call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> Sequence[Manifest]:
        """The whole images, newest first; broken ones are left out."""
        found = []
        for path in self.folder.glob("sha256-*"):
            with contextlib.suppress(ImageError):
                found.append(self.manifest(path.name))
        return sorted(found, key=lambda item: (-item.built_at, item.digest))

    def current(self) -> str | None:
        """The digest new sessions use, or None when there is no image yet."""
        try:
            digest = (self.folder / "current").read_text().strip()
        except OSError:
            return None
        return digest if DIGEST.fullmatch(digest) else None

    def use(self, digest: str) -> None:
        """Let new sessions use `digest`. Raises ImageError when it is not whole."""
        self.manifest(digest)
        self._write("current", digest)

    def root(self, digest: str) -> Path:
        """The root file system of a whole image. Raises ImageError."""
        self.manifest(digest)
        return self.folder / digest / "root"

    def folder_of(self, digest: str) -> Path:
        """The folder of a whole image: `root/`, and a virtual machine's parts. Raises ImageError."""
        self.manifest(digest)
        return self.folder / digest

    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path:
        """The image's initramfs with the staged `guest` code behind it, kept in `cache`. Raises ImageError."""
        initramfs = self.folder_of(digest) / "initramfs.cpio"
        return guest_archive.combine(initramfs, guest, cache, digest)

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a whole image: readable, rightly named, landmarks in place. Raises ImageError."""
        if not DIGEST.fullmatch(digest):
            raise ImageError("that is not an image's digest", mend="transom image list")
        folder = self.folder / digest
        if not folder.is_dir():
            raise ImageError(f"there is no image {digest[:19]} in {self.folder}", mend=BUILD)
        found = manifest.load(folder / "manifest.json")
        if found.digest != digest:
            raise ImageError(f"the manifest in {folder} is another image's", mend=BUILD)
        for path, size in found.landmarks.items():
            if _size(folder / "root" / path) != size:
                raise ImageError(f"image {digest[:19]} is broken: {path} is not as built", mend=BUILD)
        return found

    def built_from(self, recipe: str) -> str | None:
        """The whole image that was built from this recipe digest, if there is one."""
        try:
            digest = (self.folder / "recipes" / recipe).read_text().strip()
            self.manifest(digest)
        except (OSError, ImageError):
            return None
        return digest

    def add(self, built: Path, found: Manifest) -> None:
        """Make the finished tree `built` (holding `root`) visible as `found`, in one step."""
        (built / "manifest.json").write_text(manifest.dump(found))
        (built / "manifest.json").chmod(0o644)
        built.chmod(0o755)
        target = self.folder / found.digest
        if target.exists():
            with contextlib.suppress(ImageError):
                self.manifest(found.digest)
                tree.remove(built)
                return self._write(f"recipes/{found.recipe}", found.digest)
            tree.remove(self._aside(target))
        os.sync()  # the name must not reach the disk before the content
        built.rename(target)
        return self._write(f"recipes/{found.recipe}", found.digest)

    def remove(self, digest: str) -> None:
        """Remove an image that is not current. Raises ImageError."""
        if not DIGEST.fullmatch(digest) or not (self.folder / digest).is_dir():
            raise ImageError("there is no such image", mend="transom image list")
        if digest == self.current():
            raise ImageError("that image is current", mend="transom image use ANOTHER")
        tree.remove(self._aside(self.folder / digest))

    @contextmanager
    def building(self, waiting: Callable[[], None]) -> Iterator[Path]:
        """Hold the builder's lock; yields an empty `work` folder. Calls `waiting` once if another has it."""
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ImageError(f"{self.folder} cannot be written", mend="set TRANSOM_IMAGES") from error
        work = self.folder / "work"
        try:
            _take(descriptor, waiting)
            for leftover in (work, *self.folder.glob("removed-*")):
                tree.remove(leftover)
            work.mkdir(mode=0o755)
            yield work
        finally:
            if _held(descriptor):
                tree.remove(work)
            os.close(descriptor)

    def _aside(self, folder: Path) -> Path:
        """Take an image out of sight before its files go."""
        aside = self.folder / f"removed-{folder.name}-{os.getpid()}"
        folder.rename(aside)
        return aside

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_text(text + "\n")
        fresh.chmod(0o644)
        fresh.replace(path)


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None


def _take(descriptor: int, waiting: Callable[[], None]) -> None:
    if _held(descriptor):
        return
    waiting()
    give_up = time.monotonic() + LOCK_DEADLINE
    while not _held(descriptor):
        if time.monotonic() > give_up:
            raise ImageError("another build does not end", mend="look for a hanging `transom image build`")
        time.sleep(0.2)


def _held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
