"""Files are read only where a tool of this user put them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transom_guest.signin.credential import Incomplete
from transom_guest.signin.folder import MAX_FILE, MAX_TOTAL, FileRefused, gather, look, read_safely
from transom_wire.link import CredentialFile

SPEC = (CredentialFile(".tool/auth.json", must_have=("token",)),)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".tool").mkdir()
    (tmp_path / ".tool/auth.json").write_text('{"token": "t"}')
    return tmp_path


def test_a_plain_file_is_read(home: Path) -> None:
    body, newest = read_safely(home, ".tool/auth.json")
    assert body == b'{"token": "t"}'
    assert newest == (home / ".tool/auth.json").stat().st_mtime_ns
    assert gather(home, SPEC).files == {".tool/auth.json": body}


def test_a_symbolic_link_is_refused_as_file_and_on_the_way(home: Path) -> None:
    (home / ".tool/auth.json").rename(home / "real.json")
    (home / ".tool/auth.json").symlink_to(home / "real.json")
    with pytest.raises(Incomplete):
        gather(home, SPEC)
    (home / ".tool/auth.json").unlink()
    (home / "real.json").rename(home / ".tool/auth.json")
    (home / ".tool").rename(home / "elsewhere")
    (home / ".tool").symlink_to(home / "elsewhere")
    with pytest.raises(Incomplete):
        gather(home, SPEC)


def test_what_is_not_a_file_is_refused_and_hangs_nobody(home: Path) -> None:
    path = home / ".tool/auth.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileRefused, match="not a plain file"):
        read_safely(home, ".tool/auth.json")
    path.unlink()
    path.mkdir()
    with pytest.raises(FileRefused):
        read_safely(home, ".tool/auth.json")


def test_another_users_file_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(FileRefused, match="another user"):
        read_safely(home, ".tool/auth.json")


def test_a_large_file_is_refused(home: Path) -> None:
    (home / ".tool/auth.json").write_bytes(b"x" * (MAX_FILE + 1))
    with pytest.raises(FileRefused, match="larger"):
        read_safely(home, ".tool/auth.json")


def test_files_that_are_large_together_are_refused(home: Path) -> None:
    specs = tuple(CredentialFile(f"f{number}", format="text") for number in range(3))
    for spec in specs:
        (home / spec.path).write_bytes(b"x" * (MAX_TOTAL // 2))
    with pytest.raises(FileRefused, match="together"):
        gather(home, specs)


def test_a_path_with_dots_is_refused(home: Path) -> None:
    for path in (".tool/../x", "./x", ".tool//auth.json"):
        with pytest.raises(FileRefused, match="plain path"):
            read_safely(home, path)


def test_a_missing_file_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="not there"):
        gather(tmp_path, SPEC)


def test_a_look_changes_with_a_rename_a_write_and_a_removal(home: Path) -> None:
    path = home / ".tool/auth.json"
    seen = [look(home, SPEC)]
    path.write_text('{"token": "longer"}')
    seen.append(look(home, SPEC))
    (home / ".tool/new").write_text('{"token": "longer"}')
    (home / ".tool/new").replace(path)
    seen.append(look(home, SPEC))
    path.unlink()
    seen.append(look(home, SPEC))
    assert len(set(seen)) == 4
    assert seen[-1] == (None,)
