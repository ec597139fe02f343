"""With the real mksquashfs and mke2fs, on roots of a few files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from transom.images.errors import ImageError
from transom.images.filesystem import Owner, ext4, in_user_namespace, owners, squashfs
from transom.images.tree import EPOCH, file_digest

UID = 64_997
"""An id of nobody's on this host."""
NAMES = ("etc/shadow", "home/user/x", "usr/bin/tool", "with space/and \\ more")


def make_root(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name * 1000)
    (folder / "etc/shadow").chmod(0o640)
    (folder / "usr/bin/alias").symlink_to("tool")
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    os.utime(folder, (EPOCH, EPOCH))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users reach: pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="transom-filesystem-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


SPECIAL = {"etc/shadow": Owner(0o640, 0, 42), "home/user": Owner(0o755, 1000, 1000)}


def listing(image: Path) -> dict[str, tuple[str, str]]:
    """path -> (modes, owner) as unsquashfs prints them."""
    done = subprocess.run(
        ["unsquashfs", "-lln", "-d", "", str(image)], capture_output=True, text=True, timeout=60, check=True
    )
    found = {}
    for line in done.stdout.splitlines():
        words = line.split(None, 5)
        if len(words) == 6 and words[5].startswith("/"):
            found[words[5].split(" -> ")[0]] = (words[0], words[1])
    return found


def test_squashfs_has_debians_owners_and_else_roots(root: Path, tmp_path: Path) -> None:
    squashfs(root, tmp_path / "out", SPECIAL, tmp_path)
    found = listing(tmp_path / "out")
    assert found["/etc/shadow"] == ("-rw-r-----", "0/42")
    assert found["/home/user"] == ("drwxr-xr-x", "1000/1000")
    assert found["/usr/bin/tool"][1] == found["/with space/and \\ more"][1] == "0/0"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("make", [squashfs, ext4])
def test_two_roots_with_the_same_files_make_the_same_bytes(tmp_path: Path, make: type[object]) -> None:
    made = []
    for number, names in enumerate((NAMES, tuple(reversed(NAMES)))):
        work = tmp_path / str(number)
        work.mkdir()
        root = make_root(work / "root", names)
        os.link(root / "usr/bin/tool", root / "usr/bin/twin")
        os.utime(root / "usr/bin", (EPOCH, EPOCH))
        if number:  # the times that nobody can set: another second
            began = os.stat(root / "usr/bin/tool").st_ctime_ns // 10**9
            while os.stat(root / "usr/bin/tool").st_ctime_ns // 10**9 == began:
                (root / "usr/bin/tool").chmod(0o644)
        make(root, work / "out", SPECIAL, work)  # type: ignore[call-arg]
        made.append(file_digest(work / "out"))
    assert made[0] == made[1]


def test_ext4_is_whole_and_has_debians_owners(root: Path, tmp_path: Path) -> None:
    ext4(root, tmp_path / "out", SPECIAL, tmp_path)
    checked = subprocess.run(
        ["e2fsck", "-fn", str(tmp_path / "out")], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stdout
    said = subprocess.run(
        ["debugfs", "-R", "stat /home/user", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "User:  1000   Group:  1000" in said


def test_owners_of_what_is_gone_or_a_link_are_left_out(root: Path) -> None:
    (root / "proc").mkdir()
    listed = b"555 65534 65534 proc\x002755 0 8 etc\x00640 0 42 etc/shadow\x00755 1 1 usr/bin/alias\x00"
    listed += b"755 1 1 var/gone\x00"
    assert owners(listed, root) == {"etc": Owner(0o2755, 0, 8), "etc/shadow": Owner(0o640, 0, 42)}


@pytest.mark.parametrize("line", [b"x", b"755 0 0 a b", b"9 0 0 a", b"755 -1 0 a", b"755 0 0 a\nb m 777 0 0"])
def test_owners_that_cannot_be_written_down(root: Path, line: bytes) -> None:
    with pytest.raises(ImageError, match="not readable"):
        owners(line + b"\x00", root)


def test_an_ordinary_users_files_are_roots_in_the_image(shared: Path) -> None:
    root = make_root(shared / "root")
    user = []
    if os.geteuid() == 0:
        user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        for path in [shared, root, *root.rglob("*")]:
            os.lchown(path, UID, UID)
    pack = in_user_namespace(["mksquashfs", str(root), str(shared / "out"), "-no-progress", "-quiet"])
    subprocess.run([*user, *pack], timeout=60, check=True)
    assert {owner for _, owner in listing(shared / "out").values()} == {"0/0"}
