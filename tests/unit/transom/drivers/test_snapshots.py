from __future__ import annotations

import os
from pathlib import Path

import pytest

from transom.drivers import snapshots as module
from transom.drivers import sweep
from transom.drivers.snapshots import BAD, KEPT, MADE_OF, Snapshots, key_of
from transom_keeper.vm.snapshot import NOTE, STATE, NewSnapshot, SnapshotError, SnapshotNote

FACTS = {"image": "sha256-1", "memory": 1024, "machine": ["-M", "microvm"]}


def made(folder: Path, token: str = "t" * 32) -> Path:
    new = NewSnapshot(folder)
    os.close(new.create(STATE))
    new.finish(token)
    return folder


def test_a_key_says_all_that_a_clone_must_have_in_common() -> None:
    assert key_of(FACTS) == key_of(dict(reversed(FACTS.items())))
    for name in FACTS:
        assert key_of({**FACTS, name: "other"}) != key_of(FACTS)
    assert key_of(FACTS).isalnum() and len(key_of(FACTS)) == 32


def test_what_was_taken_in_is_found_with_its_token(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    assert snapshots.find("one") is None
    snapshots.adopt(made(tmp_path / "new"), "one", "sha256-x")
    assert snapshots.find("one") == (tmp_path / "snapshots/one", "t" * 32)
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "snapshots").stat().st_mode & 0o077 == 0


def test_a_new_one_takes_the_place_of_an_old(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    snapshots.adopt(made(tmp_path / "new"), "one", "sha256-x")
    snapshots.adopt(made(tmp_path / "new", "u" * 32), "one", "sha256-x")
    assert snapshots.find("one") == (tmp_path / "snapshots/one", "u" * 32)


def test_what_is_not_whole_is_neither_taken_in_nor_found(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    (tmp_path / "new").mkdir()
    with pytest.raises(SnapshotError):
        snapshots.adopt(tmp_path / "new", "one", "sha256-x")
    (tmp_path / "snapshots/two").mkdir(parents=True)
    assert snapshots.find("one") is None and snapshots.find("two") is None


def test_nothing_is_written_through_what_the_machine_s_user_put_there(tmp_path: Path) -> None:
    """The folder was that user's; who takes it in may be root."""
    snapshots, other = Snapshots(tmp_path / "snapshots"), tmp_path / "other"
    other.write_text("another's")
    linked = made(tmp_path / "linked")
    (linked / MADE_OF).symlink_to(other)
    fresh = made(tmp_path / "fresh")
    (fresh / MADE_OF).symlink_to(tmp_path / "not there")
    hard = made(tmp_path / "hard")
    (hard / MADE_OF).hardlink_to(other)
    pipe = made(tmp_path / "pipe")
    (pipe / NOTE).unlink()
    os.mkfifo(pipe / NOTE)
    elsewhere = made(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(elsewhere)
    for folder in (linked, fresh, hard, pipe, tmp_path / "link"):
        with pytest.raises((OSError, SnapshotError)):
            snapshots.adopt(folder, "one", "sha256-x")
    assert snapshots.find("one") is None and list((tmp_path / "snapshots").iterdir()) == []
    assert other.read_text() == "another's" and not (tmp_path / "not there").exists()
    assert not (elsewhere / MADE_OF).exists()


def test_one_that_lost_a_file_is_not_found_and_is_replaced(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    snapshots.adopt(made(tmp_path / "new"), "one", "sha256-x")
    (tmp_path / "snapshots/one" / STATE).unlink()
    assert snapshots.find("one") is None
    snapshots.adopt(made(tmp_path / "new", "u" * 32), "one", "sha256-x")
    assert snapshots.find("one") == (tmp_path / "snapshots/one", "u" * 32)


def test_a_removal_that_is_killed_shows_nothing_and_is_ended_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots, seen = Snapshots(tmp_path / "snapshots"), []

    def killed(path: Path, **_: object) -> None:
        if path.exists():
            seen.append(snapshots.find("one"))
            raise OSError("killed")

    snapshots.adopt(made(tmp_path / "new"), "one", "sha256-x")
    with monkeypatch.context() as patched:
        patched.setattr(sweep.shutil, "rmtree", killed)
        snapshots.sweep({"sha256-y"})
    assert seen == [None] and snapshots.find("one") is None
    assert len(list((tmp_path / "snapshots").iterdir())) == 1
    snapshots.sweep(set())
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_what_is_put_in_its_place_meanwhile_is_not_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots, look = Snapshots(tmp_path / "snapshots"), module.read_note
    another, folder = made(tmp_path / "another", "u" * 32), made(tmp_path / "new")

    def swapped(looked_at: Path) -> SnapshotNote:
        assert not folder.exists()
        folder.symlink_to(another)
        return look(looked_at)

    monkeypatch.setattr(module, "read_note", swapped)
    snapshots.adopt(folder, "one", "sha256-x")
    monkeypatch.undo()
    assert snapshots.find("one") == (tmp_path / "snapshots/one", "t" * 32)
    assert not (tmp_path / "snapshots/one").is_symlink() and another.is_dir()


def test_a_bad_one_is_set_aside_as_it_is_and_counts_for_nothing(tmp_path: Path) -> None:
    snapshots, folder = Snapshots(tmp_path / "snapshots"), tmp_path / "snapshots"
    for number, token in enumerate(("t" * 32, "u" * 32)):
        snapshots.adopt(made(tmp_path / "new", token), "one", "sha256-x")
        before = {each.name: each.stat().st_mtime_ns for each in (folder / "one").iterdir()}
        assert not snapshots.set_aside("one", "x" * 32)
        assert snapshots.find("one") == (folder / "one", token)
        assert snapshots.set_aside("one", token)
        assert not snapshots.set_aside("one", token)
        assert snapshots.find("one") is None
        assert {each.name: each.stat().st_mtime_ns for each in (folder / f"{BAD}one").iterdir()} == before
        assert [each.name for each in folder.iterdir()] == [f"{BAD}one"], number
    os.utime(folder / f"{BAD}one", (2**33, 2**33))
    for number in range(KEPT):
        snapshots.adopt(made(tmp_path / "new"), f"k{number}", "sha256-x")
    assert all(snapshots.find(f"k{number}") for number in range(KEPT))
    assert (folder / f"{BAD}one").is_dir()
    snapshots.sweep({"sha256-y"})
    assert list(folder.iterdir()) == []


def test_only_the_newest_stay(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    for number in range(KEPT + 2):
        snapshots.adopt(made(tmp_path / "new"), f"k{number}", "sha256-x")
        os.utime(tmp_path / "snapshots" / f"k{number}", (number, number))
    left = sorted(each.name for each in (tmp_path / "snapshots").iterdir())
    assert left == [f"k{number}" for number in range(2, KEPT + 2)]
