from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transom.images import files
from transom.images.errors import ImageError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    files.write(path, b"one")
    files.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["file"]


def test_many_writers_leave_one_whole_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: files.write(tmp_path / "file", b"%d" % n * 1000), range(10)))
    assert len(set((tmp_path / "file").read_bytes())) == 1
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        files.write(tmp_path / "file", b"x")
    assert os.listdir(tmp_path) == ["file"]


def test_shared_locks_stand_beside_each_other_and_against_one_alone(tmp_path: Path) -> None:
    one, two, three = (os.open(tmp_path, os.O_RDONLY) for _ in range(3))
    try:
        assert files.try_lock(one, shared=True)
        assert files.try_lock(two, shared=True)
        assert not files.try_lock(three)
    finally:
        for descriptor in (one, two, three):
            os.close(descriptor)


def test_who_waits_is_told_once_and_gives_up(tmp_path: Path) -> None:
    told: list[int] = []
    with files.locked(tmp_path / "lock", deadline=5, busy="", mend=""):
        waiting = files.locked(
            tmp_path / "lock", deadline=0, busy="it is busy", mend="wait", waiting=lambda: told.append(1)
        )
        with pytest.raises(ImageError, match="it is busy"), waiting:
            pass
    assert told == [1]
    with files.locked(tmp_path / "lock", deadline=0, busy="", mend=""):
        pass
