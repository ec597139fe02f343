"""Machines as jailed Firecracker microVMs on the controller's own host, each under a keeper of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from transom.drivers.firecracker.probe import Facts, gather, judge, version_of
from transom.drivers.keeper_host import Host
from transom.drivers.virtual import INITRAMFS, KERNEL, ROOTFS, Images, VirtualDriver, VmOptions, host_cpu
from transom.model.errors import DriverError
from transom.model.machine import MachineSpec, Probe
from transom_keeper.firecracker import bodies
from transom_keeper.log import clean
from transom_wire.keeper_config import KeeperConfig

log = logging.getLogger(__name__)
REASON_CHARACTERS = 300
"""Of why a restore failed, as its session is told."""


class FirecrackerDriver(VirtualDriver):
    """A Driver; see `drivers/contract.py` for the promises. The jail is the root helper's, whoever the controller
    is; so whatever is left of a machine, the helper is asked."""

    name = "firecracker"
    helper_has_remains = True

    def __init__(
        self,
        host: Host,
        images: Images,
        options: VmOptions,
        current_image: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(host, images, options, current_image)
        self._restored: set[str] = set()
        """Machines whose keeper was told to restore."""

    async def probe(self) -> Probe:
        """Say whether this host can; with a current image, whether it has all its parts."""
        return judge(await asyncio.to_thread(self._gather))

    def _gather(self) -> Facts:
        options, digest = self._options, self._current_image()
        lacking = (
            [] if digest is None else [self._lacks(digest, each) for each in (KERNEL, INITRAMFS, ROOTFS)]
        )
        return gather(
            options.program,
            str(options.helper),
            tuple(each for each in lacking if each),
            kvm=options.accelerator != "tcg",
        )

    def _lacks(self, digest: str, name: str) -> str:
        """Why a part of the image cannot be used; empty when it can."""
        try:
            self._part(digest, name)
        except DriverError as error:
            return str(error)
        return ""

    async def create(self, spec: MachineSpec) -> None:
        """Make the machine; a clone that does not wake up is booted instead. Raises DriverError."""
        self._restored.discard(spec.machine)
        try:
            await super().create(spec)
        except DriverError as error:
            if spec.machine not in self._restored:
                raise
            log.warning("machine %s is booted, for its restore failed: %s", spec.machine, error)
            self._cold[spec.machine] = clean(str(error).encode())[:REASON_CHARACTERS]
            await super().create(spec)
        finally:
            self._restored.discard(spec.machine)
            self._cold.pop(spec.machine, None)

    def _describe(self, spec: MachineSpec, config: KeeperConfig) -> KeeperConfig:
        described = super()._describe(spec, config)
        if described.vm is not None and described.vm.snapshot is not None:
            self._restored.add(spec.machine)
        return described

    def _accelerator(self, kernel: Path) -> str:
        """KVM, or nothing: `tcg` is what a stand-in for Firecracker is told in tests."""
        return "tcg" if self._options.accelerator == "tcg" else "kvm"

    def _hardware(self, spec: MachineSpec) -> dict[str, object]:
        requests = bodies.boot(self._options.cpus, spec.limits.memory_bytes)
        return {
            "vmm": str(version_of(self._options.program)),
            "machine": [[each.path, each.body] for each in requests],
            "cpu": host_cpu(),
        }
