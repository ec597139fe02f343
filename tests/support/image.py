"""The golden image that machine tests start from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from transom.images.store import ImageStore, default_folder


@dataclass(frozen=True)
class GoldenImage:
    """An image by digest, as a driver asks for it."""

    digest: str
    folder: Path

    def root(self, digest: str) -> Path:
        """The one root file system there is."""
        if digest != self.digest:
            raise LookupError(digest)
        return self.folder

    def guest_code(self, digest: str, guest: Path) -> Path:
        """As it is: a test's machine may compile it for itself."""
        return guest


def image_store() -> ImageStore:
    """The images that a server of this user would have."""
    return ImageStore(Path(os.environ.get("TRANSOM_IMAGES") or default_folder()))


@pytest.fixture(scope="session")
def golden_image() -> GoldenImage:
    """`TRANSOM_TEST_IMAGE_ROOT` when it is set, else the image that new sessions would use."""
    given = os.environ.get("TRANSOM_TEST_IMAGE_ROOT")
    if given:
        return GoldenImage("sha256-" + "0" * 64, Path(given))
    store = image_store()
    digest = store.current()
    assert digest is not None, "there is no golden image: transom image build"
    return GoldenImage(digest, store.root(digest))
