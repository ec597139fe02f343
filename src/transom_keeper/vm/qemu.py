"""A machine as a QEMU microvm in a sandbox: booted, or restored from a snapshot and booted where that fails."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from transom_keeper import arrivals, confined
from transom_keeper.cgroups import Groups
from transom_keeper.helper import Helper, HelperError, MachineNetwork
from transom_keeper.log import GuestOutput
from transom_keeper.machine import Launcher, LaunchError
from transom_keeper.sandbox import DOOR_SOCKETS, argv0
from transom_keeper.vm import snapshot
from transom_keeper.vm.arguments import Drives, Shape, vmm_limits
from transom_keeper.vm.config_drive import describe, encode_drive
from transom_keeper.vm.files import Files, open_files
from transom_keeper.vm.overlay import copy_sparse, empty, make_overlay
from transom_keeper.vm.qmp import QmpError
from transom_keeper.vm.tsc import measure_khz
from transom_keeper.vm.vmm import Home, Vmm, because, start_vmm
from transom_wire.keeper_config import KeeperConfig
from transom_wire.vm import GATEWAY, GUEST, VmConfig

logger = logging.getLogger("keeper.qemu")

HEARD_SECONDS = {"kvm": 10.0, "tcg": 40.0}
"""A restored guest dials within a second, under emulation on a busy host within ten. One that has not by then
is booted instead."""
SETTLE_SECONDS = 0.3
"""Between the guest's last word on the link and its stop: its kernel has done with those connections."""


