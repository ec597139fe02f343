"""Where images live: `<folder>/sha256-<digest>/{root,manifest.json,...}`, and which one new sessions use.

An image appears by one rename and is never changed. Everything unfinished lies under `work/`, which
only the holder of the lock touches. A keeper holds a shared lock on the folder of the image its machine
started from, and nobody removes that image: the kernel lets go of the lock when the keeper ends, however it
ends, and neither controller nor database has to be there to ask.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transom.images import files, guest_archive, guest_code, manifest, tree
from transom.images.choice import Choice
from transom.images.errors import ImageError
from transom.images.manifest import DIGEST, ROOT, Manifest, Part

LOCK_DEADLINE = 3600.0
"""Seconds to wait for another build."""
BUILD = "transom image build"
INITRAMFS = "initramfs.cpio"


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
        self._choice = Choice(folder)
        self._verified: set[tuple[str, int, int, int]] = set()

    def list(self) -> Sequence[Manifest]:
        """The whole images, newest first; broken ones are left out."""
        found = []
        for path in self.folder.glob("sha256-*"):
            with contextlib.suppress(ImageError):
                found.append(self.manifest(path.name))
        return sorted(found, key=lambda item: (-item.built_at, item.digest))

    def current(self) -> str | None:
        """The digest new sessions use, or None when there is no image yet."""
        return self._choice.current()

    def rolled_back(self) -> Sequence[str]:
        """Digests that were rolled back from: no build makes them current again by itself."""
        return self._choice.rolled_back()

    def use(self, digest: str) -> None:
        """Let new sessions use `digest`. Raises ImageError when it is not whole, by its digests."""
        self.check(digest)
        self._choice.use(digest, self._usable)

    def rollback(self) -> str:
        """Let new sessions use the image that was current before; return its digest. Reads it whole, as `use` does.
        Raises ImageError."""
        return self._choice.rollback(self._whole)

    def root(self, digest: str) -> Path:
        """The root file system of a whole image. Raises ImageError."""
        return self.folder_of(digest) / ROOT

    def folder_of(self, digest: str) -> Path:
        """The folder of a whole image: `root/`, and a virtual machine's parts. Raises ImageError."""
        self.manifest(digest)
        return self.folder / digest

    def part(self, digest: str, name: str) -> Path:
        """A file of an image, its content held to its digest once a process. Raises ImageError.

        Reads the whole file the first time: about a second for a root file system.
        """
        found = self.manifest(digest).parts.get(name)
        if found is None or name == ROOT:
            raise ImageError(f"image {digest[:19]} has no {name}", mend=f"{BUILD}, with the layer vm")
        path = self.folder / digest / name
        self._verify(path, found)
        return path

    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path:
        """The image's initramfs with the staged `guest` code behind it, kept in `cache`. Raises ImageError."""
        return guest_archive.combine(self.part(digest, INITRAMFS), guest, cache, digest)

    def guest_code(self, digest: str, guest: Path) -> Path:
        """The staged `guest` code, compiled by the image's own Python. Raises ImageError, OSError."""
        return guest_code.compiled(guest, self.root(digest), digest)

    def check(self, digest: str) -> None:
        """Read everything and hold it to its digests: some seconds. Raises ImageError."""
        found = self.manifest(digest)
        for name, part in found.parts.items():
            if name != ROOT:
                self._verify(self.folder / digest / name, part)
        root = found.parts[ROOT].digest if ROOT in found.parts else digest
        if tree.digest(self.folder / digest / ROOT)[0] != root:
            raise ImageError(f"image {digest[:19]} is broken: its root is not as built", mend=BUILD)

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a whole image: readable, rightly named, everything in place. Raises ImageError."""
        if not DIGEST.fullmatch(digest):
            raise ImageError("that is not an image's digest", mend="transom image list")
        folder = self.folder / digest
        if not folder.is_dir():
            raise ImageError(f"there is no image {digest[:19]} in {self.folder}", mend=BUILD)
        found = manifest.load(folder / "manifest.json")
        if found.digest != digest:
            raise ImageError(f"the manifest in {folder} is another image's", mend=BUILD)
        expected = {name: part.size for name, part in found.parts.items() if name != ROOT}
        expected |= {f"{ROOT}/{path}": size for path, size in found.landmarks.items()}
        for path, size in expected.items():
            if _size(folder / path) != size:
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

    def add(self, built: Path, found: Manifest) -> str:
        """Make the finished folder `built` visible as `found`, in one step; return its digest. Raises ImageError when
        a broken one of that name is in use."""
        (built / "manifest.json").write_text(manifest.dump(found))
        (built / "manifest.json").chmod(0o644)
        built.chmod(0o755)
        target = self.folder / found.digest
        if self._usable(found.digest):
            tree.remove(built)
        else:
            if target.exists():
                with self._alone_with(found.digest):
                    tree.remove(self._aside(target))
            os.sync()  # the name must not reach the disk before the content
            built.rename(target)
        files.write(self.folder / "recipes" / found.recipe, f"{found.digest}\n".encode())
        return found.digest

    def in_use(self, digest: str) -> bool:
        """Does a keeper hold this image now?"""
        try:
            with self._alone_with(digest):
                return False
        except (ImageError, OSError):
            return True

    def remove(self, digest: str) -> None:
        """Remove an image that is neither current nor held by a machine. Raises ImageError."""
        if not DIGEST.fullmatch(digest) or not (self.folder / digest).is_dir():
            raise ImageError("there is no such image", mend="transom image list")
        with contextlib.ExitStack() as held:
            with self._choice.unchanged():
                held.enter_context(self._alone_with(digest))
                if digest == self.current():
                    raise ImageError("that image is current", mend="transom image use ANOTHER")
                aside = self._aside(self.folder / digest)
            tree.remove(aside)
        self.sweep()

    def sweep(self) -> None:
        """Remove what somebody was killed over removing; who is at it now holds it. What does not go stays for the
        next time. Blocking; never raises."""
        for leftover in self.folder.glob("removed-*"):
            with contextlib.suppress(ImageError, OSError), self._alone_with(leftover.name):
                tree.remove(leftover)

    @contextmanager
    def building(self, waiting: Callable[[], None]) -> Iterator[Path]:
        """Hold the builder's lock; yields an empty `work` folder. Calls `waiting` once if another has it."""
        work = self.folder / "work"
        busy, mend = "another build does not end", "look for a hanging `transom image build`"
        with contextlib.ExitStack() as stack:
            try:
                self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
                lock = files.locked(
                    self.folder / "lock", deadline=LOCK_DEADLINE, busy=busy, mend=mend, waiting=waiting
                )
                stack.enter_context(lock)
            except OSError as error:
                raise ImageError(f"{self.folder} cannot be written", mend="set TRANSOM_IMAGES") from error
            stack.callback(tree.remove, work)
            tree.remove(work)
            self.sweep()
            work.mkdir(mode=0o755)
            yield work

    def _whole(self, digest: str) -> bool:
        try:
            self.check(digest)
        except (ImageError, OSError):
            return False
        return True

    def _usable(self, digest: str) -> bool:
        try:
            self.manifest(digest)
        except ImageError:
            return False
        return True

    def _verify(self, path: Path, part: Part) -> None:
        try:
            status = path.stat()
            seen = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
            if seen in self._verified:
                return
            right = tree.file_digest(path) == part.digest
        except OSError:
            right = False
        if not right:
            raise ImageError(f"{path} is not as it was built", mend=BUILD)
        self._verified.add(seen)

    @contextmanager
    def _alone_with(self, digest: str) -> Iterator[None]:
        descriptor = os.open(self.folder / digest, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not files.try_lock(descriptor):
                raise ImageError("machines use that image", mend="end their sessions, then try again")
            yield
        finally:
            os.close(descriptor)

    def _aside(self, folder: Path) -> Path:
        """Take an image out of sight before its files go."""
        aside = self.folder / f"removed-{folder.name}-{os.getpid()}"
        folder.rename(aside)
        return aside


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None
