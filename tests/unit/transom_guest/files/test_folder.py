from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from transom_guest.files import folder as module
from transom_guest.files.folder import FOLDER, Folder, Refusal, opened


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with opened(tmp_path) as found:
        yield found


def put(folder: Folder, name: str, data: bytes, most: int = 100) -> int:
    parts = iter([data, b""])
    return folder.write(name, most, lambda: next(parts))


def code_of(act: object, *arguments: object) -> str:
    with pytest.raises(Refusal) as caught:
        act(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_a_file_is_there_when_it_is_whole_and_replaces_the_one_before(folder: Folder, tmp_path: Path) -> None:
    assert put(folder, "a.txt", b"one") == 3
    seen: list[list[str]] = []
    parts = iter([b"two", b"!", b""])

    def read() -> bytes:
        seen.append([entry.name for entry in folder.listing()[0]])
        assert (tmp_path / FOLDER / "a.txt").read_bytes() == b"one"
        return next(parts)

    assert folder.write("a.txt", 100, read) == 4
    assert (tmp_path / FOLDER / "a.txt").read_bytes() == b"two!"
    assert seen == [["a.txt"]] * 3
    assert (tmp_path / FOLDER / "a.txt").stat().st_mode & 0o777 == 0o600


def test_what_is_cut_off_or_too_large_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    def gone() -> bytes:
        raise EOFError

    with pytest.raises(EOFError):
        folder.write("a", 100, gone)
    assert code_of(put, folder, "a", b"x" * 101) == "too_large"
    assert os.listdir(tmp_path / FOLDER) == []


def test_a_full_disk_is_said(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_descriptor: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", write)
    assert code_of(put, folder, "a", b"x") == "full"
    assert os.listdir(tmp_path / FOLDER) == []


def test_more_than_there_is_room_for_is_refused_before_it_comes(folder: Folder) -> None:
    assert code_of(folder.room, "a", 2**60, 2**61, 10) == "full"
    assert code_of(folder.room, "a", 11, 10, 10) == "too_large"


def test_so_many_files_and_no_more(folder: Folder) -> None:
    for name in "abc":
        put(folder, name, b"")
    assert code_of(folder.room, "d", 1, 10, 3) == "too_many"
    folder.room("a", 1, 10, 3)


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a\0", "a\n"])
def test_no_name_leads_out(folder: Folder, tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_text("outside")
    for act in (
        lambda: folder.reading(name, 9),
        lambda: put(folder, name, b"x"),
        lambda: folder.remove(name),
    ):
        assert code_of(act) == "name"
    assert (tmp_path / "a").read_text() == "outside"


def test_links_folders_and_pipes_are_no_files(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    inside = tmp_path / FOLDER
    (inside / "link").symlink_to(secret)
    (inside / "dir").mkdir()
    os.mkfifo(inside / "pipe")
    assert folder.listing() == ((), True)
    for name in ("link", "dir", "pipe"):
        assert code_of(folder.reading, name, 9) == "missing"
        assert code_of(folder.remove, name) == "missing"
        assert code_of(folder.room, name, 1, 9, 9) == "name"
    assert secret.read_text() == "s"


def test_a_link_in_the_folder_s_own_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / FOLDER).symlink_to("elsewhere")
    with pytest.raises(Refusal), opened(tmp_path):
        pass


def test_names_that_cannot_travel_are_not_listed(folder: Folder, tmp_path: Path) -> None:
    for name in (b"ok", b"\xff\xfe", "u\u0308".encode(), b"back\\slash", b".dot"):
        (tmp_path / FOLDER / os.fsdecode(name)).write_bytes(b"1")
    files, more = folder.listing()
    assert [entry.name for entry in files] == ["ok"] and more


def test_a_long_list_ends(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    for name in "abc":
        put(folder, name, b"")
    files, more = folder.listing()
    assert [entry.name for entry in files] == ["a", "b"] and more


def test_what_a_killed_transfer_left_goes_in_time(folder: Folder, tmp_path: Path) -> None:
    old, fresh = (tmp_path / FOLDER / f".coming-{name}" for name in ("old", "fresh"))
    for path in (old, fresh):
        path.touch()
    past = time.time() - module.LEFT_S - 5
    os.utime(old, (past, past))
    folder.room("a", 1, 9, 9)
    assert not old.exists() and fresh.exists()


def test_a_new_file_takes_no_other_s_place_whenever_that_came(folder: Folder, tmp_path: Path) -> None:
    there = tmp_path / FOLDER
    folder.room("a", 1, 100, 10, new=True)
    parts = iter([b"mine", b""])

    def another_comes() -> bytes:
        (there / "a").write_bytes(b"precious")
        return next(parts)

    assert code_of(lambda: folder.write("a", 100, another_comes, new=True)) == "exists"
    assert code_of(lambda: folder.room("a", 1, 100, 10, new=True)) == "exists"
    assert (there / "a").read_bytes() == b"precious"
    (there / "dangling").symlink_to("nowhere")
    for name in ("dangling", "a"):
        assert code_of(lambda name=name: folder.write(name, 100, lambda: b"", new=True)) == "exists"
    parts = iter([b"two", b""])
    assert folder.write("b", 100, lambda: next(parts), new=True) == 3
    assert sorted(os.listdir(there)) == ["a", "b", "dangling"]
    assert ((there / "b").stat().st_mode & 0o777, (there / "b").stat().st_nlink) == (0o600, 1)


def test_a_name_beyond_those_that_are_looked_at_is_taken_as_well(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / FOLDER / name).write_bytes(b"")
    monkeypatch.setattr(module, "LOOKED_AT", 1)
    for name in "abc":
        assert code_of(lambda name=name: folder.room(name, 1, 100, 10, new=True)) == "exists"
