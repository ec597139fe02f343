"""The initramfs of a virtual machine: busybox, the kernel's modules in their order, the recipe's init script.

`/init`, `/bin/busybox` with a link for each of APPLETS, `/lib/modules/NAME.ko` and `/lib/modules/order`: the
names, one a line, in the order in which they can be inserted.
"""

from __future__ import annotations

import lzma
import stat
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from transom.images import cpio, elf
from transom.images.errors import ImageError

MODULE_LIMIT = 32 * 2**20
"""Bytes of one unpacked module; the largest needed is under one MiB."""
INFO = b".modinfo"
FOLDERS = ("dev", "mnt", "proc", "run", "sys", "tmp")
APPLETS = """
    awk basename blkdiscard blockdev cat chgrp chmod chown chroot clear cmp cp cpio cut date dd df dirname dmesg
    du echo env expr false find free grep gunzip head hexdump hostname id insmod ip kill link ln ls lsmod
    mkdir mke2fs mkfifo mknod mktemp modprobe more mount mv nproc od pidof ping poweroff printf ps pwd
    readlink realpath reboot reset rm rmdir rmmod sed seq setsid sh sha256sum sleep sort stat stty switch_root sync
    sysctl tail tar tee test time timeout top touch tr true truncate umount uname uniq usleep wc which xargs xxd yes
"""
"""busybox's own shell finds them without links, but for the time before /proc is mounted."""
UNPACKERS = {".ko": None, ".ko.xz": "xz", ".ko.gz": "gz"}
BUILTIN = "modules.builtin"
MEND = "correct image/initramfs/modules.txt"


def build(init: Path, busybox: bytes, modules: Path, wanted: Iterable[str]) -> bytes:
    """The archive; `modules` is the folder that holds the kernel's `kernel/`. Raises ImageError."""
    found = closure(wanted, available(modules), builtin(modules))
    entries = [
        cpio.file("init", init.read_bytes(), runs=True),
        cpio.file("bin/busybox", busybox, runs=True),
        *(cpio.link(f"bin/{name}", "busybox") for name in APPLETS.split()),
        cpio.character("dev/console", 0o600, 5, 1),
        cpio.character("dev/null", 0o666, 1, 3),
        *(cpio.folder(name) for name in FOLDERS),
        *(cpio.file(f"lib/modules/{name}.ko", content) for name, content in found.items()),
        cpio.file("lib/modules/order", "".join(f"{name}\n" for name in found).encode()),
    ]
    return cpio.archive(entries)


def available(modules: Path) -> dict[str, Path]:
    """Module name -> its file, for all under `modules`."""
    found = {}
    for path in sorted(modules.rglob("*.ko*")):
        stem, dot, rest = path.name.partition(".")
        if dot + rest in UNPACKERS and stat.S_ISREG(path.lstat().st_mode):
            found[_plain(stem)] = path
    return found


def builtin(modules: Path) -> frozenset[str]:
    """Names of what the kernel has built in."""
    try:
        lines = (modules / BUILTIN).read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(_plain(Path(line).name.partition(".")[0]) for line in lines)


def closure(wanted: Iterable[str], files: Mapping[str, Path], inside: frozenset[str]) -> dict[str, bytes]:
    """Name -> content of `wanted` and all they need, each after what it needs. Raises ImageError."""
    found: dict[str, bytes] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in found or name in inside:
            return
        if name in visiting or name not in files:
            raise ImageError(f"the kernel has no module {name} that can be inserted", mend=MEND)
        visiting.add(name)
        content = read(files[name])
        for need in needs(content):
            visit(need)
        found[name] = content

    for name in sorted({_plain(name) for name in wanted}):
        visit(name)
    return found


def read(path: Path) -> bytes:
    """A module's file, unpacked. Raises ImageError."""
    packed = path.read_bytes()
    try:
        if path.name.endswith(".xz"):
            return lzma.LZMADecompressor().decompress(packed, MODULE_LIMIT)
        if path.name.endswith(".gz"):
            return zlib.decompressobj(wbits=31).decompress(packed, MODULE_LIMIT)
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise ImageError(f"{path.name} cannot be unpacked", mend=MEND) from error
    return packed


def needs(module: bytes) -> list[str]:
    """Names of the modules it needs, by its own word. Raises ImageError when it is no module."""
    try:
        info = elf.section(module, INFO)
    except ValueError as error:
        raise ImageError(f"a kernel module is broken: {error}", mend=MEND) from error
    if info is None:
        raise ImageError("a kernel module says nothing of itself", mend=MEND)
    for field in info.split(b"\0"):
        if field.startswith(b"depends="):
            names = field.removeprefix(b"depends=").decode("ascii", "replace")
            return sorted(_plain(name) for name in names.split(",") if name)
    return []


def _plain(name: str) -> str:
    """The kernel takes `-` and `_` in a module's name for the same."""
    return name.replace("-", "_")
