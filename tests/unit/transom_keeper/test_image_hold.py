from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from transom.images.errors import ImageError
from transom.images.store import ImageStore
from transom_keeper import image_hold
from transom_keeper.image_hold import folder_of, hold

DIGEST = "sha256-" + "a" * 64


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / DIGEST
    (folder / "root").mkdir(parents=True)
    return folder


@pytest.fixture
def keeper(image: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the image until somebody ends it."""
    code = "import sys; from pathlib import Path; from transom_keeper.image_hold import hold; " + (
        "hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(image / "root")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_the_folder_is_the_images_own(image: Path, tmp_path: Path) -> None:
    assert folder_of(image) == folder_of(image / "root") == folder_of(image / "root/usr") == image
    assert folder_of(tmp_path / "plain") == tmp_path / "plain"


def test_a_held_image_is_not_removed_until_its_keeper_is_dead(
    image: Path, keeper: subprocess.Popen[str]
) -> None:
    store = ImageStore(image.parent)
    assert store.in_use(DIGEST)
    with pytest.raises(ImageError, match="machines use"):
        store.remove(DIGEST)
    assert image.is_dir()
    keeper.kill()
    keeper.wait(20)
    assert not store.in_use(DIGEST)
    store.remove(DIGEST)
    assert not image.exists()


def test_many_hold_one_image(image: Path) -> None:
    for descriptor in [hold(image / "root"), hold(image)]:
        os.close(descriptor)


def test_an_image_that_is_being_removed_is_refused(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_hold, "TRIES", 2)
    remover = os.open(image, os.O_RDONLY)
    fcntl.flock(remover, fcntl.LOCK_EX)
    try:
        with pytest.raises(OSError) as caught:
            hold(image / "root")
        assert caught.value.errno == errno.EBUSY
    finally:
        os.close(remover)


def test_an_image_that_was_taken_away_meanwhile(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(descriptor: int) -> None:
        image.rename(image.with_name("removed"))
        image.mkdir()

    monkeypatch.setattr(image_hold, "_share", swapped)
    with pytest.raises(OSError, match="replaced"):
        hold(image)


def test_no_such_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hold(tmp_path / DIGEST / "root")
