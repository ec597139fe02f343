"""The operator's command that looks at a file before it reaches the other side. What is not clean does not pass."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from pathlib import Path

import structlog

from transom.model.errors import Refused, Unavailable

log = structlog.get_logger(__name__)
OUTPUT_LIMIT = 4096
"""Bytes of the command's output that are read; the rest waits, and with it the command."""
MESSAGE_LIMIT = 200
"""Characters of its first line that the user is shown."""
KEPT = ("PATH", "HOME", "LANG")
"""What the command sees of our own environment, in which secrets may be."""
CLEAN, FOUND = 0, 1
"""Exit codes, as clamscan(1) and others have them; any other says that it could not look."""


class Scanner:
    """Runs `command PATH`, without a shell, within `seconds`."""

    def __init__(self, command: str, seconds: float) -> None:
        self._argv = shlex.split(command)
        self._seconds = seconds

    def there(self) -> bool:
        """The command can be found."""
        return bool(self._argv) and shutil.which(self._argv[0]) is not None

    async def check(self, path: Path) -> None:
        """Return when the file is clean. Raises Refused with what the command said, Unavailable when it did not."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                str(path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={name: os.environ[name] for name in KEPT if name in os.environ},
                start_new_session=True,
            )
        except (OSError, IndexError) as error:
            raise _unavailable(f"it cannot be started: {error}") from error
        try:
            async with asyncio.timeout(self._seconds):
                assert process.stdout
                said = await _head(process.stdout)
                code = await process.wait()
        except TimeoutError as error:
            raise _unavailable(f"no answer in {self._seconds:g} seconds") from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if code == FOUND:
            raise Refused(first_line(said) or "the file was refused", code="scan_refused")
        if code != CLEAN:
            raise _unavailable(f"exit {code}")
        if not await asyncio.to_thread(path.is_file):
            raise _unavailable("it took the file away, and calls it clean")


def first_line(said: bytes) -> str:
    """What a user may be shown of it."""
    line = said.decode(errors="replace").strip().partition("\n")[0]
    return "".join(char if char.isprintable() else " " for char in line)[:MESSAGE_LIMIT].strip()


async def _head(stream: asyncio.StreamReader) -> bytes:
    said = bytearray()
    while data := await stream.read(OUTPUT_LIMIT):
        said += data[: OUTPUT_LIMIT - len(said)]
    return bytes(said)


def _unavailable(why: str) -> Unavailable:
    log.error("files cannot be looked at: none pass", reason=why, mend="look at TRANSOM_FILES_SCAN")
    return Unavailable("files cannot be checked at the moment, so none pass", code="scan_unavailable")