@dataclass(slots=True)
class QemuMachine:
    """A Machine. What it was started from may change once: a restore that fails becomes a boot."""

    config: KeeperConfig
    vm: VmConfig
    home: Home
    network: MachineNetwork
    files: Files
    agent_address: str = GUEST
    _vmm: Vmm | None = None
    _token: str = ""
    _restored: bool = False
    _killed: bool = False
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _warnings: list[str] = field(default_factory=list)

    @property
    def sockets(self) -> arrivals.MachineSockets:
        """The ways in and out."""
        return self.network.sockets

    async def begin(self, token: str) -> None:
        """Restore the machine, or boot it. Raises LaunchError."""
        self._token = token
        try:
            if self.files.state is not None:
                await self._restore(self.files.state)
                return
        except LaunchError as error:
            await self._fall_back(str(error))
        await self._boot()

    def heard(self) -> None:
        """The guest lives: a restore has worked."""
        self._heard.set()

    def name(self, machine_id: str) -> None:
        """Its own root does."""

    async def wait(self) -> str:
        """Wait for the end; the words for it. A restored guest that says nothing is booted meanwhile."""
        while True:
            assert self._vmm is not None
            ended = asyncio.ensure_future(self._vmm.inside.wait())
            if not self._restored or await self._proved(ended):
                code = await ended
                return confined.ended_by_signal(code) or f"the virtual machine ended with status {code}"
            await self._fall_back("the restored guest says nothing")
            await ended
            try:
                await self._boot()
            except LaunchError as error:
                return str(error)

    async def kill(self) -> None:
        """End every process of the machine, and let go of its network; they are gone when this returns. Its sockets
        are closed by who listens on them."""
        before, self._killed = self._killed, True
        if self._vmm is not None:
            await self._vmm.kill()
        self.files.close()
        if not before:
            self.network.leave()

    def outside(self) -> int | None:
        """All of it is below the keeper."""
        return None

    def warnings(self) -> tuple[str, ...]:
        """Whether it is not what it should have been."""
        return tuple(self._warnings)

    async def save(self, token: str, folder: Path) -> None:
        """Stop the machine and write it to `folder`. Raises LaunchError."""
        assert self._vmm is not None
        await asyncio.sleep(SETTLE_SECONDS)
        try:
            new = snapshot.NewSnapshot(folder)
        except OSError as error:
            raise LaunchError(f"no folder for the snapshot: {error}") from error
        try:
            await self._vmm.monitor.ask("stop")
            with os.fdopen(new.create(snapshot.STATE), "wb") as state:
                await self._vmm.monitor.save(state.fileno())
            with os.fdopen(new.create(snapshot.OVERLAY), "wb") as overlay:
                await asyncio.to_thread(copy_sparse, self.files.overlay, overlay.fileno())
            await asyncio.to_thread(new.finish, token)
        except (QmpError, OSError) as error:
            raise LaunchError(str(error)) from error
        finally:
            new.discard()

    async def _boot(self) -> None:
        if self._killed:
            raise LaunchError("the machine is not wanted any more")
        self._vmm = await self._start(None)

    async def _restore(self, state: int) -> None:
        assert self.files.saved_overlay is not None
        try:
            await asyncio.to_thread(copy_sparse, self.files.saved_overlay, self.files.overlay)
        except OSError as error:
            raise LaunchError(f"the saved disk cannot be copied: {error}") from error
        self._vmm = await self._start(state)
        try:
            await self._vmm.monitor.load(state)
        except QmpError as error:
            raise LaunchError(because(self.home, error)) from error
        self._restored = True

    async def _start(self, state: int | None) -> Vmm:
        try:
            drive = encode_drive(describe(self.config, self._token, secrets.token_hex(16)))
            config = confined.memory("config", drive)
            try:
                return await start_vmm(self.home, await self._shape(config, state))
            finally:
                os.close(config)
        except (OSError, ValueError) as error:
            raise LaunchError(f"the virtual machine cannot be started: {error}") from error

    async def _shape(self, config: int, state: int | None) -> Shape:
        if self.network.tap is None:
            raise ValueError("the root helper gave no TAP")
        files, emulated = self.files, self.vm.accelerator == "tcg"
        return Shape(
            accelerator=self.vm.accelerator,
            cpus=self.vm.cpus,
            memory_bytes=self.config.limits.memory_bytes,
            drives=Drives(files.kernel, files.initramfs, files.rootfs, config, files.overlay),
            tap=self.network.tap,
            tsc_khz=await asyncio.to_thread(measure_khz) if emulated else None,
            state=state,
        )

    async def _proved(self, ended: asyncio.Future[int]) -> bool:
        """Whether a restored guest is to be kept: it has dialled, or somebody wants it to end."""
        heard = asyncio.ensure_future(self._heard.wait())
        limit = HEARD_SECONDS[self.vm.accelerator]
        both: set[asyncio.Future[Any]] = {heard, ended}
        await asyncio.wait(both, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        return self._heard.is_set() or self._killed

    async def _fall_back(self, reason: str) -> None:
        """Be as if nothing had been restored."""
        logger.warning("the machine is booted, not restored: %s", reason)
        self._warnings.append(f"{snapshot.BOOTED}restore failed: {reason}")
        self._restored = False
        if self._vmm is not None:
            await self._vmm.kill()
        try:
            await asyncio.to_thread(empty, self.files.overlay)
        except OSError as error:
            raise LaunchError(f"the machine's disk cannot be emptied: {error}") from error


def prepare(config: KeeperConfig, tag: str, groups: Groups, output: GuestOutput) -> Launcher:
    """Get and open all that wants rights. Raises LaunchError, OSError."""
    bwrap = shutil.which("bwrap")
    if bwrap is None or config.vm is None or config.helper is None:
        raise LaunchError("a virtual machine needs bubblewrap, its own settings, and the root helper")
    helper = Helper(config.helper)
    admit = partial(_admit, helper, config, tag, groups) if os.geteuid() != 0 else None
    home = Home(bwrap, argv0(config.machine, tag), config.vm.vmm, groups, output, admit)
    files, warnings = _open(config, config.vm)
    try:
        network = _network(helper, config)
    except LaunchError:
        files.close()
        raise
    machine = QemuMachine(config, config.vm, home, network, files, _warnings=warnings)

    async def launch() -> QemuMachine:
        return machine

    return launch


def _open(config: KeeperConfig, vm: VmConfig) -> tuple[Files, list[str]]:
    """The machine's files, and what is weaker with them: a snapshot that has gone since it was found is none.
    Raises OSError."""
    disk = config.limits.disk_bytes
    try:
        return open_files(vm, make_overlay(Path(), disk)), []
    except OSError as error:
        if vm.snapshot is None:
            raise
        reason = f"{snapshot.BOOTED}snapshot cannot be opened: {error.strerror}"
        logger.warning("the machine is %s", reason)
        return open_files(replace(vm, snapshot=None), make_overlay(Path(), disk)), [reason]


def _network(helper: Helper, config: KeeperConfig) -> MachineNetwork:
    owner = os.geteuid() if config.uid is None else config.uid
    try:
        network = helper.network(config.machine, owner, DOOR_SOCKETS, open_tap=True)
        sockets = network.sockets
        arrivals.check([sockets.link, sockets.forwarder, *sockets.door], GATEWAY)
    except (HelperError, arrivals.ArrivalError) as error:
        mend = getattr(error, "mend", "")
        raise LaunchError(f"no network for the machine: {error}", mend, "network") from error
    return network


async def _admit(helper: Helper, config: KeeperConfig, tag: str, groups: Groups, pidfd: int) -> None:
    """Have the root helper put the VMM into groups of its own. What cannot be had is a warning."""
    assert config.vm is not None
    limits = vmm_limits(config.limits, config.vm.accelerator)
    try:
        warnings = await asyncio.to_thread(helper.group, config.machine, tag, limits, pidfd)
    except HelperError as error:
        warnings = (f"no limits: {error}",)
    for warning in warnings:
        logger.warning("%s", warning)
    groups.warnings.extend(warnings)
