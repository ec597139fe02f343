from __future__ import annotations

import stat
from pathlib import Path

import pytest

from transom.drivers.stage import packages, stage


def source(tmp_path: Path, content: str = "x = 1\n") -> Path:
    package = tmp_path / "src" / "transom_guest"
    (package / "desktop").mkdir(parents=True, exist_ok=True)
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"old")
    (package / "a.py").write_text(content)
    (package / "desktop" / "b.py").write_text("y = 2\n")
    (package / "secret.key").write_text("no")
    return package


def test_only_code_is_staged_and_everybody_may_read_it(tmp_path: Path) -> None:
    staged = stage(tmp_path / "guest", (source(tmp_path),))
    files = {str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_file()}
    assert files == {"transom_guest/a.py", "transom_guest/desktop/b.py"}
    for path in [staged, *staged.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)
    assert stat.S_IMODE((tmp_path / "guest").stat().st_mode) == 0o711


def test_the_same_code_is_staged_once_and_other_code_elsewhere(tmp_path: Path) -> None:
    first = stage(tmp_path / "guest", (source(tmp_path),))
    mark = first.stat().st_ino
    assert stage(tmp_path / "guest", (source(tmp_path),)) == first and first.stat().st_ino == mark
    second = stage(tmp_path / "guest", (source(tmp_path, "x = 2\n"),))
    assert second != first and first.is_dir()
    assert {path.name for path in (tmp_path / "guest").iterdir()} == {first.name, second.name}


def test_a_copy_cut_short_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    package = tmp_path / "src" / "transom_guest"
    package.mkdir(parents=True)
    (package / "a.py").write_text("x = 1\n")
    with pytest.raises(OSError, match="No space"):
        stage(tmp_path / "guest", (package,))
    assert list((tmp_path / "guest").iterdir()) == []


def test_the_packages_are_the_guest_s_and_the_wire_s(tmp_path: Path) -> None:
    assert [path.name for path in packages()] == ["transom_guest", "transom_wire"]
    staged = stage(tmp_path / "guest")
    assert (staged / "transom_guest" / "init.py").is_file()
    assert (staged / "transom_wire" / "codec.py").is_file()
    assert {path.name for path in staged.iterdir()} == {"transom_guest", "transom_wire"}
