"""Firecracker for tests: the real one where TRANSOM_FIRECRACKER names it and KVM works, else the strict
stand-in."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from tests.support import firecracker_standin
from transom_keeper.vm.tsc import measure_khz

KVM_GET_API_VERSION, KVM_API_VERSION = 0xAE00, 12


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
