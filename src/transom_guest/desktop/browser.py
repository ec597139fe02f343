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
from collections.abc import Mapping
from pathlib import Path

from transom_guest.desktop.urls import BLANK, UrlRefused, checked_url

BINARY = "/usr/lib/chromium/chromium"
OPEN_DEADLINE = 20.0
"""Seconds for a second Chromium to hand a URL to the first."""
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


def command(url: str, width: int, height: int, *, again: bool) -> list[str]:
    """Chromium's argv for a machine's one browser; `again` after a death: its tabs come back, no bubble."""
    size = [f"--window-size={width},{height}", "--window-position=0,0"]
    return [BINARY, *FLAGS, *size, "--restore-last-session" if again else start_page(url)]


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
    url = checked_url(url)
    await _accepting(profile(environment))
    process = await asyncio.create_subprocess_exec(
        BINARY,
        *FLAGS,
        url,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(OPEN_DEADLINE):
            code = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if code:
        raise OSError(f"the browser did not take the URL (exit {code})")


async def _accepting(folder: Path) -> None:
    async with asyncio.timeout(SOCKET_DEADLINE):
        while not (folder / "SingletonSocket").exists():
            await asyncio.sleep(0.05)
