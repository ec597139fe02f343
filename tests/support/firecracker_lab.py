"""Firecracker for tests: the real one where TRANSOM_FIRECRACKER names it and KVM works, else the strict
stand-in."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from tests.support import firecracker_standin
from tests.support.unasked import not_asked
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


def jailer_of(firecracker: Path) -> Path:
    """The jailer of the same release: beside it, as `jailer` or named as releases name both."""
    plain = firecracker.with_name("jailer")
    return plain if plain.exists() else plain.with_name(firecracker.name.replace("firecracker", "jailer"))


def programs(folder: Path) -> Programs:
    """The real pair or the stand-ins, which are written into `folder`; that, and why, is said at a run's end."""
    named = os.environ.get("TRANSOM_FIRECRACKER")
    if named and kvm_works():
        real = Path(named).absolute()
        return Programs(real, jailer_of(real), "kvm")
    why = "KVM does not work here" if named else "TRANSOM_FIRECRACKER names none"
    not_asked("the real firecracker", f"{why}; a stand-in was asked")
    folder.mkdir(exist_ok=True)
    return Programs(*firecracker_standin.install(folder, measure_khz()), "tcg")
