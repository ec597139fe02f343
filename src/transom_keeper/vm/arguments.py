"""What QEMU is told, and the sandbox around it. Pure: numbers go in, and nothing that a user wrote.

Every file is a descriptor, inherited; so there is no way for input to reach a path, a kernel argument, an option.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from transom_wire.keeper_config import Limits
from transom_wire.vm import GUEST_MAC

MIB = 2**20
EMULATED_CPU = "Nehalem-v1,arat=on"
"""Faster under emulation than `max`: fewer features to emulate. Its timer goes on while it sleeps, which that model
does not say by itself: without it the guest's kernel ticks 250 times a second on each processor, whatever happens."""
TRANSLATION_MIB = 256
"""Translated code kept by the emulator."""
OVERHEAD_BYTES = {"kvm": 192 * MIB, "tcg": (256 + TRANSLATION_MIB) * MIB}
"""What a VMM takes beside its guest's memory, at most; its group has this much more."""
LEAST_THREADS = 160
"""Of a VMM: processors, and up to 64 workers for its disks."""
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
ENTROPY_BYTES, ENTROPY_MS = 16 * 1024, 1000
"""Random bytes that a guest may take of its host, and in which time."""


@dataclass(frozen=True, slots=True)
class Drives:
    """Descriptors of the machine's disks and boot files."""

    kernel: int
    initramfs: int
    rootfs: int
    config: int
    overlay: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What is decided about a virtual machine: descriptors and numbers."""

    accelerator: str
    cpus: int
    memory_bytes: int
    drives: Drives
    tap: int
    tsc_khz: int | None = None
    """Set for emulation."""
    state: int | None = None
    """Set to restore instead of booting: the saved machine, waited for by name of its descriptor."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that the VMM inherits for it."""
        drives = self.drives
        every = (drives.kernel, drives.initramfs, drives.rootfs, drives.config, drives.overlay, self.tap)
        return every if self.state is None else (*every, self.state)


def vmm_limits(limits: Limits, accelerator: str) -> Limits:
    """What the control groups around a VMM grant, so that its guest has what `limits` say."""
    return replace(
        limits,
        memory_bytes=limits.memory_bytes + OVERHEAD_BYTES[accelerator],
        pids=max(limits.pids, LEAST_THREADS),
    )


def kernel_arguments(tsc_khz: int | None) -> str:
    """The command line of the guest's kernel."""
    told = "console=ttyS0 quiet loglevel=4 panic=-1 reboot=t net.ifnames=0 rdinit=/init"
    return told if tsc_khz is None else f"{told} tsc_early_khz={tsc_khz} tsc=reliable"


def vmm_arguments(shape: Shape, monitor: int) -> list[str]:
    """QEMU's arguments; `monitor` is its end of a connected socket."""
    return [
        *("-no-user-config", "-nodefaults", "-no-reboot"),
        *("-display", "none"),
        *("-sandbox", SANDBOX),
        *machine_arguments(shape.accelerator, shape.cpus, shape.memory_bytes // MIB),
        *("-kernel", f"/proc/self/fd/{shape.drives.kernel}"),
        *("-initrd", f"/proc/self/fd/{shape.drives.initramfs}"),
        *("-append", kernel_arguments(shape.tsc_khz)),
        *_drive("rootfs", 1, shape.drives.rootfs, writable=False),
        *_drive("config", 2, shape.drives.config, writable=False),
        *_drive("overlay", 3, shape.drives.overlay, writable=True),
        *("-netdev", f"tap,id=net,fd={shape.tap},vhost=off"),
        *("-device", f"virtio-net-device,netdev=net,mac={GUEST_MAC}"),
        *("-object", "rng-builtin,id=rng"),
        *("-device", f"virtio-rng-device,rng=rng,max-bytes={ENTROPY_BYTES},period={ENTROPY_MS}"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control"),
        *(("-incoming", "defer") if shape.state is not None else ()),
    ]


def machine_arguments(accelerator: str, cpus: int, memory_mib: int) -> list[str]:
    """Board, processors, memory: what a saved state must find again as it was."""
    machine = "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,mem-merge=off,dump-guest-core=off"
    emulated = accelerator == "tcg"
    return [
        *("-M", machine),
        *("-global", "virtio-mmio.force-legacy=off"),
        *("-accel", f"tcg,thread=multi,tb-size={TRANSLATION_MIB}" if emulated else "kvm"),
        *("-cpu", EMULATED_CPU if emulated else "host"),
        *("-smp", str(cpus)),
        *("-m", f"{memory_mib}M"),
    ]


def _drive(name: str, number: int, descriptor: int, *, writable: bool) -> list[str]:
    access = "discard=unmap,cache.no-flush=on" if writable else "read-only=on"
    file = "file.driver=file,file.locking=off" + (",file.discard=unmap" if writable else "")
    return [
        *("-add-fd", f"fd={descriptor},set={number}"),
        *("-blockdev", f"driver=raw,node-name={name},{access},{file},file.filename=/dev/fdset/{number}"),
        *("-device", f"virtio-blk-device,drive={name},serial={name}"),
    ]


def confinement(seccomp_fd: int, info_fd: int, block_fd: int | None, *, kvm: bool) -> list[str]:
    """What bubblewrap is told about a VMM: nothing of the host but its programs, and no network at all."""
    return [
        *("--unshare-all", "--die-with-parent", "--new-session", "--clearenv"),
        *("--hostname", "vmm"),
        *("--seccomp", str(seccomp_fd), "--info-fd", str(info_fd)),
        *(("--block-fd", str(block_fd)) if block_fd is not None else ()),
        *("--ro-bind", "/usr", "/usr"),
        *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(("--dev-bind", "/dev/kvm", "/dev/kvm") if kvm else ()),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", "/"),
    ]
