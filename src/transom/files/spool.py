"""Files that wait in the state folder while they are looked at: nobody else's, and gone with the transfer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from transom.model.errors import Full, Unavailable
from transom_wire.files import CHUNK

RESERVE = 256 * 2**20
"""Bytes of the state folder's disk that stay free: the database is there."""


class Spool:
    """A folder, 0700, of files 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Remove what a killed controller left."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                path.unlink(missing_ok=True)

    @asynccontextmanager
    async def keep(self, content: AsyncIterator[bytes]) -> AsyncIterator[Path]:
        """`content` as a file, until the block ends. Raises Full, Unavailable, and what `content` does."""
        try:
            descriptor, name = await asyncio.to_thread(self._make)
        except OSError as error:
            raise Unavailable("the server's disk cannot take the file") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for data in content:
                    await asyncio.to_thread(self._write, file, data)
            yield Path(name)
        finally:
            # a scan may have taken it away, as clamscan --move does
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def _make(self) -> tuple[int, str]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.mkstemp(dir=self._folder)

    def _write(self, file: BinaryIO, data: bytes) -> None:
        space = os.fstatvfs(file.fileno())
        if space.f_bavail * space.f_frsize < RESERVE + len(data):
            raise Full("the server's disk is full")
        try:
            file.write(data)
            file.flush()
        except OSError as error:
            raise Full("the server's disk cannot take the file") from error


async def read(path: Path) -> AsyncIterator[bytes]:
    """A file in chunks. Raises OSError."""
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, CHUNK):
            yield data
