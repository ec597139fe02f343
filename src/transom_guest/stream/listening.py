"""Unix sockets on which the stream's server hears the rest of the machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection until it ends."""


async def listen(path: Path, accept: Accept) -> asyncio.Server:
    """A server at `path`, for this user alone; a socket left by the dead is replaced. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    server = await asyncio.start_unix_server(accept, path)
    os.chmod(path, 0o600)
    return server
