"""The guest's code, compiled by the Python of the golden image."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.image import GoldenImage, golden_image
from transom.drivers.stage import stage
from transom.images.errors import ImageError
from transom.images.guest_code import compiled, name_of

__all__ = ["golden_image"]
pytestmark = pytest.mark.machine


def test_every_module_has_byte_code_and_all_may_read_it(golden_image: GoldenImage, tmp_path: Path) -> None:
    source = stage(tmp_path / "guest")
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: compiled(source, golden_image.folder, golden_image.digest), range(4)))
    (folder,) = made
    assert folder.name == name_of(source, golden_image.digest)
    modules = list(folder.rglob("*.py"))
    assert modules
    for path in modules:
        (code,) = (path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc")
        # PEP 552: bit 0 hash-based, bit 1 check the source; here: hash-based and unchecked
        assert int.from_bytes(code.read_bytes()[4:8], "little") == 1
        assert code.stat().st_mode & 0o777 == 0o644
    assert sorted(os.listdir(tmp_path / "guest")) == sorted([source.name, folder.name])


def test_an_image_without_python_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    source = stage(tmp_path / "guest")
    (tmp_path / "root").mkdir()
    for name in ("proc", "dev", "tmp"):
        (tmp_path / "root" / name).mkdir()
    with pytest.raises(ImageError):
        compiled(source, tmp_path / "root", "sha256-" + "c" * 64)
    assert os.listdir(tmp_path / "guest") == [source.name]
    shutil.rmtree(tmp_path / "root")
