"""Starts one sandbox, takes its sockets in, and is there when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path

from transom_keeper import confined, seccomp
from transom_keeper.arrivals import ArrivalError, MachineSockets, receive
from transom_keeper.cgroups import Groups
from transom_keeper.confined import Confined
from transom_keeper.log import GuestOutput
from transom_keeper.machine import LaunchError
from transom_keeper.machine_id import SHOWN_AT, MachineIdFile
from transom_keeper.sandbox import (
    BOOT_ID,
    COMMAND,
    GUEST_MOUNT,
    LOOPBACK,
    ImageError,
    ImageFacts,
    arguments,
    argv0,
    fresh_boot_id,
    host_name,
    identity_files,
)
from transom_wire.keeper_config import KeeperConfig

ARRIVAL_SECONDS = 15.0
"""From exec of bubblewrap to the machine's sockets; 0.1 s on a quiet host."""


def look_at(root: Path, wanted: list[str]) -> ImageFacts:
    """What the golden root at `root` holds. Raises OSError when it cannot be entered."""
    os.stat(root / ".")
    inside = {path: root / path.lstrip("/") for path in wanted}
    opt = root / "opt"
    return ImageFacts(
        files=frozenset(path for path, real in inside.items() if real.is_file() and not real.is_symlink()),
        has_guest_mount=(root / GUEST_MOUNT.lstrip("/")).is_dir(),
        opt_empty=opt.is_dir() and not any(opt.iterdir()),
    )


@dataclass(slots=True)
class Sandbox:
    """A Machine: processes of the host's kernel, in namespaces of their own."""

    inside: Confined
    sockets: MachineSockets
    init: socket.socket
    """To the first process inside, which waits for the boot token."""
    machine_id: MachineIdFile
    agent_address: str = LOOPBACK

    async def begin(self, token: str) -> None:
        """Hand the boot token over: the guest's own code begins. Raises LaunchError."""
        with self.init:
            try:
                async with asyncio.timeout(ARRIVAL_SECONDS):
                    await asyncio.get_running_loop().sock_sendall(self.init, token.encode())
            except OSError as error:
                raise LaunchError(f"the sandbox's init is gone: {error}") from error

    def heard(self) -> None:
        """Nothing depends on it."""

    def name(self, machine_id: str) -> None:
        """Write its machine-id. Raises OSError."""
        self.machine_id.write(machine_id)

    async def wait(self) -> str:
        """Wait for the end; the words for it."""
        return ending(await self.inside.wait())

    async def kill(self) -> None:
        """End every process of the machine; they are gone when this returns."""
        await self.inside.kill()
        self.init.close()
        self.machine_id.close()

    async def save(self, token: str, folder: Path) -> None:
        """A sandbox shares its host's kernel, which saves nothing. Raises LaunchError."""
        raise LaunchError("a sandbox has no snapshots")

    def outside(self) -> int | None:
        """All of it is below the keeper."""
        return None

    def warnings(self) -> tuple[str, ...]:
        """None of its own."""
        return ()


def ending(code: int) -> str:
    """Words for the exit code of a sandbox."""
    return confined.ended_by_signal(code) or f"the guest's boot ended with status {code}"


async def launch(
    bwrap: str, config: KeeperConfig, tag: str, groups: Groups, output: GuestOutput, machine_id: MachineIdFile
) -> Sandbox:
    """Start the machine up to its init, which waits for the boot token. Raises LaunchError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    info_read, info_write = os.pipe()
    passed = [theirs.fileno(), info_write]
    try:
        told, opened = _prepare(config, theirs.fileno(), info_write)
        passed += opened
        name = argv0(config.machine, tag)
        inside = await confined.start(bwrap, name, told, COMMAND, passed, groups, output)
    except (OSError, ImageError, KeyError) as error:
        ours.close()
        os.close(info_read)
        stage = "image" if isinstance(error, ImageError) else "boot"
        raise LaunchError(f"the sandbox cannot be started: {error}", stage=stage) from error
    finally:
        theirs.close()
        for descriptor in passed[1:]:
            os.close(descriptor)
    try:
        await confined.arrived(ours.fileno(), ARRIVAL_SECONDS)
        sockets = receive(ours)
        inside.init_pidfd = await confined.pidfd_of_init(info_read, ARRIVAL_SECONDS)
        machine_id.hide()
        return Sandbox(inside, sockets, ours, machine_id)
    except (ArrivalError, TimeoutError, OSError) as error:
        await inside.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(confined.READ_SECONDS):
                await inside.reading
        ours.close()
        detail = output.last or str(error) or "it did not answer in time"
        raise LaunchError(f"the sandbox did not come up: {detail}") from error
    finally:
        os.close(info_read)


def _prepare(config: KeeperConfig, init_fd: int, info_fd: int) -> tuple[list[str], list[int]]:
    """What bubblewrap is told, and the descriptors it reads besides: the filter, and the files that are its own."""
    files = identity_files(host_name(config.machine))
    facts = look_at(Path(config.image_root), [*files, SHOWN_AT])
    filter_fd = confined.memory("seccomp", seccomp.program(platform.machine()))
    contents = {
        path: confined.memory("file", text.encode()) for path, text in files.items() if path in facts.files
    }
    contents[BOOT_ID] = confined.memory("file", fresh_boot_id().encode())
    told = arguments(config, facts, contents, init_fd=init_fd, seccomp_fd=filter_fd, info_fd=info_fd)
    return told, [filter_fd, *contents.values()]
