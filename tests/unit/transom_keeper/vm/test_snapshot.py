from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.vm import snapshot
from transom_keeper.vm.snapshot import NewSnapshot, SnapshotError, open_file, read_note

TOKEN = "t" * 32


def written(folder: Path) -> None:
    new = NewSnapshot(folder)
    os.close(new.create(snapshot.STATE))
    new.finish(TOKEN)


def test_a_snapshot_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    new = NewSnapshot(tmp_path / "one")
    descriptor = new.create(snapshot.STATE)
    os.write(descriptor, b"memory")
    os.close(descriptor)
    assert not (tmp_path / "one").exists()
    new.finish(TOKEN)
    new.discard()
    assert read_note(tmp_path / "one").boot_token == TOKEN
    assert [each.name for each in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize(
    "harm", [Path.unlink, lambda path: os.truncate(path, 3), lambda path: path.write_bytes(b"x" * 99)]
)
def test_one_with_a_file_gone_or_of_another_length_is_none(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    new = NewSnapshot(tmp_path / "one")
    descriptor = new.create(snapshot.STATE)
    os.write(descriptor, b"memory")
    os.close(descriptor)
    new.finish(TOKEN)
    harm(tmp_path / "one" / snapshot.STATE)
    with pytest.raises(SnapshotError, match="not whole: state"):
        read_note(tmp_path / "one")


def test_one_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    new = NewSnapshot(tmp_path / "one")
    os.close(new.create(snapshot.STATE))
    new.discard()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_reads_it_and_nobody_writes_it(tmp_path: Path) -> None:
    written(tmp_path / "one")
    modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "one").iterdir()}
    assert set(modes.values()) == {0o600} and (tmp_path / "one").stat().st_mode & 0o777 == 0o700
    descriptor = open_file(tmp_path / "one", snapshot.STATE)
    with pytest.raises(OSError):
        os.write(descriptor, b"x")
    os.close(descriptor)


def test_what_an_earlier_try_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    NewSnapshot(tmp_path / "one").create(snapshot.STATE)
    written(tmp_path / "one")
    assert read_note(tmp_path / "one").boot_token == TOKEN


@given(st.binary(max_size=300))
def test_a_note_that_is_none_is_an_error_in_words(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / snapshot.NOTE).write_bytes(data)
        with pytest.raises(SnapshotError):
            read_note(Path(folder))


def test_a_note_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / snapshot.NOTE).write_text(
        '{"type": "snapshot_note", "version": 99, "boot_token": "%s", "sizes": {}}' % TOKEN  # noqa: UP031
    )
    with pytest.raises(SnapshotError, match="another version"):
        read_note(tmp_path)
