"""What the operator tells the helper on its command line; a caller can change none of it."""

from __future__ import annotations

import argparse
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transom_wire.helper import HELPER_SOCKET

OWNERS = range(1_900_000_000, 1_900_002_000)
"""The controller's `uid_base`, and as many slots as it can have."""
CHROOT_BASE = Path("/var/lib/transom-helper")


@dataclass(frozen=True, slots=True)
class Options:
    """All of them."""

    socket: Path
    allowed: frozenset[int]
    """Users who may ask, besides root."""
    owners: range
    """Users whom machines run as; a caller may name these and itself."""
    chroot_base: Path
    """The helper's own folder: jails, and what it has made for whom."""
    firecracker: Path | None
    jailer: Path | None
    machines: int
    """Machines that one caller may have: networks, and the rest, each so many."""


def parse(arguments: Sequence[str]) -> Options:
    """The options. Ends the process with a message, as argparse does, when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="transom_helper", description="The root helper.", allow_abbrev=False
    )
    parser.add_argument("--socket", type=_path, default=Path(HELPER_SOCKET), metavar="PATH")
    parser.add_argument("--allow-uid", type=_user, action="append", default=[], metavar="USER")
    parser.add_argument("--owner-uids", type=_uids, default=OWNERS, metavar="LOW-HIGH")
    parser.add_argument("--chroot-base", type=_path, default=CHROOT_BASE, metavar="DIR")
    parser.add_argument("--firecracker", type=_path, metavar="PATH")
    parser.add_argument("--jailer", type=_path, metavar="PATH")
    parser.add_argument("--machines", type=_count, default=256, metavar="N")
    told = parser.parse_args(arguments)
    if (told.firecracker is None) != (told.jailer is None):
        parser.error("--firecracker and --jailer come together")
    if told.firecracker is not None and "firecracker" not in told.firecracker.name:
        parser.error("the jailer starts only a program with `firecracker` in its name")
    return Options(
        socket=told.socket,
        allowed=frozenset(told.allow_uid),
        owners=told.owner_uids,
        chroot_base=told.chroot_base,
        firecracker=told.firecracker,
        jailer=told.jailer,
        machines=told.machines,
    )


def _path(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise argparse.ArgumentTypeError("not an absolute path")
    return path


def _uid(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 2**32 - 1:
        raise argparse.ArgumentTypeError("not a user other than root")
    return int(text)


def _user(text: str) -> int:
    """A number, or a name that the host knows."""
    if text.isdigit():
        return _uid(text)
    try:
        return _uid(str(pwd.getpwnam(text).pw_uid))
    except KeyError as error:
        raise argparse.ArgumentTypeError("no such user") from error


def _uids(text: str) -> range:
    low, _, high = text.partition("-")
    first, last = _uid(low), _uid(high)
    if first < 1000 or last < first:
        raise argparse.ArgumentTypeError("not a range of users from 1000 on")
    return range(first, last + 1)


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 4096:
        raise argparse.ArgumentTypeError("not a number from 1 to 4096")
    return int(text)
