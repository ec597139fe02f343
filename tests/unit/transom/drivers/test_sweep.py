"""What is kept for images and guest code that are gone goes; what a machine needs stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transom.drivers.sweep import sweep_guest, sweep_snapshots
from transom_keeper.image_hold import hold

OLD, NEW = "0" * 32, "1" * 32
IMAGE, GONE = "sha256-" + "a" * 64, "sha256-" + "b" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for code in (OLD, NEW):
        for name in (code, f"{code}-{'a' * 16}", f"{code}-{'b' * 16}"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file.py").write_text("")
            (tmp_path / f"{name}-{IMAGE}.initramfs").write_text("")
            (tmp_path / f"{name}-{GONE}.initramfs").write_text("")
    return tmp_path


def test_only_this_code_for_images_that_are_there_stays(folder: Path) -> None:
    sweep_guest(folder, NEW, {IMAGE})
    assert sorted(os.listdir(folder)) == sorted(
        [
            NEW,
            f"{NEW}-{'a' * 16}",
            f"{NEW}-{IMAGE}.initramfs",
            *(f"{NEW}-{short}-{IMAGE}.initramfs" for short in ("a" * 16, "b" * 16)),
        ]
    )


def test_what_a_keeper_holds_stays_until_it_lets_go(folder: Path) -> None:
    held = hold(folder / OLD)
    assert OLD not in sweep_guest(folder, NEW, {IMAGE})
    assert (folder / OLD / "file.py").is_file()
    os.close(held)
    assert sweep_guest(folder, NEW, {IMAGE}) == [OLD]


def test_what_is_being_made_and_what_is_nobodys_stay(folder: Path) -> None:
    (folder / ".new-x").mkdir()
    (folder / "notes").write_text("an operator's own")
    sweep_guest(folder, NEW, {IMAGE})
    assert (folder / ".new-x").is_dir()
    assert (folder / "notes").is_file()
    os.utime(folder / ".new-x", (1, 1))
    assert sweep_guest(folder, NEW, {IMAGE}) == [".new-x"]


def test_no_folder_is_nothing_to_do(tmp_path: Path) -> None:
    assert sweep_guest(tmp_path / "none", NEW, {IMAGE}) == []
    assert sweep_snapshots(tmp_path / "none", {IMAGE}, "image") == []


def test_snapshots_go_with_what_they_are_made_of(tmp_path: Path) -> None:
    for name, image in (("one", IMAGE), ("two", GONE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image").write_text(f"{image}\n")
    (tmp_path / "unsaid").mkdir()
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage/image").write_bytes(b"\xff\xfe" * 9000)
    assert sweep_snapshots(tmp_path, {IMAGE}, "image") == ["garbage", "two"]
    assert sorted(os.listdir(tmp_path)) == ["one", "unsaid"]
