"""The descriptors a virtual machine is made of: opened while there are rights, passed on, closed with the machine."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from transom_keeper.vm import snapshot
from transom_wire.vm import VmConfig


@dataclass(slots=True)
class Files:
    """All of a machine's. `state` and `saved_overlay` are set for one that is restored."""

    kernel: int
    initramfs: int
    rootfs: int
    overlay: int
    """Readable and writable; nobody else has it."""
    state: int | None = None
    saved_overlay: int | None = None
    _all: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Let go of all. Idempotent."""
        while self._all:
            os.close(self._all.pop())


def open_files(vm: VmConfig, overlay: int) -> Files:
    """Open what `vm` names; `overlay` is closed with the rest, and when that fails. Raises OSError."""
    with contextlib.ExitStack() as undo:

        def opened(descriptor: int) -> int:
            undo.callback(os.close, descriptor)
            every.append(descriptor)
            return descriptor

        every: list[int] = []
        opened(overlay)
        read = os.O_RDONLY | os.O_CLOEXEC
        files = Files(
            kernel=opened(os.open(vm.kernel, read)),
            initramfs=opened(os.open(vm.initramfs, read)),
            rootfs=opened(os.open(vm.rootfs, read)),
            overlay=overlay,
            _all=every,
        )
        if vm.snapshot is not None:
            files.state = opened(snapshot.open_file(Path(vm.snapshot), snapshot.STATE))
            files.saved_overlay = opened(snapshot.open_file(Path(vm.snapshot), snapshot.OVERLAY))
        undo.pop_all()
        return files
