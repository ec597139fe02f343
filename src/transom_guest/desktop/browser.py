"""Chromium: how it is started, how it comes back, and how a URL reaches the one that runs.

What it may do at all is decided by the image's managed policies; here is only what a policy cannot say.
Its own sandbox stays on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from transom_guest.desktop.urls import BLANK, UrlRefused, checked_url

BINARY = "/usr/lib/chromium/chromium"
OPEN_DEADLINE = 20.0
"""Seconds for Chromium to take a URL."""
ACCEPTED = b"ACK"
"""Chromium's word, on its profile's socket, that it does what a second one was started for
(chrome/browser/process_singleton_posix.cc). To start that second one takes a fifth of a second, to ask none."""
SOCKET_DEADLINE = 10.0
"""Seconds for a restarting Chromium to take URLs again."""

FLAGS = (
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--disable-sync",
    "--disable-search-engine-choice-screen",
    "--hide-crash-restore-bubble",
    "--no-pings",
    "--log-level=3",
    "--disable-features=MediaRouter,Translate,OptimizationHints,OptimizationGuideModelDownloading,DialMediaRouteProvider",
)
"""No GPU, no calls home, no questions. Measured: notes in docs/measurements.md."""


EMULATED = ("--single-process", "--no-sandbox", "--js-flags=--jitless")
"""Where every instruction is emulated, code that is compiled to be run once costs minutes. The machine, and
not Chromium's sandbox, is then what stands around a page; emulation is for tests."""


def command(
    url: str, width: int, height: int, *, again: bool, emulated: bool = False, more: Sequence[str] = ()
) -> list[str]:
    """Chromium's argv for a machine's one browser, `more` in it; `again` after a death: its tabs come back, no
    bubble."""
    size = [f"--window-size={width},{height}", "--window-position=0,0"]
    extra = EMULATED if emulated else ()
    return [BINARY, *FLAGS, *extra, *more, *size, "--restore-last-session" if again else start_page(url)]


def start_page(url: str) -> str:
    """`url` where it may be opened, else a blank page: a machine with a bad start page still starts."""
    try:
        return checked_url(url)
    except UrlRefused:
        return BLANK


def profile(environment: Mapping[str, str]) -> Path:
    """The user's profile, at Chromium's default place, so that `chromium URL` finds the running one."""
    return Path(environment["HOME"]) / ".config" / "chromium"


def prepare(folder: Path) -> None:
    """Make a profile ready for a start: no stale locks of a dead Chromium, no memory of a crash."""
    (folder / "Default").mkdir(parents=True, exist_ok=True)
    stray = lock_owner(folder)
    if stray is not None:
        with contextlib.suppress(OSError):
            os.kill(stray, signal.SIGKILL)
    for name in ("SingletonLock", "SingletonSocket", "SingletonCookie"):
        (folder / name).unlink(missing_ok=True)
    _forget_crash(folder / "Default" / "Preferences")


def download_to(folder: Path, downloads: Path) -> None:
    """Downloads go to `downloads` unless the user has chosen otherwise: a viewer's files are there too."""
    preferences = folder / "Default" / "Preferences"
    try:
        found = json.loads(preferences.read_bytes()) if preferences.exists() else {}
        found.setdefault("download", {}).setdefault("default_directory", str(downloads))
        found.setdefault("savefile", {}).setdefault("default_directory", str(downloads))
        text = json.dumps(found)
    except (OSError, ValueError, AttributeError, RecursionError):
        return
    with contextlib.suppress(OSError):
        preferences.write_text(text)


def lock_owner(folder: Path) -> int | None:
    """The living Chromium that holds the profile's lock (`host-pid`), if there is one."""
    try:
        pid = int(os.readlink(folder / "SingletonLock").rpartition("-")[2])
        binary = os.readlink(f"/proc/{pid}/exe")
    except (OSError, ValueError):
        return None
    return pid if pid > 1 and binary == BINARY else None


def _forget_crash(preferences: Path) -> None:
    try:
        found = json.loads(preferences.read_bytes())
        found["profile"]["exit_type"] = "Normal"
        found["profile"]["exited_cleanly"] = True
        text = json.dumps(found)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    with contextlib.suppress(OSError):
        preferences.write_text(text)


async def open_url(url: str, environment: Mapping[str, str]) -> None:
    """Open `url` in a new tab of the running Chromium. Raises UrlRefused, TimeoutError, OSError."""
    await _open(checked_url(url), environment)


async def _open(url: str, environment: Mapping[str, str]) -> None:
    folder = profile(environment)
    await _accepting(folder)
    async with asyncio.timeout(OPEN_DEADLINE):
        answer = await _tell(folder / "SingletonSocket", [BINARY, url])
    if answer != ACCEPTED:
        raise OSError(f"the browser did not take the URL: {answer[:20]!r}")


async def leave_page(environment: Mapping[str, str], blank: str = BLANK) -> None:
    """Show a blank tab, or what becomes one, in place of the page that is shown. Returns as well when no Chromium is
    there for SOCKET_DEADLINE. Raises TimeoutError, OSError."""
    try:
        await _accepting(profile(environment))
    except TimeoutError:
        return
    await _open(blank, environment)


async def _tell(path: Path, argv: list[str]) -> bytes:
    """Say to the Chromium at `path` what a second Chromium with `argv` would; return its answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write("\0".join(["START", "/", *argv]).encode())
        writer.write_eof()
        return await reader.read(64)
    finally:
        writer.close()


async def _accepting(folder: Path) -> None:
    async with asyncio.timeout(SOCKET_DEADLINE):
        while not (folder / "SingletonSocket").exists():
            await asyncio.sleep(0.05)
