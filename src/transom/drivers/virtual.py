"""What the drivers of virtual machines share: the image's parts, the root helper, snapshots.

A driver of this kind says which VMM, what runs its instructions, and what a snapshot's clones must have in common.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from transom.drivers.keeper_host import SLOTS, Host
from transom.drivers.keepers import KeptDriver
from transom.drivers.restores import MOST_MADE_ANEW, Restores, Saved
from transom.drivers.snapshots import Snapshots, key_of
from transom.model.clock import now_ms
from transom.model.errors import DriverError, TransomError, Unavailable
from transom.model.ids import new_id
from transom.model.machine import DriverFlags, MachineSpec, MachineState
from transom.model.ports import KeeperChannel
from transom_keeper.keeper import SAVED
from transom_keeper.vm.snapshot import SnapshotError
from transom_wire.control import MachineExited
from transom_wire.exit import NO_ROUTE
from transom_wire.keeper_config import KeeperConfig, Limits
from transom_wire.vm import VmConfig

log = logging.getLogger(__name__)
KERNEL, INITRAMFS, ROOTFS = "vmlinux", "initramfs.cpio", "rootfs.squashfs"
SAVE_SECONDS = 600.0
"""To boot a machine for a snapshot and save it: half a minute quiet and emulated."""
SAVE_SLOT = SLOTS - 1
SNAPSHOT = "snapshot"
"""In the folder of the machine that makes it."""


class Images(Protocol):
    """Where golden images are. Every call may raise TransomError."""

    def part(self, digest: str, name: str) -> Path: ...
    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path: ...
    def guest_code(self, digest: str, guest: Path) -> Path: ...


@dataclass(frozen=True, slots=True)
class VmOptions:
    """What an operator chose for all virtual machines."""

    program: Path
    """The VMM."""
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
    """A Driver but for `probe`, and what is one VMM's own."""

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
        super().__init__(replace(host, helper=options.helper))
        self._images, self._options, self._current_image = images, options, current_image
        self._snapshots = Snapshots(options.state / "snapshots" / self.name)
        self.restores = Restores()
        self._saving: dict[str, Path] = {}
        self._one_save = asyncio.Lock()
        self._cold: dict[str, str] = {}
        """Machines that are booted though there is a snapshot, and why."""

    def _accelerator(self, kernel: Path) -> str:
        """kvm or tcg. May block."""
        raise NotImplementedError

    def _hardware(self, spec: MachineSpec) -> Mapping[str, object]:
        """What a saved machine must find again as it was, besides what every VMM asks. May block."""
        raise NotImplementedError

    async def prepare(self, image: str) -> None:
        """Save a warm machine of `image`, unless that is done. Raises DriverError."""
        async with self._one_save:
            spec = self._saving_spec(image)
            key = await asyncio.to_thread(self._key, spec)
            if await asyncio.to_thread(self._snapshots.find, key) is not None:
                return
            if self.restores.hopeless(key):
                raise DriverError(f"{MOST_MADE_ANEW} snapshots woke nothing up here: machines are booted")
            made = self._folder / spec.machine / SNAPSHOT
            self._saving[spec.machine] = made
            try:
                await self.create(spec)
                await self._saved(spec.machine)
                await asyncio.to_thread(self._snapshots.adopt, made, key, self._made_of(image))
            except (OSError, SnapshotError) as error:
                raise DriverError(f"the snapshot cannot be kept: {error}") from error
            finally:
                await self.destroy(spec.machine, keep_folder=False)
                del self._saving[spec.machine]

    async def create(self, spec: MachineSpec) -> None:
        """Make the machine; return once its keeper answers. Raises DriverError."""
        await super().create(spec)
        self.restores.started(spec.machine)

    async def attach(self, machine: str) -> KeeperChannel:
        """Become the machine's controller, and hear what came of a clone. Raises Unavailable."""
        found = await super().attach(machine)
        try:
            await self._set_aside(self.restores.seen(machine, found.snapshot))
        except BaseException:
            await found.close()
            raise
        return found

    async def destroy(self, machine: str, *, keep_folder: bool) -> None:
        """End the machine, remove what it left. Raises DriverError when something will not go."""
        await self._set_aside(self.restores.over(machine, failed=keep_folder))
        await super().destroy(machine, keep_folder=keep_folder)

    async def _set_aside(self, bad: Saved | None) -> None:
        """A snapshot that woke nothing up is offered no longer, and `prepare` makes another."""
        if bad is not None and await asyncio.to_thread(self._snapshots.set_aside, bad.key, bad.token):
            self.restores.gave_up(bad)
            log.warning("the snapshot %s woke nothing up and is set aside: another is made", bad.key)

    async def sweep(self, images: Collection[str]) -> None:
        """And snapshots of images that are gone."""
        await super().sweep(images)
        await asyncio.to_thread(self._snapshots.sweep, {self._made_of(image) for image in images})

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
        options, made = self._options, self._saving.get(spec.machine)
        kernel, rootfs = self._part(spec.image, KERNEL), self._part(spec.image, ROOTFS)
        vm = VmConfig(
            vmm=str(options.program),
            accelerator=self._accelerator(kernel),
            kernel=str(kernel),
            initramfs=str(self._initramfs(spec.image)),
            rootfs=str(rootfs),
            cpus=options.cpus,
            save_snapshot=None if made is None else str(made),
            booted_for=self._cold.get(spec.machine, ""),
        )
        config = replace(config, image_root=str(kernel.parent), helper=str(options.helper), vm=vm)
        if spec.session is not None or made is not None or spec.machine in self._cold:
            return config
        found = self._snapshots.find(key := self._key(spec))
        if found is None:
            return config
        self.restores.began(spec.machine, Saved(key, found[1]))
        return replace(config, vm=replace(vm, snapshot=str(found[0])), boot_token=found[1])

    def _made_of(self, image: str) -> str:
        """What a snapshot is kept for: an image, and this guest code."""
        return f"{image} {self._host.guest_source.name}"

    def _key(self, spec: MachineSpec) -> str:
        """What the snapshot for `spec` is called. Blocking. Raises DriverError."""
        facts = {
            "image": spec.image,
            "guest": self._host.guest_source.name,
            "program": spec.program,
            "memory": spec.limits.memory_bytes,
            "disk": spec.limits.disk_bytes,
            "cpus": self._options.cpus,
        }
        return key_of({**facts, **self._hardware(spec)})

    def _initramfs(self, digest: str) -> Path:
        cache = self._options.state / "guest"
        try:
            return self._images.initramfs_with(digest, self._guest(self._images, digest), cache).absolute()
        except (OSError, LookupError, ValueError, TransomError) as error:
            raise _no_image(error) from error

    def _image(self, digest: str) -> Path:
        return self._part(digest, KERNEL).parent

    def _part(self, digest: str, name: str) -> Path:
        try:
            return self._images.part(digest, name).absolute()
        except (OSError, LookupError, ValueError, TransomError) as error:
            raise _no_image(error) from error

    def _needs_helper(self) -> bool:
        return self.helper_has_remains or not runs_as_root()


def _no_image(error: Exception) -> DriverError:
    return DriverError(
        f"the image cannot be used: {error}",
        mend=getattr(error, "mend", "") or "transom image build",
        stage="image",
    )


def host_cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Model and features of the host's first processor: a state saved on one may not run on another."""
    try:
        lines = cpuinfo.read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return ""
    wanted = ("model name", "flags", "microcode", "stepping")
    return "\n".join(line for line in lines if line.partition(":")[0].strip() in wanted)


def runs_as_root() -> bool:
    """Whether keepers make their own control groups, and the root helper none for them."""
    return os.geteuid() == 0
