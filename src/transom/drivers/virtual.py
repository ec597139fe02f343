"""What the drivers share that make virtual machines: the image's parts, clones of a saved machine, the root helper.

A driver of this kind says what runs a machine's instructions, what of its hardware a saved machine must find again,
and whether its host can.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from transom.drivers.keepers import SLOTS, Host, KeptDriver
from transom.drivers.snapshots import Snapshots, key_of
from transom.model.clock import now_ms
from transom.model.errors import DriverError, TransomError, Unavailable
from transom.model.ids import new_id
from transom.model.machine import DriverFlags, MachineSpec, MachineState
from transom_keeper.helper import Helper, HelperError
from transom_keeper.keeper import SAVED
from transom_keeper.sandbox import tag_of
from transom_keeper.vm.snapshot import SnapshotError
from transom_wire.control import KeeperConfig, Limits, MachineExited
from transom_wire.exit import NO_ROUTE
from transom_wire.vm import VmConfig

log = logging.getLogger(__name__)
KERNEL, INITRAMFS, ROOTFS = "vmlinux", "initramfs.cpio", "rootfs.squashfs"
SAVE_SECONDS = 600.0
"""To boot a machine for a snapshot and save it: half a minute quiet and emulated."""
SAVE_SLOT = SLOTS - 1
SNAPSHOT = "snapshot"
"""In the folder of the machine that makes it."""


class Images(Protocol):
    """Where golden images are."""

    def folder_of(self, digest: str) -> Path: ...
    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path: ...


@dataclass(frozen=True, slots=True)
class VmOptions:
    """What an operator chose for all virtual machines."""

    program: Path
    """The VMM's."""
    helper: Path
    state: Path
    """The controller's state folder: snapshots and initramfs archives are kept in it."""
    limits: Limits
    """Of the machines that `prepare` makes ready."""
    size: tuple[int, int]
    accelerator: str = "auto"
    """auto, kvm or tcg."""
    cpus: int = 2
    desktop: str = "browser"
    """browser or terminal."""


