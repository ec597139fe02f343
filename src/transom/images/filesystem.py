"""Makes one read-only file of a root: squashfs, or ext4. Root owns everything in it but what Debian says.

The same bytes for the same root, whoever builds it: an ordinary user's files look like root's from inside a
user namespace, and the list of owners from the bootstrap does the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transom.images import tree
from transom.images.errors import ImageError
from transom.images.run import run

DEADLINE = 1800.0
LEVEL = 3
"""zstd's; 6 takes more than twice as long for 6 % less, 9 five times for 7 %."""
BLOCK = 128 * 1024
"""Bytes that are packed together: larger ones pack better and make random reads slower."""
LINE = re.compile(rb"(?P<mode>[0-7]{1,4}) (?P<uid>\d{1,10}) (?P<gid>\d{1,10}) (?P<path>[!-~]{1,1000})")
"""Paths are plain: the tools' own lists know no quoting that all versions share."""
MOUNTED = ("dev", "proc", "sys")
"""While packages are installed these are the builder's own."""
UUID = "7472616e-736f-4d00-8000-000000000001"
"""ext4 wants one; a fixed one keeps builds alike. No host mounts two of them by it."""
SPARE = 64 * 2**20
"""Bytes of an ext4 beyond its content, and an eighth of that content, for its own tables."""
INODES_SPARE = 1024
ROOT_INODE, FIRST_INODE = 2, 12
"""mke2fs numbers what it copies from here on; 11 is lost+found."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a path that is not plainly root's, and its permissions."""

    mode: int
    uid: int
    gid: int


def owners(listed: bytes, root: Path) -> dict[str, Owner]:
    """Parse the list `mode uid gid path NUL ...`; paths that `root` has no longer are left out.

    Raises ImageError.
    """
    found = {}
    for line in filter(None, listed.split(b"\0")):
        match = LINE.fullmatch(line)
        if match is None:
            raise ImageError("the list of owners is not readable", mend="remove the cache and build again")
        path = match["path"].decode()
        if path in MOUNTED:
            continue
        if (root / path).exists() and not (root / path).is_symlink():
            mode = int(match["mode"], 8)
            found[path] = Owner(mode, int(match["uid"]), int(match["gid"]))
    return found


def squashfs(root: Path, target: Path, special: Mapping[str, Owner], work: Path) -> None:
    """Write `root` to `target` as squashfs. Raises ImageError."""
    lines = [f"{path} m {_mode(root, path):o} {who.uid} {who.gid}\n" for path, who in sorted(special.items())]
    listed = work / "squashfs.owners"
    listed.write_text("".join(lines))
    how = ("-comp", "zstd", "-Xcompression-level", str(LEVEL), "-b", str(BLOCK), "-pf", str(listed))
    plain = ("-noappend", "-no-xattrs", "-no-progress", "-quiet", "-mkfs-time", str(tree.EPOCH))
    run(
        _as_root(["mksquashfs", str(root), str(target), *how, *plain]),
        deadline=DEADLINE,
        mend="apt-get install squashfs-tools",
        env=_without_epoch(),
    )
    target.chmod(0o644)


def ext4(root: Path, target: Path, special: Mapping[str, Owner], work: Path) -> None:
    """Write `root` to `target` as a read-only ext4 without a journal. Raises ImageError."""
    found = list(tree.entries(root))
    content = sum(-(-status.st_size // 4096) * 4096 for _, status in found)
    blocks = (content + content // 8 + SPARE) // 4096
    env = {**os.environ, "E2FSPROGS_FAKE_TIME": str(tree.EPOCH), "SOURCE_DATE_EPOCH": str(tree.EPOCH)}
    features = "^has_journal,^resize_inode,^dir_index,^orphan_file"
    extended = f"hash_seed={UUID},root_owner=0:0,lazy_itable_init=0,nodiscard"
    shape = ("-t", "ext4", "-q", "-F", "-b", "4096", "-m", "0", "-N", str(len(found) + INODES_SPARE))
    argv = ["mke2fs", *shape, "-U", UUID, "-O", features, "-E", extended, "-d", str(root), str(target)]
    run(_as_root([*argv, str(blocks)]), deadline=DEADLINE, mend="apt-get install e2fsprogs", env=env)
    commands = [
        f"set_inode_field /{path} {field} {value}\n"
        for path, who in sorted(special.items())
        for field, value in (("uid", who.uid), ("gid", who.gid))
    ]
    # mke2fs takes over when files were made and read, which no build repeats
    inodes = len({status.st_ino for _, status in found})
    commands += [
        f"set_inode_field <{number}> {field} @{tree.EPOCH}\n"
        for number in (ROOT_INODE, *range(FIRST_INODE, FIRST_INODE + inodes))
        for field in ("atime", "ctime")
    ]
    listed = work / "ext4.owners"
    listed.write_text("".join(commands))
    run(
        ["debugfs", "-w", "-f", str(listed), str(target)],
        deadline=DEADLINE,
        mend="apt-get install e2fsprogs",
        env=env,
    )
    target.chmod(0o644)


def _mode(root: Path, path: str) -> int:
    return (root / path).lstat().st_mode & 0o7777


def in_user_namespace(argv: Sequence[str]) -> list[str]:
    """`argv` run where the caller's own files look like root's."""
    return ["bwrap", "--unshare-user", "--uid", "0", "--gid", "0", "--dev-bind", "/", "/", *argv]


def _as_root(argv: Sequence[str]) -> list[str]:
    return list(argv) if os.geteuid() == 0 else in_user_namespace(argv)


def _without_epoch() -> dict[str, str]:
    """mksquashfs refuses its own time options beside this variable."""
    return {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
