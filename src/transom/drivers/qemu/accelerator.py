"""What can run a virtual machine's instructions here: tried, because a `/dev/kvm` that opens may still not work."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from transom_keeper.vm.arguments import kernel_arguments, machine_arguments

KVM = Path("/dev/kvm")
TRIAL_SECONDS = 8.0
"""The image's kernel, without a root, panics within half a second under KVM. Nested KVM may hang for ever."""
TRIAL_MIB = 128
PANICKED = b"Kernel panic"


class Accelerators:
    """Remembers what was found: a trial that hangs costs its whole deadline. Blocking."""

    def __init__(self, program: Path, wanted: str) -> None:
        self._program, self._wanted = program, wanted
        self._works: dict[Path, bool] = {}

    def choose(self, kernel: Path) -> str:
        """kvm or tcg: what is wanted, and for `auto` KVM when `kernel` gets through it."""
        if self._wanted != "auto":
            return self._wanted
        return "kvm" if self.kvm_works(kernel) else "tcg"

    def kvm_works(self, kernel: Path) -> bool:
        """True when a machine with `kernel` ran under KVM."""
        if kernel not in self._works:
            self._works[kernel] = os.access(KVM, os.R_OK | os.W_OK) and _try(self._program, kernel)
        return self._works[kernel]


def _try(program: Path, kernel: Path) -> bool:
    told = [
        *(str(program), "-no-user-config", "-nodefaults", "-no-reboot", "-display", "none"),
        *machine_arguments("kvm", 1, TRIAL_MIB),
        *("-kernel", str(kernel), "-append", kernel_arguments(None)),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
    ]
    try:
        done = subprocess.run(
            told, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_SECONDS, env={}, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return PANICKED in done.stdout