class VirtualDriver(KeptDriver):
    """A Driver but for `probe` and the hardware; see `drivers/contract.py`."""

    flags = DriverFlags(warm=True, snapshot=True, own_kernel=True)
    helper_has_remains = False
    """True: the root helper makes more of a machine than its network, for a controller that is root as well."""

    def __init__(
        self,
        host: Host,
        images: Images,
        options: VmOptions,
        current_image: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(host)
        self._images, self._options, self._current_image = images, options, current_image
        self._snapshots = Snapshots(options.state / "snapshots")
        self._saving: dict[str, Path] = {}
        self._one_save = asyncio.Lock()
        self._cold: set[str] = set()
        """Machines that are booted though there is a snapshot."""

    def _accelerator(self, kernel: Path) -> str:
        """What runs the instructions of a machine with `kernel`: kvm or tcg. Blocking."""
        raise NotImplementedError

    def _hardware(self, spec: MachineSpec) -> dict[str, object]:
        """What a saved machine must find again as it was. Blocking. Raises DriverError."""
        raise NotImplementedError

    async def prepare(self, image: str) -> None:
        """Save a warm machine of `image`, unless that is done. Raises DriverError."""
        async with self._one_save:
            spec = self._saving_spec(image)
            key = await asyncio.to_thread(self._key, spec)
            if await asyncio.to_thread(self._snapshots.find, key) is not None:
                return
            made = self._folder / spec.machine / SNAPSHOT
            self._saving[spec.machine] = made
            try:
                await self.create(spec)
                await self._saved(spec.machine)
                await asyncio.to_thread(self._snapshots.adopt, made, key)
            except (OSError, SnapshotError) as error:
                raise DriverError(f"the snapshot cannot be kept: {error}") from error
            finally:
                await self.destroy(spec.machine, keep_folder=False)
                del self._saving[spec.machine]

    async def observe(self) -> Mapping[str, MachineState]:
        """Every machine that anything is left of, but the one `prepare` is about to save."""
        found = await super().observe()
        return {machine: state for machine, state in found.items() if machine not in self._saving}

    def _saving_spec(self, image: str) -> MachineSpec:
        width, height = self._options.size
        return MachineSpec(
            machine=new_id("mch"),
            session=None,
            slot=SAVE_SLOT,
            image=image,
            width=width,
            height=height,
            start_url="about:blank",
            exit=NO_ROUTE,
            deadline=now_ms() + int(SAVE_SECONDS * 1000),
            limits=self._options.limits,
            program=self._options.desktop,
        )

    async def _saved(self, machine: str) -> None:
        """Wait for the end of a machine that saves itself. Raises DriverError."""
        reason = "its keeper is gone"
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                channel = await self.attach(machine)
                try:
                    async for message in channel.messages():
                        if isinstance(message, MachineExited):
                            reason = message.reason
                            break
                finally:
                    await channel.close()
        except (TimeoutError, Unavailable) as error:
            raise DriverError(f"no snapshot was made: {error or 'it took too long'}") from error
        if reason != SAVED:
            raise DriverError(f"no snapshot was made: {reason}")

    def _describe(self, spec: MachineSpec, config: KeeperConfig) -> KeeperConfig:
        folder, options = self._image(spec.image), self._options
        cache = options.state / "guest"
        try:
            initramfs = self._images.initramfs_with(spec.image, self._host.guest_source, cache)
        except (OSError, LookupError, ValueError) as error:
            raise DriverError(f"the initramfs cannot be made: {error}", mend="transom image build") from error
        made = self._saving.get(spec.machine)
        vm = VmConfig(
            vmm=str(options.program),
            accelerator=self._accelerator(folder / KERNEL),
            kernel=str(folder / KERNEL),
            initramfs=str(initramfs),
            rootfs=str(folder / ROOTFS),
            cpus=options.cpus,
            save_snapshot=None if made is None else str(made),
        )
        config = replace(config, image_root=str(folder), helper=str(options.helper), vm=vm)
        if spec.session is not None or made is not None or spec.machine in self._cold:
            return config
        found = self._snapshots.find(self._key(spec))
        if found is None:
            return config
        return replace(config, vm=replace(vm, snapshot=str(found[0])), boot_token=found[1])

    def _key(self, spec: MachineSpec) -> str:
        """What the snapshot for `spec` is called. Blocking. Raises DriverError."""
        return key_of(
            {
                "driver": self.name,
                "image": spec.image,
                "guest": self._host.guest_source.name,
                "disk": spec.limits.disk_bytes,
                **self._hardware(spec),
            }
        )

    def _image(self, digest: str) -> Path:
        try:
            return self._images.folder_of(digest).absolute()
        except (OSError, LookupError, ValueError, TransomError) as error:
            raise DriverError(f"the image cannot be read: {error}", mend="transom image build") from error

    @property
    def _tag(self) -> str:
        return tag_of(self._folder / "any")

    def _asks_helper(self) -> bool:
        return self.helper_has_remains or os.geteuid() != 0

    def _elsewhere(self) -> frozenset[str]:
        if not self._asks_helper():
            return frozenset()
        try:
            return frozenset(Helper(str(self._options.helper)).survey(self._tag).machines)
        except HelperError as error:
            log.warning("what is left of machines cannot be asked: %s", error)
            return frozenset()

    def _remove_elsewhere(self, machine: str) -> None:
        if not self._asks_helper():
            return
        try:
            Helper(str(self._options.helper)).remove(machine, self._tag)
        except HelperError as error:
            raise DriverError(f"its control groups do not go: {error}", mend=error.mend) from error


def host_cpu() -> str:
    """Model and features of the host's first processor: a state saved on one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return ""
    wanted = ("model name", "flags", "microcode", "stepping")
    return "\n".join(line for line in lines if line.partition("\t")[0].strip() in wanted)
