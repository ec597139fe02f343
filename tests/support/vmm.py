"""Which process is a machine's virtual machine monitor, whoever's child it is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.support.machine_lab import Lab
from tests.support.machines import descendants
from transom_helper.jailer import jail_id
from transom_keeper.sandbox import tag_of


def vmm_of(lab: Lab, machine: str) -> int | None:
    """QEMU below the machine's keeper, or Firecracker in its jail, where it is nobody's child and the first of a
    process namespace; None while there is none."""
    told = f"--id={jail_id(tag_of(lab.folder / 'any'), machine)}"
    below = {pid for own in lab.processes(machine) for pid in descendants(own)}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                pid, words = int(entry.name), Path(f"/proc/{entry.name}/cmdline").read_text().split("\0")
                if told in words and _is_first(pid):
                    return pid
                if pid in below and os.path.basename(words[0]).startswith("qemu-system"):
                    return pid
    return None


def _is_first(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
    return len(numbers) > 1 and numbers[-1] == "1"
