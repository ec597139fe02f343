"""The guest's files program as a machine has it, on a socket pair; and guests that keep to no protocol."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support.server import ROOT

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class GuestFiles:
    """Starts the program for each stream that is opened; `open` is a fake driver's `stream`."""

    def __init__(self, home: Path, file_bytes: int | None = None) -> None:
        self.home = home
        self._file_bytes = file_bytes
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def folder(self) -> Path:
        return self.home / "Files"

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def coming(self) -> list[Path]:
        """What is not whole yet."""
        return list(self.folder.glob(".coming-*")) if self.folder.exists() else []

    async def open(self) -> Stream:
        ours, theirs = socket.socketpair()
        limit = self._file_bytes

        def fewer() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "transom_guest.files"),
            env={"HOME": str(self.home), "PYTHONPATH": str(ROOT / "src")},
            stdin=theirs.fileno(),
            preexec_fn=fewer,
        )
        theirs.close()
        self._processes.append(process)
        ours.setblocking(False)
        return await asyncio.open_unix_connection(sock=ours)

    async def ended(self) -> None:
        """Every program that was started has ended by itself."""
        async with asyncio.timeout(20):
            for process in self._processes:
                await process.wait()


def scripted(
    act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> Callable[[], Awaitable[Stream]]:
    """Streams whose other end does what `act` does, and then closes."""
    tasks: set[asyncio.Task[None]] = set()

    async def stream() -> Stream:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=theirs)

        async def run() -> None:
            try:
                await act(reader, writer)
            except OSError:
                pass
            finally:
                writer.close()

        task = asyncio.create_task(run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return await asyncio.open_unix_connection(sock=ours)

    return stream
