"""The display: which server it is, when it answers, and any desktop size at run time by RandR."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from transom_guest.desktop import xorg
from transom_guest.desktop.modes import FRAME_RATE, modeline
from transom_wire import screen

UP_DEADLINE = 15.0
"""Seconds from the server's start to its first answer."""
XRANDR_DEADLINE = 5.0
LOCK_DEADLINE = 5.0
OUTPUT = re.compile(r"^(\S+) connected", re.MULTILINE)
"""Xorg's screen in memory and Xvnc's have other names."""
OWN = "transom-"
"""How the names begin of RandR's modes that are made here; the others are the display's own."""
CHATTER = re.compile(
    r"\s*(ComparingUpdateTracker|EncodeManager|VNCSConnST|VNCServerST|Connections|SConnection|Input):"
    r"|\s{8,}"
    r"|(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\s*$"
    r"|\[mi\] mieq: warning|\(II\) Server terminated successfully|_XSERVTransmkdir: |\(\+\+\) |\(==\) "
    r"| vncext:      (VNC extension running|Listening for VNC|Created VNC server)|X\.Org X Server |X Protocol "
    r"|Current (Operating System|version of pixman): |Kernel command line: |xorg-server |\t|Markers: "
    r"|Xvnc TigerVNC |Copyright \(C\) |See https?://|Underlying X server release"
)
"""What a VNC server writes when all is well: its greeting, and times and figures of each connection."""
log = logging.getLogger("transom.display")


class DisplayError(RuntimeError):
    """The display does not answer, or refuses a size."""


VNC = {
    "rfbunixmode": "0600",
    "rfbport": "-1",
    "SecurityTypes": "None",
    "AlwaysShared": "1",
    "UseBlacklist": "0",
    "AcceptSetDesktopSize": "0",
    "FrameRate": str(FRAME_RATE),
    "desktop": "transom",
    # RFB would tell every viewer of the desktop's clipboard, watchers too, whatever their terms are
    "SendCutText": "0",
    "AcceptCutText": "0",
    "SendPrimary": "0",
    "SetPrimary": "0",
}
"""The VNC server's settings: it listens on a socket (mode 0600) and on no network at all."""


def prepare(environment: Mapping[str, str], size: tuple[int, int]) -> None:
    """Write what the server reads as it starts. Raises OSError."""
    if xorg.has_xorg():
        # a file's numbers are decimal
        vnc = {**VNC, "rfbunixpath": environment["TRANSOM_VNC_SOCKET"], "rfbunixmode": str(0o600)}
        xorg.prepare(environment, size, vnc)


def command(environment: Mapping[str, str], width: int, height: int) -> list[str]:
    """The server's argv: Xorg's, or Xvnc's on a machine of an image that has no more."""
    if xorg.has_xorg():
        return xorg.command(environment)
    return [
        *(
            "Xvnc",
            environment["DISPLAY"],
            "-rfbunixpath",
            environment["TRANSOM_VNC_SOCKET"],
            "-nolisten",
            "tcp",
        ),
        *(f"-{name}={value}" for name, value in VNC.items()),
        *("-geometry", f"{width}x{height}", "-depth", "24", "-noreset", "-br"),
    ]


def is_chatter(line: str) -> bool:
    """Whether a line of Xvnc's log says nothing about why it ended."""
    return CHATTER.match(line) is not None


def x_socket(display: str) -> Path:
    """Where a local display listens."""
    return Path("/tmp/.X11-unix") / f"X{display.removeprefix(':')}"  # noqa: S108 - X11's own fixed place


async def wait_up(display: str) -> None:
    """Return once the display accepts connections. Raises DisplayError."""
    path = str(x_socket(display))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UP_DEADLINE):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_unix_connection(path)
                    writer.close()
                    return
                await asyncio.sleep(0.005)
    raise DisplayError(f"the display did not answer in {UP_DEADLINE:.0f} s")


def fitted(width: int, height: int) -> tuple[int, int]:
    """The nearest size a desktop may have. Says so in the log when it is another than was wanted."""
    fit = screen.fit(width, height)
    if not screen.allowed(width, height):
        log.info("a desktop of %dx%d is outside the limits: it takes %dx%d", width, height, *fit)
    return fit


async def set_size(width: int, height: int) -> tuple[int, int]:
    """Give the desktop a new size in pixels; return the size it has now. Raises DisplayError.

    Callers in several processes take turns. A mode of RandR is made for a size that has none, and goes with the next.
    """
    width, height = fitted(width, height)
    async with _turn():
        listed = await _xrandr("--query")
        output, name = _output(listed), mode_for(listed, f"{width}x{height}")
        if name not in modes(listed):
            with contextlib.suppress(DisplayError):  # known to the server, not yet to the output
                await _xrandr("--newmode", name, *modeline(width, height))
            await _xrandr("--addmode", output, name)
        await _xrandr("--output", output, "--mode", name)
        for old in left_over(listed, name):
            for take in (("--delmode", output, old), ("--rmmode", old)):
                with contextlib.suppress(DisplayError):  # not on the output any more, or still in use
                    await _xrandr(*take)
    return width, height


def modes(listed: str) -> set[str]:
    """The modes that the output has, by xrandr's list."""
    return set(re.findall(r"^ {3}(\S+) ", listed, re.MULTILINE))


def mode_for(listed: str, size: str) -> str:
    """The display's own mode of this size, else the name of one that is made here."""
    return size if size in modes(listed) else OWN + size


def left_over(listed: str, name: str) -> list[str]:
    """Modes that were made here, on the output or not, but for this one."""
    found = re.findall(rf"^ {{2,3}}({OWN}\S+) ", listed, re.MULTILINE)
    return [mode for mode in found if mode != name]


def _output(listed: str) -> str:
    found = OUTPUT.search(listed)
    if found is None:
        raise DisplayError("the display has no output")
    return found[1]


async def _xrandr(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "xrandr",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(XRANDR_DEADLINE):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise DisplayError("xrandr did not answer") from error
    if process.returncode:
        raise DisplayError(f"xrandr {arguments[0]}: {err.decode(errors='replace').strip()[:200]}")
    return out.decode(errors="replace")


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """Hold the one lock for size changes. Raises DisplayError when others hold it too long."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "/run/user/1000")
    descriptor = os.open(f"{folder}/transom-screen.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            async with asyncio.timeout(LOCK_DEADLINE):
                while not _try_lock(descriptor):
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise DisplayError("another size change takes too long") from error
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
