"""What a jailed machine is made of: had from the root helper and opened while there are rights."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from transom_keeper.firecracker.leash import Leash, hold
from transom_keeper.helper import Helper, HelperError, Jail, MachineNetwork
from transom_keeper.machine import LaunchError
from transom_keeper.sandbox import DOOR_SOCKETS, argv0
from transom_keeper.vm import snapshot
from transom_keeper.vm.arguments import vmm_limits
from transom_keeper.vm.files import Files, open_files
from transom_keeper.vm.overlay import make_named
from transom_wire.helper import StartJail
from transom_wire.keeper_config import KeeperConfig
from transom_wire.vm import CONFIG_BYTES, VmConfig

logger = logging.getLogger("keeper.firecracker")
SAVED_STATE, SAVED_MEMORY = "state.saving", "memory.saving"
"""In the machine's folder, until they are whole and are moved into the snapshot's."""


@dataclass(slots=True)
class Parts:
    """All of it. `config` is the config drive, to be written before the guest boots."""

    files: Files
    network: MachineNetwork
    jail: Jail
    leash: Leash
    config: int
    console: int
    """What the guest's console and Firecracker itself print, to be read."""
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def close(self) -> None:
        """Kill the jailed process, and let go of everything but the sockets, which who uses them closes. Idempotent."""
        self._undo.close()


def gather(config: KeeperConfig, vm: VmConfig, tag: str) -> Parts:
    """Open the machine's files, have its network made and its jail started; nothing in that runs a guest yet.

    Raises LaunchError, OSError.
    """
    owner = os.geteuid() if config.uid is None else config.uid
    helper = Helper(str(config.helper))
    with contextlib.ExitStack() as undo, contextlib.ExitStack() as failed, contextlib.ExitStack() as soon:
        overlay, overlay_path = make_named(Path(), "overlay", config.limits.disk_bytes)
        soon.callback(overlay_path.unlink)
        files = open_files(vm, overlay)
        undo.callback(files.close)
        drive, drive_for_jail = _config_drive(owner, undo, soon)
        console, console_for_jail = os.pipe()
        undo.callback(os.close, console)
        soon.callback(os.close, console_for_jail)
        snapshots = _snapshot_files(vm, files)
        for descriptor in snapshots:
            soon.callback(os.close, descriptor)
        network = _network(helper, config.machine, owner)
        try:
            undo.callback(network.leave)
            failed.callback(network.sockets.close)
            passed = [network.namespace, files.kernel, files.initramfs, files.rootfs, drive_for_jail]
            passed += [files.overlay, console_for_jail, *snapshots]
            jail = helper.start_jail(_request(config, vm, tag, owner), passed)
        except HelperError as error:
            raise LaunchError(f"the root helper makes no jail: {error}", error.mend) from error
        undo.callback(_ended(jail))
        for warning in jail.warnings:
            logger.warning("%s", warning)
        leash = hold(jail.pidfd, config.uid, argv0(config.machine, tag))
        undo.callback(leash.let_go)
        failed.pop_all()
        return Parts(files, network, jail, leash, drive, console, undo.pop_all())


def _config_drive(owner: int, undo: contextlib.ExitStack, soon: contextlib.ExitStack) -> tuple[int, int]:
    """To be written, and the jail's, which only reads it. Raises OSError."""
    drive, path = make_named(Path(), "config", CONFIG_BYTES)
    undo.callback(os.close, drive)
    soon.callback(path.unlink)
    os.fchown(drive, owner, owner)
    for_jail = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    soon.callback(os.close, for_jail)
    return drive, for_jail


def _network(helper: Helper, machine: str, owner: int) -> MachineNetwork:
    try:
        return helper.network(machine, owner, DOOR_SOCKETS, open_tap=False)
    except HelperError as error:
        raise LaunchError(f"no network for the machine: {error}", error.mend, "network") from error


def _request(config: KeeperConfig, vm: VmConfig, tag: str, owner: int) -> StartJail:
    return StartJail(
        machine=config.machine,
        tag=tag,
        owner=owner,
        limits=vmm_limits(config.limits, vm.accelerator),
        restore=vm.snapshot is not None,
        save=vm.save_snapshot is not None,
    )


def _ended(jail: Jail) -> Callable[[], None]:
    def end() -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(jail.pidfd, signal.SIGKILL)
        jail.close()

    return end


def _snapshot_files(vm: VmConfig, files: Files) -> tuple[int, ...]:
    """State and memory: to be read, to be written, or none. Raises OSError."""
    if vm.snapshot is not None:
        assert files.state is not None
        memory = snapshot.open_file(Path(vm.snapshot), snapshot.MEMORY)
        # page faults of the guest are served from it: better before they happen
        os.posix_fadvise(memory, 0, 0, os.POSIX_FADV_WILLNEED)
        return os.dup(files.state), memory
    if vm.save_snapshot is not None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(SAVED_STATE, flags, 0o600), os.open(SAVED_MEMORY, flags, 0o600)
    return ()
