"""What a keeper is told of a virtual machine, and the fixed shape of every one of them. Pure.

Each machine has a network namespace of its own that holds nothing but one TAP device. The same names and
addresses in each: so clones of one snapshot run side by side unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from transom_wire.codec import Range, Text

TAP = "tap0"
GATEWAY, GUEST, PREFIX = "192.168.100.1", "192.168.100.10", 24
"""The keeper's sockets are bound to GATEWAY; the guest has GUEST and no route but the network's own."""
TAP_MAC, GUEST_MAC = "06:00:c0:a8:64:01", "06:00:c0:a8:64:0a"
"""Fixed, both: a clone of a snapshot has its neighbour's address in its cache."""
CONFIG_MAGIC = b"transom-config-1\n"
CONFIG_BYTES = 64 * 1024
"""The config drive: CONFIG_MAGIC, then one JSON object, then zeros."""

JAIL_API = "/run/firecracker.socket"
JAIL_KERNEL, JAIL_INITRAMFS, JAIL_ROOTFS = "/kernel", "/initramfs", "/rootfs"
JAIL_CONFIG, JAIL_OVERLAY = "/config", "/overlay"
JAIL_STATE, JAIL_MEMORY = "/state", "/memory"
"""Where a jailed Firecracker finds its files, each a descriptor that came to the root helper: the same in every
jail, so that a snapshot loads in any."""

HostPath = Annotated[str, Text(1000, r"/[^\x00]*")]


@dataclass(frozen=True, slots=True)
class VmConfig:
    """A virtual machine's parts on the keeper's host. All files are read-only and shared but the overlay."""

    vmm: HostPath
    """qemu-system-x86_64 or firecracker."""
    accelerator: Annotated[str, Text(8, "kvm|tcg")]
    kernel: HostPath
    """ELF vmlinux with a PVH note."""
    initramfs: HostPath
    """The image's, with the guest's code of this transom appended (a second cpio archive)."""
    rootfs: HostPath
    """squashfs."""
    cpus: Annotated[int, Range(1, 64)]
    snapshot: HostPath | None = None
    """Folder to restore from instead of booting; never written to."""
    save_snapshot: HostPath | None = None
    """Folder to make: boot, wait until parked, save the snapshot there, and end."""
    booted_for: Annotated[str, Text(500)] = ""
    """Why it is booted where it should have been restored; empty when it should not."""
