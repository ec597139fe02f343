"""Files written where somebody may have laid traps."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from transom.cli.failure import Failure
from transom.cli.unpack import write_files

FILES = {"auth.json": b"secret", ".config/deep/x.yml": b"other"}


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_and_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    to = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        done = write_files(to, FILES, force=False)
    finally:
        os.umask(before)
    assert done == dict.fromkeys(FILES, "written")
    assert content(to) == FILES
    assert {mode(to / path) for path in FILES} == {0o600}
    assert {mode(each) for each in (to, to / ".config", to / ".config/deep")} == {0o700}


def test_pulling_again_is_no_trouble_and_mends_modes(tmp_path: Path) -> None:
    write_files(tmp_path, FILES, force=False)
    (tmp_path / "auth.json").chmod(0o644)
    assert write_files(tmp_path, FILES, force=False) == dict.fromkeys(FILES, "unchanged")
    assert mode(tmp_path / "auth.json") == 0o600


def test_other_content_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_bytes(b"mine")
    with pytest.raises(Failure, match=r"auth\.json") as refused:
        write_files(tmp_path, FILES, force=False)
    assert "--force" in refused.value.mend
    assert content(tmp_path) == {"auth.json": b"mine"}
    assert write_files(tmp_path, FILES, force=True) == dict.fromkeys(FILES, "written")
    assert content(tmp_path) == FILES
    assert mode(tmp_path / "auth.json") == 0o600


@pytest.mark.parametrize("force", [False, True])
def test_a_link_is_never_written_through(tmp_path: Path, force: bool) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    to = tmp_path / "to"
    to.mkdir()
    (to / "auth.json").symlink_to(victim)
    try:
        write_files(to, FILES, force=force)
    except Failure:
        assert not force
    assert victim.read_bytes() == b"kept"
    if force:
        assert not (to / "auth.json").is_symlink()
        assert content(to) == FILES


@pytest.mark.parametrize("force", [False, True])
def test_a_link_among_the_folders_is_refused(tmp_path: Path, force: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    to = tmp_path / "to"
    to.mkdir()
    (to / ".config").symlink_to(outside)
    with pytest.raises(Failure):
        write_files(to, FILES, force=force)
    assert not list(outside.iterdir())
    assert content(to) == {}


def test_a_hard_link_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"secret")
    to = tmp_path / "to"
    to.mkdir()
    os.link(tmp_path / "other", to / "auth.json")
    with pytest.raises(Failure):
        write_files(to, FILES, force=False)
    write_files(to, FILES, force=True)
    assert (to / "auth.json").stat().st_nlink == 1


def test_folders_and_pipes_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "auth.json").mkdir()
    with pytest.raises(Failure):
        write_files(tmp_path, FILES, force=False)
    with pytest.raises(Failure):
        write_files(tmp_path, FILES, force=True)
    (tmp_path / "auth.json").rmdir()
    os.mkfifo(tmp_path / "auth.json")
    with pytest.raises(Failure):
        write_files(tmp_path, FILES, force=False)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".transom-")] == []


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "a\0b", ".", "a//b"])
def test_paths_of_a_hostile_server(tmp_path: Path, path: str) -> None:
    to = tmp_path / "to"
    with pytest.raises(Failure, match="nothing was written"):
        write_files(to, {"good": b"x", path: b"y"}, force=True)
    assert not to.exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Failure, match="cannot be written"):
        write_files(tmp_path / "file" / "to", FILES, force=False)


def test_a_link_that_the_user_named_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_files(tmp_path / "link", FILES, force=False)
    assert content(tmp_path / "real") == FILES
