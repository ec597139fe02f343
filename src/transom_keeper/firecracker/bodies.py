"""What Firecracker is told, in the order it is told. Pure: numbers go in, and nothing that a user wrote.

Paths are those of the jail (`transom_wire.vm`), names and the command line are constants: so there is no way for
input to reach a path, a kernel argument or a drive's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transom_keeper.firecracker.version import CLOCK_REALTIME, Version
from transom_wire.vm import (
    GUEST_MAC,
    JAIL_CONFIG,
    JAIL_INITRAMFS,
    JAIL_KERNEL,
    JAIL_MEMORY,
    JAIL_OVERLAY,
    JAIL_ROOTFS,
    JAIL_STATE,
    TAP,
)

MIB = 2**20
MAX_CPUS = 32
"""The API's own limit."""
DRIVES = (("rootfs", JAIL_ROOTFS, True), ("config", JAIL_CONFIG, True), ("overlay", JAIL_OVERLAY, False))
"""(id, path in the jail, read-only), in the order that names them vda, vdb, vdc in the guest."""
INTERFACE = "eth0"
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet loglevel=4 reboot=k panic=1 panic_on_oops=1 i8042.noaux i8042.nomux i8042.dumbkbd "
    "random.trust_cpu=on clocksource=kvm-clock net.ifnames=0"
)
"""kvm-clock: the one clock that a load of a snapshot can set forward."""
REFILL_MS = 1000
DISK_BYTES_PER_SECOND, DISK_OPS_PER_SECOND = 256 * MIB, 20_000
NET_BYTES_PER_SECOND, NET_PACKETS_PER_SECOND = 125 * MIB, 200_000
"""About a gigabit a second each way: enough for any desktop, and not all of a host."""
DISK_BURST_BYTES = 1024 * MIB
"""Granted once: the boot reads its whole desktop."""
ENTROPY_BYTES_PER_SECOND = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the API."""

    method: str
    path: str
    body: dict[str, object] = field(default_factory=dict)


def boot(cpus: int, memory_bytes: int) -> tuple[Request, ...]:
    """Everything from a fresh process to a running guest. Raises ValueError for sizes that are none."""
    return (
        machine(cpus, memory_bytes),
        boot_source(),
        *(drive(*each) for each in DRIVES),
        interface(),
        entropy(),
        Request("PUT", "/actions", {"action_type": "InstanceStart"}),
    )


def machine(cpus: int, memory_bytes: int) -> Request:
    """Size of the machine: whole cores, as the guest sees them. Raises ValueError for a size that is none."""
    if not 1 <= cpus <= MAX_CPUS or memory_bytes < MIB:
        raise ValueError("no machine has that size")
    body = {"vcpu_count": cpus, "mem_size_mib": memory_bytes // MIB, "smt": False, "track_dirty_pages": False}
    return Request("PUT", "/machine-config", dict(body))


def boot_source() -> Request:
    """Kernel, initramfs and a command line that never differs."""
    return Request(
        "PUT",
        "/boot-source",
        {
            "kernel_image_path": JAIL_KERNEL,
            "initrd_path": JAIL_INITRAMFS,
            "boot_args": KERNEL_ARGUMENTS,
        },
    )


def drive(drive_id: str, path: str, read_only: bool) -> Request:
    """One of DRIVES. None is the root device: the initramfs puts the root together."""
    limiter = {
        "bandwidth": _bucket(DISK_BYTES_PER_SECOND, DISK_BURST_BYTES),
        "ops": _bucket(DISK_OPS_PER_SECOND),
    }
    body = {
        "drive_id": drive_id,
        "path_on_host": path,
        "is_root_device": False,
        "is_read_only": read_only,
        "cache_type": "Unsafe",
        "rate_limiter": limiter,
    }
    return Request("PUT", f"/drives/{drive_id}", dict(body))


def interface() -> Request:
    """The one network card, on the TAP of the machine's own network namespace."""
    limiter = {"bandwidth": _bucket(NET_BYTES_PER_SECOND), "ops": _bucket(NET_PACKETS_PER_SECOND)}
    body = {
        "iface_id": INTERFACE,
        "host_dev_name": TAP,
        "guest_mac": GUEST_MAC,
        "rx_rate_limiter": limiter,
        "tx_rate_limiter": dict(limiter),
    }
    return Request("PUT", f"/network-interfaces/{INTERFACE}", dict(body))


def entropy() -> Request:
    """The host's randomness, as much as a guest needs and no more."""
    return Request("PUT", "/entropy", {"rate_limiter": {"bandwidth": _bucket(ENTROPY_BYTES_PER_SECOND)}})


def pause() -> Request:
    """Stop the machine's processors."""
    return Request("PATCH", "/vm", {"state": "Paused"})


def resume() -> Request:
    """Let the machine's processors run on."""
    return Request("PATCH", "/vm", {"state": "Resumed"})


def save() -> Request:
    """Write state and memory of a paused machine, whole."""
    return Request(
        "PUT",
        "/snapshot/create",
        {"snapshot_type": "Full", "snapshot_path": JAIL_STATE, "mem_file_path": JAIL_MEMORY},
    )


def load(version: Version) -> Request:
    """Load and run a snapshot, on this jail's TAP. The first request to its process, or it is refused."""
    body: dict[str, object] = {
        "snapshot_path": JAIL_STATE,
        "mem_backend": {"backend_type": "File", "backend_path": JAIL_MEMORY},
        "network_overrides": [{"iface_id": INTERFACE, "host_dev_name": TAP}],
        "resume_vm": True,
    }
    if version >= CLOCK_REALTIME:
        body["clock_realtime"] = True
    return Request("PUT", "/snapshot/load", body)


def _bucket(per_second: int, burst: int = 0) -> dict[str, int]:
    bucket = {"size": per_second, "refill_time": REFILL_MS}
    return bucket | ({"one_time_burst": burst} if burst else {})
