from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transom_keeper.vm.overlay import copy_sparse, empty, make_overlay, used

SIZE = 64 * 2**20


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[int]:
    descriptor = make_overlay(tmp_path, SIZE)
    yield descriptor
    os.close(descriptor)


def test_an_overlay_has_its_size_no_name_and_no_weight(overlay: int, tmp_path: Path) -> None:
    assert os.fstat(overlay).st_size == SIZE and used(overlay) == 0
    assert list(tmp_path.iterdir()) == []
    os.pwrite(overlay, b"x" * 4096, 2**20)
    assert 0 < used(overlay) < 2**20
    empty(overlay)
    assert os.fstat(overlay).st_size == SIZE and used(overlay) == 0
    assert os.pread(overlay, 10, 2**20) == bytes(10)


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / f"overlay.{os.getpid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        make_overlay(tmp_path, SIZE)
    assert not (tmp_path / "elsewhere").exists()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, SIZE - 70_000), st.integers(1, 70_000)), max_size=8))
def test_a_copy_is_the_same_and_stays_sparse(pieces: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = make_overlay(Path(folder), SIZE), os.open(f"{folder}/copy", os.O_RDWR | os.O_CREAT)
        try:
            for offset, size in pieces:
                os.pwrite(source, os.urandom(size), offset)
            copy_sparse(source, target)
            assert os.fstat(target).st_size == SIZE
            for offset, size in pieces:
                assert os.pread(target, size, offset) == os.pread(source, size, offset)
            assert used(target) <= used(source) + 2**20
        finally:
            os.close(source)
            os.close(target)
