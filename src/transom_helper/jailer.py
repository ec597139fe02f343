"""What Firecracker's jailer is told (its docs/jailer.md), and which firecracker may run. Pure but for `stat`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from transom_helper.refusal import Refusal
from transom_keeper.firecracker import version
from transom_wire.helper import StartJail
from transom_wire.vm import (
    JAIL_API,
    JAIL_CONFIG,
    JAIL_INITRAMFS,
    JAIL_KERNEL,
    JAIL_MEMORY,
    JAIL_OVERLAY,
    JAIL_ROOTFS,
    JAIL_STATE,
)

JAILER_SECONDS = 10.0
"""For the jailer to build its jail and start what is in it."""
PLACES = (
    ("network", "", False),
    ("kernel", JAIL_KERNEL, False),
    ("initramfs", JAIL_INITRAMFS, False),
    ("root file system", JAIL_ROOTFS, False),
    ("config drive", JAIL_CONFIG, False),
    ("overlay", JAIL_OVERLAY, True),
    ("console", "", True),
    ("snapshot state", JAIL_STATE, False),
    ("snapshot memory", JAIL_MEMORY, False),
)
"""The descriptors of StartJail in their order: what each is, where it appears, whether it is always written to."""
OPEN_FILES = 512
FILE_SLACK = 64 * 2**20
"""What a snapshot's memory file may be larger than the machine's memory."""
LONGEST_ID = 64
"""The jailer's own limit; letters, digits and hyphens."""
_GATE = 'read -r go && exec "$@" </dev/null'


def jail_id(tag: str, machine: str) -> str:
    """The jail of a machine. Raises Refusal for a name the jailer would not take, or that would be another's."""
    if "-" in machine:
        raise Refusal("a jailed machine's name has no hyphen")
    id = f"{tag}-{machine.replace('_', '-')}"
    if len(id) > LONGEST_ID:
        raise Refusal("a jailed machine's name is too long")
    return id


def arguments(
    jailer: Path, firecracker: Path, base: Path, id: str, request: StartJail, network: str
) -> list[str]:
    """The whole command. Control groups are joined before it runs; a process namespace of its own keeps the
    jail from the keeper, which is of the same user. Never `--enable-pci`: virtio over PCI has a hole."""
    largest = request.limits.disk_bytes
    if request.save:
        largest = max(largest, request.limits.memory_bytes + FILE_SLACK)
    return [
        str(jailer),
        *("--id", id),
        *("--exec-file", str(firecracker)),
        *("--uid", str(request.owner)),
        *("--gid", str(request.owner)),
        *("--chroot-base-dir", str(base)),
        *("--netns", network),
        *("--resource-limit", f"fsize={largest}"),
        *("--resource-limit", f"no-file={OPEN_FILES}"),
        "--new-pid-ns",
        "--",
        *("--api-sock", JAIL_API),
    ]


def gated(command: list[str]) -> list[str]:
    """`command`, held back until a line comes on its standard input: meanwhile it is put into its groups. It
    never runs when whoever holds it back has died."""
    return ["/bin/sh", "-c", _GATE, "gate", *command]


def fit(firecracker: Path, jailer: Path, says: Callable[[Path], str]) -> Refusal | None:
    """Why these two programs may not be used; None when they may. `says` is what `--version` prints."""
    for program in (firecracker, jailer):
        if (folder := _open_to_others(program)) is not None:
            return Refusal(
                f"others than root may write to {folder}", f"chown root {folder}; chmod go-w {folder}"
            )
    try:
        found = [version.parse(says(program)) for program in (firecracker, jailer)]
    except Refusal as refusal:
        return refusal
    if found[0] is None or not version.allowed(found[0]):
        known = f"firecracker {found[0]}" if found[0] is not None else "a firecracker of unknown version"
        return Refusal(f"{known} has known holes", f"install {version.wanted()}")
    if found[0] != found[1]:
        return Refusal("firecracker and its jailer are of two versions", "install both of one release")
    return None


def _open_to_others(program: Path) -> Path | None:
    """The file, or the first folder above it, that somebody but root may write to."""
    real = program.resolve()
    for path in (real, *real.parents):
        seen = os.stat(path)
        sticky = path != real and seen.st_mode & stat.S_ISVTX
        if seen.st_uid != os.geteuid() or (seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky):
            return path
    return None
