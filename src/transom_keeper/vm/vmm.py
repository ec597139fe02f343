"""One run of QEMU: in its sandbox, in its control groups, with its monitor reached, or not at all."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from dataclasses import dataclass

from transom_keeper import confined, seccomp
from transom_keeper.cgroups import Groups
from transom_keeper.confined import Admit, Confined
from transom_keeper.log import GuestOutput
from transom_keeper.machine import LaunchError
from transom_keeper.vm.arguments import Shape, confinement, vmm_arguments
from transom_keeper.vm.monitor import Monitor
from transom_keeper.vm.qmp import QmpError

INFO_SECONDS = 10.0
"""From exec of bubblewrap to its word which process is the first inside."""


@dataclass(frozen=True, slots=True)
class Home:
    """What each run of one machine's QEMU has in common."""

    bwrap: str
    name: str
    """Of its outer processes, as the host's process list shows them."""
    program: str
    groups: Groups
    output: GuestOutput
    admit: Admit | None = None
    """Set where somebody else has to put it into its groups."""


@dataclass(slots=True)
class Vmm:
    """A QEMU that runs, or has."""

    inside: Confined
    monitor: Monitor

    async def kill(self) -> None:
        """End it; nothing of it runs when this returns."""
        self.monitor.close()
        await self.inside.kill()


async def start_vmm(home: Home, shape: Shape) -> Vmm:
    """Start QEMU with `shape`, whose descriptors stay the caller's. Raises LaunchError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    monitor = Monitor(ours)
    try:
        with theirs:
            inside = await _confine(home, shape, theirs.fileno())
        try:
            await monitor.open()
        except BaseException:
            await inside.kill()
            await inside.wait()
            raise
    except (OSError, KeyError, QmpError) as error:
        monitor.close()
        raise LaunchError(f"the virtual machine does not start: {because(home, error)}") from error
    except BaseException:
        monitor.close()
        raise
    return Vmm(inside, monitor)


def because(home: Home, error: Exception) -> str:
    """The error, and the VMM's own last words when it had any."""
    return f"{error}: {home.output.last}" if home.output.last else str(error)


async def _confine(home: Home, shape: Shape, monitor: int) -> Confined:
    with contextlib.ExitStack() as here:

        def kept(descriptor: int) -> int:
            here.callback(os.close, descriptor)
            return descriptor

        filter_fd = kept(confined.memory("seccomp", seccomp.program(platform.machine())))
        info_read, info_write = map(kept, os.pipe())
        block_read, block_write = map(kept, os.pipe())
        told = confinement(filter_fd, info_write, block_read, kvm=shape.accelerator == "kvm")
        command = [home.program, *vmm_arguments(shape, monitor)]
        passed = [filter_fd, info_write, block_read, monitor, *shape.descriptors]
        inside = await confined.start(home.bwrap, home.name, told, command, passed, home.groups, home.output)
        try:
            inside.init_pidfd = await confined.pidfd_of_init(info_read, INFO_SECONDS)
            if inside.init_pidfd is None:
                raise OSError("its sandbox does not come up")
            if home.admit is not None:
                await home.admit(inside.init_pidfd)
            os.write(block_write, b"\n")
        except BaseException:
            await inside.kill()
            raise
        return inside
