"""Two builds from nothing, one digest: with the real programs, and layers small enough for every commit.

`base`, `gstreamer` and `vm` run through everything but npm and the desktop: bootstrap, caches, kernel, initramfs,
both file systems.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transom.images import manifest
from transom.images.build import build
from transom.images.store import ImageStore

pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

RECIPE = Path(__file__).parents[2] / "image"
WITHOUT = ("desktop", "cli")


def built(store: ImageStore) -> str:
    """The digest of the image, built from nothing."""
    return build(RECIPE, store, without=WITHOUT, mirror=os.environ.get("TRANSOM_MIRROR"), ext4=True)


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[ImageStore, ImageStore]]:
    """Two stores that share nothing, each with the image of its own build in use; built at one time, in which neither
    may see the other."""
    folder = Path(tempfile.mkdtemp(prefix="transom-repeat-", dir=os.environ.get("TRANSOM_TEST_SPACE")))
    try:
        folder.chmod(0o711)
        made = ImageStore(folder / "one"), ImageStore(folder / "two")
        with ThreadPoolExecutor(len(made)) as builders:
            list(builders.map(built, made))
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_two_builds_make_one_digest(stores: tuple[ImageStore, ImageStore]) -> None:
    one, two = (store.manifest(store.current() or "") for store in stores)
    assert {name: part.digest for name, part in one.parts.items()} == {
        name: part.digest for name, part in two.parts.items()
    }
    assert one.digest == two.digest == manifest.identity(one.parts)


def test_the_parts_are_those_of_a_virtual_machine(stores: tuple[ImageStore, ImageStore]) -> None:
    store = stores[0]
    digest = store.current() or ""
    store.check(digest)
    for name in ("vmlinux", "initramfs.cpio", "rootfs.squashfs", "rootfs.ext4"):
        assert store.part(digest, name).stat().st_size > 2**20
    assert store.manifest(digest).packages["systemd"]
    assert any(name.startswith("linux-image-") for name in store.manifest(digest).packages)
