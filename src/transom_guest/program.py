"""Joins a stream link to a program of its own, which has its end as standard input: its death is nobody else's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping

from transom_guest.vnc import dialled, join

END_S = 2.0
"""Seconds for a program to end by itself once its stream has."""


async def serve_stream(token: str, stream: str, module: str, environment: Mapping[str, str]) -> None:
    """Dial the link again as `stream` and join it to `python3 -m module` until either ends.

    Raises OSError (LinkError among it) when the one cannot be reached, or the other not be started.
    """
    async with dialled(token, stream) as link:
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module),
                env=dict(environment),
                stdin=theirs.fileno(),
                stdout=sys.stderr,
                stderr=sys.stderr,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            ours.setblocking(False)
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            try:
                await join(link.reader, link.writer, reader, writer)
            finally:
                writer.transport.abort()
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """It ends with its stream; what does not is ended."""
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
