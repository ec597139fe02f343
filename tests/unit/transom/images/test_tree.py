from __future__ import annotations

import os
from pathlib import Path

import pytest

from transom.images import tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/x").write_text("content")
    (root / "usr/bin/y").symlink_to("x")
    (root / "usr/empty").mkdir()
    return root


def test_entries_are_complete_and_links_not_followed(root: Path) -> None:
    (root / "loop").symlink_to(".")
    (root / os.fsdecode(b"not-utf8-\xff")).touch()
    names = sorted(name for name, _ in tree.entries(root))
    wanted = ["loop", "usr", "usr/bin", "usr/bin/x", "usr/bin/y", "usr/empty", os.fsdecode(b"not-utf8-\xff")]
    assert names == sorted(wanted)
    tree.digest(root)


def test_the_digest_names_content_modes_and_links_but_no_times(root: Path) -> None:
    seen, size, files = tree.digest(root)
    assert (size, files) == (7, 1)
    os.utime(root / "usr/bin/x", (1, 1))
    assert tree.digest(root)[0] == seen
    found = {seen}
    for change in (
        lambda: (root / "usr/bin/x").write_text("changed"),
        lambda: (root / "usr/bin/x").chmod(0o700),
        lambda: (root / "usr/bin/y").rename(root / "usr/bin/z"),
        lambda: (root / "usr/empty").rmdir(),
    ):
        change()
        digest = tree.digest(root)[0]
        assert digest not in found
        found.add(digest)


def test_the_digest_names_rights_that_no_image_may_have(root: Path) -> None:
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    os.mkfifo(root / "pipe")
    found = {tree.digest(root)[0]}
    for change in (
        lambda: (root / "usr/bin/x").chmod(0o4755),
        lambda: (root / "usr/bin/x").chmod(0o2755),
        lambda: (root / "usr/bin/x").chmod(0o6755),
        lambda: (root / "tmp").chmod(0o777),
    ):
        change()
        digest = tree.digest(root)[0]
        assert digest not in found
        found.add(digest)


def test_rights_of_a_file_are_named_with_its_capabilities(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "listxattr", lambda path, **_: [tree.CAPABILITY] if path.name == "x" else [])
    named = {path: tree.rights(root, path, status) for path, status in tree.entries(root)}
    assert {path for path, rights in named.items() if rights} == {"usr/bin/x"}
    assert named["usr/bin/x"] == ["capabilities"]
    with_it = tree.digest(root)[0]
    monkeypatch.undo()
    assert tree.digest(root)[0] != with_it


def test_clamp_moves_only_what_is_young(root: Path) -> None:
    os.utime(root / "usr/empty", (5, 5))
    tree.clamp(root)
    assert (root / "usr/empty").stat().st_mtime == 5
    for path in (root, root / "usr/bin/x"):
        assert path.stat().st_mtime == tree.EPOCH
    assert (root / "usr/bin/y").lstat().st_mtime == tree.EPOCH


def test_remove_takes_everything_and_nothing_twice(root: Path) -> None:
    (root / "usr/bin").chmod(0o500)
    tree.remove(root)
    assert not root.exists()
    tree.remove(root)


def test_open_to_all_opens_the_way_and_follows_no_link(root: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (root / "opt").symlink_to(private)
    (root / "usr").chmod(0o700)
    tree.open_to_all(root)
    assert (root / "usr").stat().st_mode & 0o777 == 0o755
    assert private.stat().st_mode & 0o777 == 0o700
