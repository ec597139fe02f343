"""Starts one sandbox, takes its sockets in, and is there when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import secrets
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from transom_keeper import seccomp
from transom_keeper.arrivals import ArrivalError, MachineSockets, receive
from transom_keeper.cgroups import Groups
from transom_keeper.log import GuestOutput
from transom_keeper.machine import LaunchError
from transom_keeper.privileges import limit_resources
from transom_keeper.sandbox import (
    COMMAND,
    GUEST_MOUNT,
    LOOPBACK,
    ImageError,
    ImageFacts,
    arguments,
    argv0,
    identity_files,
)
from transom_wire.control import KeeperConfig

ARRIVAL_SECONDS = 15.0
"""From exec of bubblewrap to the machine's sockets; 0.1 s on a quiet host."""
KILL_SECONDS = 5.0
LINE_BYTES = 4096


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
    """A running bubblewrap: the process, the first process inside, and what they print."""

    process: asyncio.subprocess.Process
    output: GuestOutput
    sockets: MachineSockets
    init: socket.socket
    """To the first process inside, which waits for the boot token."""
    init_pidfd: int | None
    reading: asyncio.Task[None]
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

    async def save(self, token: str, folder: Path) -> None:
        """A sandbox shares its host's kernel, which saves nothing. Raises LaunchError."""
        raise LaunchError("a sandbox has no snapshots")

    def warnings(self) -> tuple[str, ...]:
        """None of its own."""
        return ()

    async def wait(self) -> str:
        """Wait for the end; the words for it."""
        code = await self.process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self.reading
        return ending(code)

    async def kill(self) -> None:
        """End every process of the machine; they are gone when this returns."""
        if self.init_pidfd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.init_pidfd, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KILL_SECONDS):
                    await self.process.wait()
        await end(self.process)
        self.close()

    def close(self) -> None:
        """Let go of the first process's descriptors."""
        self.init.close()
        if self.init_pidfd is not None:
            os.close(self.init_pidfd)
            self.init_pidfd = None


def ending(code: int) -> str:
    """Words for an exit code: negative is a signal, and so is 128 and more from inside."""
    number = -code if code < 0 else code - 128
    if 0 < number < signal.NSIG:
        return f"killed by signal {number}"
    return f"the guest's boot ended with status {code}"


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill `process` if it lives, and wait for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await process.wait()


async def launch(bwrap: str, config: KeeperConfig, tag: str, groups: Groups, output: GuestOutput) -> Sandbox:
    """Start the machine up to its init, which waits for the boot token. Raises LaunchError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    info_read, info_write = os.pipe()
    passed = [theirs.fileno(), info_write]
    try:
        passed += _prepare(config, theirs.fileno(), info_write)
        process = await _spawn(bwrap, argv0(config.machine, tag), passed, groups)
    except (OSError, ImageError, KeyError) as error:
        ours.close()
        os.close(info_read)
        raise LaunchError(f"the sandbox cannot be started: {error}") from error
    finally:
        theirs.close()
        for descriptor in passed[1:]:
            os.close(descriptor)
    reading = asyncio.get_running_loop().create_task(_read_lines(process, output))
    try:
        sockets = await _arrivals(ours, process)
        return Sandbox(process, output, sockets, ours, _pidfd_of_init(info_read), reading)
    except (ArrivalError, TimeoutError, OSError) as error:
        await end(process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await reading
        ours.close()
        detail = output.last or str(error) or "it did not answer in time"
        raise LaunchError(f"the sandbox did not come up: {detail}") from error
    finally:
        os.close(info_read)


def _prepare(config: KeeperConfig, init_fd: int, info_fd: int) -> list[int]:
    """Descriptors bubblewrap reads: the arguments first, then the filter and the files of /etc."""
    files = identity_files(secrets.token_hex(16))
    facts = look_at(Path(config.image_root), list(files))
    filter_fd = _memory("seccomp", seccomp.program(platform.machine()))
    contents = {path: _memory("file", text.encode()) for path, text in files.items() if path in facts.files}
    told = arguments(config, facts, contents, init_fd=init_fd, seccomp_fd=filter_fd, info_fd=info_fd)
    arguments_fd = _memory("arguments", b"".join(each.encode() + b"\0" for each in told))
    return [arguments_fd, filter_fd, *contents.values()]


def _memory(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


async def _spawn(bwrap: str, name: str, passed: list[int], groups: Groups) -> asyncio.subprocess.Process:
    def enter() -> None:
        groups.join()
        limit_resources()

    return await asyncio.create_subprocess_exec(
        name,
        "--args",
        str(passed[2]),
        "--",
        *COMMAND,
        executable=bwrap,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=passed,
        preexec_fn=enter,
        env={},
        cwd="/",
        limit=LINE_BYTES,
    )


async def _arrivals(ours: socket.socket, process: asyncio.subprocess.Process) -> MachineSockets:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()
    loop.add_reader(ours, _settle, arrived)
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            await arrived
    finally:
        loop.remove_reader(ours)
    return receive(ours)


def _settle(arrived: asyncio.Future[None]) -> None:
    if not arrived.done():
        arrived.set_result(None)


def _pidfd_of_init(info: int) -> int | None:
    """Of the process inside whose end is the end of all others; bubblewrap said which before it ran us."""
    os.set_blocking(info, False)
    try:
        return os.pidfd_open(int(json.loads(os.read(info, 4096))["child-pid"]))
    except (OSError, ValueError, KeyError):
        return None


async def _read_lines(process: asyncio.subprocess.Process, output: GuestOutput) -> None:
    """Read all the guest prints, whatever it is, so that it never blocks."""
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            line = await process.stdout.readexactly(max(error.consumed, 1))
        except (asyncio.IncompleteReadError, OSError) as error:
            output.feed(getattr(error, "partial", b""))
            return
        output.feed(line.rstrip(b"\r\n"))
