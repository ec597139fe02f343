"""A stand-in for Firecracker's jailer: the same command line, and really a chroot, a network namespace and a user.

What it does not do: cgroups by `--cgroup` (refused), `--daemonize` (refused: unused here).
What it does besides: binds what the stand-in Firecracker, which is Python and QEMU, needs of the host.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import resource
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 32, 4096, 16384, 1 << 19
DEVICES = {"dev/net/tun": (10, 200), "dev/kvm": (10, 232), "dev/urandom": (1, 9), "dev/null": (1, 3)}
_libc = ctypes.CDLL(None, use_errno=True)


def main(version: str, needed: Sequence[str]) -> None:
    """Run as the jailer would; folders `needed` are bound read-only into the jail."""
    told, extra = parse(sys.argv[1:])
    if told.version:
        print(f"Jailer v{version}")
        return
    root = told.chroot_base_dir / told.exec_file.name / told.id / "root"
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(told.exec_file, root / told.exec_file.name)
    for limit in told.resource_limit:
        _limit(limit)
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _mount(None, "/", MS_SLAVE | MS_REC)
    _mount(root, root, MS_BIND | MS_REC)
    for folder in needed:
        _bind(Path(folder), root)
    for name, number in DEVICES.items():
        _device(root / name, number, told.uid)
    (root / "run").mkdir(exist_ok=True)
    for folder in (root, root / "run"):
        os.chown(folder, told.uid, told.gid)
    if told.netns is not None:
        with open(told.netns) as space:
            _check(_libc.setns(space.fileno(), CLONE_NEWNET), "setns")
    os.chroot(root)
    os.chdir("/")
    note = Path(f"/{told.exec_file.name}.pid")
    if told.new_pid_ns:
        _into_process_namespace(note)
    else:
        note.write_text(str(os.getpid()))
    os.setgroups([])
    os.setresgid(told.gid, told.gid, told.gid)
    os.setresuid(told.uid, told.uid, told.uid)
    program = f"/{told.exec_file.name}"
    os.closerange(3, 4096)
    os.execve(program, [program, f"--id={told.id}", "--start-time-us=1", "--start-time-cpu-us=1", *extra], {})


def _into_process_namespace(note: Path) -> None:
    """Returns in a new process, the first of its namespace; the old one leaves its number in `note` and ends."""
    _check(_libc.unshare(CLONE_NEWPID), "unshare")
    if child := os.fork():
        with open(note, "x") as file:
            file.write(str(child))
        os._exit(0)


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The jailer's own arguments, and Firecracker's behind `--`. Exits when they are not what it takes."""
    own, extra = arguments, []
    if "--" in arguments:
        end = arguments.index("--")
        own, extra = arguments[:end], arguments[end + 1 :]
    if own == ["--version"]:
        return argparse.Namespace(version=True), []
    parser = argparse.ArgumentParser("jailer", allow_abbrev=False)
    parser.add_argument("--id", required=True, type=_id)
    parser.add_argument("--exec-file", required=True, type=_exec_file)
    parser.add_argument("--uid", required=True, type=int)
    parser.add_argument("--gid", required=True, type=int)
    parser.add_argument("--chroot-base-dir", type=Path, default=Path("/srv/jailer"))
    parser.add_argument("--netns", type=Path)
    parser.add_argument("--cgroup-version", choices=("1", "2"), default="1")
    parser.add_argument("--parent-cgroup")
    parser.add_argument("--resource-limit", action="append", default=[], type=_resource)
    parser.add_argument("--new-pid-ns", action="store_true")
    parser.set_defaults(version=False)
    return parser.parse_args(own), extra


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise argparse.ArgumentTypeError("an id has letters, digits and hyphens, 64 at most")
    return text


def _exec_file(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_file() or "firecracker" not in path.name:
        raise argparse.ArgumentTypeError("the exec file's name must have firecracker in it")
    return path


def _resource(text: str) -> tuple[int, int]:
    kinds = {"fsize": resource.RLIMIT_FSIZE, "no-file": resource.RLIMIT_NOFILE}
    name, _, value = text.partition("=")
    if name not in kinds or not value.isdigit():
        raise argparse.ArgumentTypeError("fsize=N or no-file=N")
    return kinds[name], int(value)


def _limit(limit: tuple[int, int]) -> None:
    kind, value = limit
    resource.setrlimit(kind, (value, value))


def _bind(folder: Path, root: Path) -> None:
    target = root / folder.relative_to("/")
    if folder.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_symlink():
            target.symlink_to(folder.readlink())
        return
    target.mkdir(parents=True, exist_ok=True)
    _mount(folder, target, MS_BIND | MS_REC)
    _mount(None, target, MS_BIND | MS_REMOUNT | MS_RDONLY)


def _device(path: Path, number: tuple[int, int], uid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(*number))
    os.chown(path, uid, uid)


def _mount(source: Path | None, target: Path | str, flags: int) -> None:
    from_where = None if source is None else os.fsencode(source)
    _check(_libc.mount(from_where, os.fsencode(target), None, ctypes.c_ulong(flags), None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)
