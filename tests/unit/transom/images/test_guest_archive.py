from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.transom.images.test_cpio import records
from transom.drivers.stage import stage
from transom.images import cpio, guest_archive
from transom.images.errors import ImageError
from transom.images.guest_archive import archive, combine

IMAGE = "sha256-" + "a" * 64


@pytest.fixture
def initramfs(tmp_path: Path) -> Path:
    path = tmp_path / "initramfs.cpio"
    path.write_bytes(cpio.archive([cpio.file("init", b"#!/bin/sh\n", runs=True)]) + bytes(3))
    return path


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    folder = tmp_path / "staged" / ("0" * 32)
    for name in ("transom_guest/desktop/x.py", "transom_wire/codec.py"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    return folder


def test_the_guests_code_comes_behind_the_images_own(initramfs: Path, guest: Path, tmp_path: Path) -> None:
    made = combine(initramfs, guest, tmp_path / "cache", IMAGE)
    assert made.name == f"{'0' * 32}-{IMAGE}.initramfs"
    data = made.read_bytes()
    assert data.startswith(initramfs.read_bytes())
    begin = -(-initramfs.stat().st_size // cpio.BLOCK) * cpio.BLOCK
    found = {path: content for path, _, content in records(data[begin:])}
    assert found["transom/transom_guest/desktop/x.py"] == b"transom_guest/desktop/x.py"
    assert found["transom/transom_wire/codec.py"] == b"transom_wire/codec.py"
    assert made.stat().st_mode & 0o777 == 0o644


def test_it_is_made_once(initramfs: Path, guest: Path, tmp_path: Path) -> None:
    first = combine(initramfs, guest, tmp_path / "cache", IMAGE)
    before = first.stat().st_ino
    initramfs.unlink()
    assert combine(initramfs, guest, tmp_path / "cache", IMAGE).stat().st_ino == before
    assert os.listdir(tmp_path / "cache") == [first.name]


def test_many_at_once_make_one(initramfs: Path, guest: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: combine(initramfs, guest, tmp_path / "c", IMAGE), range(16)))
    assert len(made) == 1
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_the_real_guest_fits(tmp_path: Path) -> None:
    found = records(archive(stage(tmp_path / "staged")))
    assert {"transom/transom_guest/boot.py", "transom/transom_wire/codec.py"} <= {
        path for path, _, _ in found
    }


def test_links_are_refused(initramfs: Path, guest: Path, tmp_path: Path) -> None:
    (guest / "transom_guest/secret").symlink_to("/etc/shadow")
    with pytest.raises(ImageError, match="neither file nor folder"):
        combine(initramfs, guest, tmp_path / "cache", IMAGE)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("limit", ["LIMIT", "FILES_LIMIT"])
def test_what_is_too_large(guest: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(guest_archive, limit, 1)
    with pytest.raises(ImageError, match="too large"):
        archive(guest)


def test_an_empty_folder_is_no_guest(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no guest code"):
        archive(tmp_path)


@pytest.mark.parametrize("name", ["..", "x", "A" * 32, "a b c d e f"])
def test_names_that_are_no_digests(initramfs: Path, tmp_path: Path, name: str) -> None:
    for guest, image in ((tmp_path / name, IMAGE), (tmp_path / ("0" * 32), name)):
        with pytest.raises(ImageError, match="named by digest"):
            combine(initramfs, guest, tmp_path / "cache", image)


def test_a_cache_that_cannot_be_written(initramfs: Path, guest: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ImageError, match="cannot be made") as caught:
        combine(initramfs, guest, tmp_path / "cache", IMAGE)
    assert caught.value.mend
