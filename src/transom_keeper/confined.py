"""A program in bubblewrap: started in its control groups, read whatever it prints, ended with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from transom_keeper.cgroups import Groups
from transom_keeper.log import GuestOutput
from transom_keeper.privileges import limit_resources

KILL_SECONDS = 5.0
READ_SECONDS = 1.0
"""For what it printed last, once it has ended."""
LINE_BYTES = 4096
INFO_BYTES = 4096

Admit = Callable[[int], Awaitable[None]]
"""Puts the process of a pidfd where it belongs, before it runs."""


@dataclass(slots=True)
class Confined:
    """A running bubblewrap: the process, the first process inside, and what they print."""

    process: asyncio.subprocess.Process
    output: GuestOutput
    reading: asyncio.Task[None]
    init_pidfd: int | None = None

    async def wait(self) -> int:
        """Wait for the end; its exit code, negative for a signal."""
        code = await self.process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                await asyncio.shield(self.reading)
        return code

    async def kill(self) -> None:
        """End every process in it; they are gone when this returns."""
        if self.init_pidfd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.init_pidfd, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KILL_SECONDS):
                    await self.process.wait()
        await end(self.process)
        if self.init_pidfd is not None:
            os.close(self.init_pidfd)
            self.init_pidfd = None


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill `process` if it lives, and wait for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await process.wait()


def ended_by_signal(code: int) -> str | None:
    """Words for an exit code that tells of a signal: negative, or 128 and more from inside."""
    number = -code if code < 0 else code - 128
    return f"killed by signal {number}" if 0 < number < signal.NSIG else None


def memory(name: str, content: bytes) -> int:
    """A descriptor to read `content` from, and for nothing else. Raises OSError."""
    with os.fdopen(os.memfd_create(name), "wb") as file:
        file.write(content)
        file.flush()
        return os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)


async def start(
    bwrap: str,
    name: str,
    told: Sequence[str],
    command: Sequence[str],
    passed: Sequence[int],
    groups: Groups,
    output: GuestOutput,
) -> Confined:
    """Execute bubblewrap as `name`, with `told` as its arguments and `command` inside; `passed` are the
    descriptors that both inherit. Raises OSError."""
    arguments = memory("arguments", b"".join(each.encode() + b"\0" for each in told))

    def enter() -> None:
        groups.join()
        limit_resources()

    try:
        process = await asyncio.create_subprocess_exec(
            name,
            "--args",
            str(arguments),
            "--",
            *command,
            executable=bwrap,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=[arguments, *passed],
            preexec_fn=enter,
            env={},
            cwd="/",
            limit=LINE_BYTES,
        )
    finally:
        os.close(arguments)
    assert process.stdout is not None
    reading = asyncio.get_running_loop().create_task(read_lines(process.stdout, output))
    return Confined(process, output, reading)


async def arrived(descriptor: int, seconds: float) -> None:
    """Wait until there is something to read, or the other end is closed. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        async with asyncio.timeout(seconds):
            await ready
    finally:
        loop.remove_reader(descriptor)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def pidfd_of_init(info: int, seconds: float) -> int | None:
    """Of the process inside whose end is the end of all others; bubblewrap writes which to `info`, piece by
    piece: whoever closes it before the last ends bubblewrap. Raises TimeoutError."""
    said = b""
    async with asyncio.timeout(seconds):
        while not said.endswith(b"}\n") and len(said) < INFO_BYTES:
            await arrived(info, seconds)
            piece = os.read(info, INFO_BYTES)
            if not piece:
                break
            said += piece
    try:
        return os.pidfd_open(int(json.loads(said)["child-pid"]))
    except (OSError, ValueError, KeyError):
        return None


async def read_lines(stream: asyncio.StreamReader, output: GuestOutput) -> None:
    """Read all that is printed, whatever it is, so that whoever prints never blocks."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            line = await stream.readexactly(max(error.consumed, 1))
        except (asyncio.IncompleteReadError, OSError) as error:
            output.feed(getattr(error, "partial", b""))
            return
        output.feed(line.rstrip(b"\r\n"))
