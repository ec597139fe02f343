"""Files appear in a jail by descriptor, and nowhere else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from transom_helper import mounts, namespaces
from transom_helper.refusal import Refusal


def shown(source: Path, target: Path, writable: bool) -> tuple[str, int]:
    """(what is read at `target`, errno of writing there) in a mount namespace of its own."""
    target.touch()
    descriptor = os.open(source, os.O_RDWR if writable else os.O_RDONLY)
    tree = mounts.copy(descriptor)
    os.close(descriptor)

    def look() -> tuple[str, int]:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mounts.make_private()
        mounts.attach(tree, target, writable=writable)
        os.close(tree)
        try:
            with open(target, "a") as file:
                file.write("+")
        except OSError as error:
            return target.read_text(), error.errno or 0
        return target.read_text(), 0

    return namespaces.apart(look)


def test_a_file_is_there_for_reading_only(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    assert shown(tmp_path / "source", tmp_path / "target", False) == ("content", errno.EROFS)
    assert (tmp_path / "target").read_text() == ""


def test_a_file_is_there_for_writing(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    assert shown(tmp_path / "source", tmp_path / "target", True) == ("content+", 0)
    assert (tmp_path / "source").read_text() == "content+"
    assert (tmp_path / "target").read_text() == ""


def test_a_file_of_another_mount_namespace_is_refused_with_a_mend(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")

    def elsewhere() -> int:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        return os.open(tmp_path / "source", os.O_RDONLY)

    descriptor = namespaces.apart(elsewhere)
    with pytest.raises(Refusal) as refused:
        mounts.copy(descriptor)
    assert "PrivateTmp" in refused.value.mend
    os.close(descriptor)
