from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.images import cpio
from transom.images.cpio import archive, character, file, folder, link
from transom.images.tree import EPOCH

NAMES = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3}){0,2}", fullmatch=True)


def records(data: bytes) -> list[tuple[str, dict[str, int], bytes]]:
    """(path, header, content) of each record up to the trailer, as the kernel reads them."""
    words = (
        *("ino", "mode", "uid", "gid", "links", "time", "size", "major", "minor", "rmajor", "rminor"),
        *("name", "check"),
    )
    found, at = [], 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = {word: int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n, word in enumerate(words)}
        start = at + 110
        path = data[start : start + fields["name"] - 1].decode()
        content_at = -(-(start + fields["name"]) // 4) * 4
        content = data[content_at : content_at + fields["size"]]
        at = -(-(content_at + fields["size"]) // 4) * 4
        if path == cpio.TRAILER:
            return found
        found.append((path, fields, content))


def test_folders_come_before_what_is_in_them() -> None:
    found = records(archive([file("a/b/c", b"x"), file("a-b", b""), folder("z")]))
    assert [path for path, _, _ in found] == ["a", "a/b", "a/b/c", "a-b", "z"]


def test_kinds_modes_and_owners() -> None:
    entries = [file("f", b"12345"), file("r", b"", runs=True), link("l", "f"), character("c", 0o600, 5, 1)]
    found = {path: (fields, content) for path, fields, content in records(archive(entries))}
    assert found["f"][0]["mode"] == stat.S_IFREG | 0o644
    assert found["f"][1] == b"12345"
    assert found["r"][0]["mode"] == stat.S_IFREG | 0o755
    assert (found["l"][0]["mode"], found["l"][1]) == (stat.S_IFLNK | 0o777, b"f")
    assert [found["c"][0][word] for word in ("rmajor", "rminor", "mode")] == [5, 1, stat.S_IFCHR | 0o600]
    assert {fields[word] for fields, _ in found.values() for word in ("uid", "gid")} == {0}
    assert {fields["time"] for fields, _ in found.values()} == {EPOCH}
    assert len({fields["ino"] for fields, _ in found.values()}) == len(found)


@given(st.dictionaries(NAMES, st.binary(max_size=20), max_size=6), st.randoms())
def test_the_order_of_the_entries_changes_nothing(content: dict[str, bytes], random: object) -> None:
    files = [file(path, data) for path, data in content.items()]
    try:
        first = archive(files)
    except ValueError:
        return  # a file where another has a folder
    assert archive(list(reversed(files))) == first
    assert {path: data for path, fields, data in records(first) if stat.S_ISREG(fields["mode"])} == content
    assert len(first) % cpio.BLOCK == 0


@pytest.mark.parametrize(
    "path", ["/etc/x", "../x", "a/../b", "", ".", "a//b", "a/", "./a", "a\0b", cpio.TRAILER]
)
def test_paths_that_reach_outside(path: str) -> None:
    with pytest.raises(ValueError):
        archive([file(path, b"")])


def test_one_path_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        archive([file("a", b"1"), file("a", b"2")])
    with pytest.raises(ValueError, match="not a folder"):
        archive([file("a", b"1"), file("a/b", b"2")])


def test_what_the_header_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpio, "SIZE_LIMIT", 3)
    with pytest.raises(ValueError, match="too large"):
        archive([file("a", b"1234")])
    with pytest.raises(ValueError, match="too large"):
        archive([file("a" * 5000, b"")])


def test_the_cpio_program_reads_it(tmp_path: Path) -> None:
    program = shutil.which("cpio")
    if program is None:  # the records above are read as the kernel reads them
        return
    data = archive([file("etc/init", b"#!/bin/sh\n", runs=True), link("init", "etc/init")])
    done = subprocess.run([program, "-i", "--quiet"], input=data, cwd=tmp_path, timeout=20, check=True)
    assert done.returncode == 0
    assert (tmp_path / "etc/init").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "init").readlink() == Path("etc/init")
