"""Catching the URL a tool wants to open: small scripts, first on its PATH and in BROWSER, write it to a pipe.

Some tools print no URL at all, or another one than they open; what reaches these scripts is the real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import Callable
from pathlib import Path

NAMES = ("transom-open", "xdg-open", "sensible-browser", "x-www-browser", "www-browser", "gnome-open")
"""`transom-open` is what BROWSER names; the others are what tools look for on PATH."""
MAX_LINE = 8192
MAX_WAITING = 64 * 1024
"""Bytes a tool may push before a newline; more is thrown away."""


class Opener:
    """A folder of scripts and the pipe they write to. `opened` is called with each line, whatever it holds."""

    def __init__(self, folder: Path, opened: Callable[[str], None]) -> None:
        self.folder = folder
        self._opened = opened
        self._pipe = -1
        self._buffer = b""

    @property
    def browser(self) -> str:
        """The value of BROWSER."""
        return str(self.folder / NAMES[0])

    def start(self) -> None:
        """Write the scripts and listen. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pipe = self.folder / "pipe"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe, 0o600)
        script = f"#!/bin/sh\nprintf '%s\\n' \"$1\" > {shlex.quote(str(pipe))}\n"
        for name in NAMES:
            path = self.folder / name
            path.unlink(missing_ok=True)
            path.write_text(script)
            path.chmod(0o700)
        # both ends are ours: no end of file when a script is through, and no script that hangs
        self._pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._pipe, self._read)

    def stop(self) -> None:
        """Stop listening and remove the pipe. Idempotent."""
        if self._pipe >= 0:
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1
        with contextlib.suppress(OSError):
            (self.folder / "pipe").unlink(missing_ok=True)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._buffer += os.read(self._pipe, 65536)
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > MAX_WAITING:
            self._buffer = b""
        for line in lines:
            if 0 < len(line) <= MAX_LINE:
                self._opened(line.decode("utf-8", "replace").strip())
