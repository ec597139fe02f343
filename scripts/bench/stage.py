"""What every peer stands on: an X server of its own, and the X client that is shown."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WIDTH, HEIGHT = 1280, 720
PIXELS = "page.bgrx"
"""Beside the peers' folders: what the X client shows."""
PATIENCE_S = 30.0
SOCKETS, DISPLAYS = Path("/tmp/.X11-unix"), range(130, 170)


class StageError(RuntimeError):
    """A part of a peer did not start; the text says which, with its last words."""


@contextmanager
def running(argv: Sequence[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, ended with all below it at the end."""
    with log.open("a") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, text=True, start_new_session=True, **more)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Ask the process's group to end, then make it."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        try:
            process.wait(5)
            return
        except subprocess.TimeoutExpired:
            continue


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait until `holds()`. Raises StageError."""
    last = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > last:
            raise StageError(f"never came: {what}")
        time.sleep(0.02)


def free_display() -> int:
    """A display number that nobody has."""
    return next(n for n in DISPLAYS if not os.path.lexists(SOCKETS / f"X{n}"))


@contextmanager
def reached(socket: Path) -> Iterator[str]:
    """A display's name for an X socket that lies elsewhere, as in a machine: X clients take no path."""
    SOCKETS.mkdir(exist_ok=True)
    number = free_display()
    link = SOCKETS / f"X{number}"
    link.symlink_to(socket)
    try:
        yield f":{number}"
    finally:
        link.unlink()


class XServer:
    """Xvnc: the VNC server that machines have as a module of their display, as a display of its own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        number = free_display()
        self.name, self.vnc = f":{number}", folder / "vnc.sock"
        argv = [
            *("Xvnc", self.name, "-geometry", f"{WIDTH}x{HEIGHT}", "-depth", "24", "-desktop", "bench"),
            *("-rfbunixpath", str(self.vnc), "-rfbport", "-1", "-nolisten", "tcp", "-SecurityTypes", "None"),
            *("-AlwaysShared", "-UseBlacklist=0", "-AcceptSetDesktopSize=0", "-FrameRate", "60", "-noreset"),
        ]
        self.process = stack.enter_context(running(argv, folder / "xvnc.log"))
        until(lambda: (SOCKETS / f"X{number}").exists() and self.vnc.exists(), "Xvnc")


class Client:
    """The X client on a display."""

    def __init__(self, stack: ExitStack, display: str, pixels: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "painter.py"), display, str(pixels)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        stack.callback(end, self._process)
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise StageError("the X client did not paint")

    def tell(self, word: str) -> None:
        """`flip`, `type`, `scroll`, `motion` or `halt`."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
