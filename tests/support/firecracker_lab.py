"""Firecracker for tests: the real one where TRANSOM_FIRECRACKER names it and KVM works, else the strict
stand-in; and a driver that asks a root helper for it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from tests.support import firecracker_standin
from tests.support.helper_lab import HelperLab
from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.drivers.keepers import Host, KeeperDeadlines
from transom.drivers.virtual import Images, VmOptions
from transom_keeper.vm.tsc import measure_khz
from transom_wire.control import Limits

KVM_GET_API_VERSION, KVM_API_VERSION = 0xAE00, 12
DEADLINES = KeeperDeadlines(create=90.0)
"""A restore under emulation, on a busy host."""
LIMITS = Limits(memory_bytes=1024 * 2**20, cpu_millis=2000, pids=512, disk_bytes=2**30)


@dataclass(frozen=True, slots=True)
class Programs:
    """A firecracker and its jailer, and what runs a guest's instructions under it."""

    firecracker: Path
    jailer: Path
    accelerator: str

    @property
    def helper_arguments(self) -> tuple[str, ...]:
        """What the root helper is told of them."""
        return ("--firecracker", str(self.firecracker), "--jailer", str(self.jailer))


def kvm_works() -> bool:
    """True where /dev/kvm answers."""
    try:
        descriptor = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, KVM_GET_API_VERSION) == KVM_API_VERSION
    except OSError:
        return False
    finally:
        os.close(descriptor)


def programs(folder: Path) -> Programs:
    """The real pair or the stand-ins, which are written into `folder`."""
    real = os.environ.get("TRANSOM_FIRECRACKER")
    if real and kvm_works():
        return Programs(Path(real), Path(real).with_name("jailer"), "kvm")
    folder.mkdir(exist_ok=True)
    return Programs(*firecracker_standin.install(folder, measure_khz()), "tcg")


def driver_of(
    state: Path, images: Images, guest: Path, helper: HelperLab, chosen: Programs
) -> FirecrackerDriver:
    """A driver that knows nothing but the folder `state`."""
    options = VmOptions(
        program=chosen.firecracker,
        helper=Path(helper.socket),
        state=state,
        limits=LIMITS,
        size=(640, 480),
        accelerator=chosen.accelerator,
        desktop="terminal",
    )
    host = Host(state / "machines", guest, "127.0.0.1", (42000, 42999), deadlines=DEADLINES)
    return FirecrackerDriver(host, images, options)
