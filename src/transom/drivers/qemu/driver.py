"""Machines as QEMU microvms on the controller's own host, each under a keeper of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from transom.drivers.keeper_host import Host
from transom.drivers.namespace import probe as sandboxes
from transom.drivers.qemu.accelerator import Accelerators
from transom.drivers.qemu.probe import Facts, ask_helper, judge
from transom.drivers.version import version_line
from transom.drivers.virtual import KERNEL, ROOTFS, Images, VirtualDriver, VmOptions, host_cpu, runs_as_root
from transom.model.errors import DriverError
from transom.model.machine import MachineSpec, Probe
from transom_keeper.vm.arguments import EMULATED_CPU, machine_arguments

MIB = 2**20


class QemuDriver(VirtualDriver):
    """A Driver; see `drivers/contract.py` for the promises."""

    name = "qemu"

    def __init__(
        self,
        host: Host,
        images: Images,
        options: VmOptions,
        current_image: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(host, images, options, current_image)
        self._accelerators = Accelerators(options.program, options.accelerator)

    async def probe(self) -> Probe:
        """Say whether this host can; with a current image, whether it has all its parts and KVM runs it."""
        return judge(await asyncio.to_thread(self._gather))

    def _gather(self) -> Facts:
        options = self._options
        sandbox = sandboxes.gather(self._host.uid(0), (self._host.guest_source,))
        missing, kvm_works = self._look_at_image()
        helper, unlimited = ask_helper(options.helper)
        return Facts(
            # where the controller is not root, the root helper makes the groups
            sandbox=sandbox if runs_as_root() else replace(sandbox, uncontrolled=()),
            program=str(options.program),
            version=version_line(options.program),
            helper=helper,
            unlimited=() if runs_as_root() else unlimited,
            missing=missing,
            accelerator=options.accelerator,
            kvm_works=kvm_works,
        )

    def _look_at_image(self) -> tuple[tuple[str, ...], bool | None]:
        """What of the current image is not there, and whether its kernel gets through KVM."""
        digest = self._current_image()
        if digest is None:
            return (), None
        try:
            kernel, _ = self._part(digest, KERNEL), self._part(digest, ROOTFS)
        except DriverError as error:
            return (error.message,), None
        tried = self._options.accelerator != "tcg"
        return (), self._accelerators.kvm_works(kernel) if tried else None

    def _accelerator(self, kernel: Path) -> str:
        return self._accelerators.choose(kernel)

    def _hardware(self, spec: MachineSpec) -> Mapping[str, object]:
        accelerator = self._accelerators.choose(self._part(spec.image, KERNEL))
        memory_mib = spec.limits.memory_bytes // MIB
        return {
            "vmm": version_line(self._options.program),
            "machine": machine_arguments(accelerator, self._options.cpus, memory_mib),
            "cpu": EMULATED_CPU if accelerator == "tcg" else host_cpu(),
        }
