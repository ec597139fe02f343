"""Whether anything on the desktop plays: PulseAudio is asked when it says that something changed.

A monitor that is recorded keeps its sink awake, so nothing is recorded, encoded or sent while nothing plays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

LINE_LIMIT = 4096
ASK_DEADLINE = 3.0
"""Seconds for PulseAudio to say what plays."""
SETTLE = 0.05
"""Seconds in which further changes are taken together."""
AGAIN = 2.0
"""Seconds before a PulseAudio that went, or is not there yet, is listened to anew."""
log = logging.getLogger("transom.sound")


def changes_players(line: str) -> bool:
    """Whether a line of `pactl subscribe` may mean that something began or ended to play."""
    return " on sink-input " in line


def plays(listing: str) -> bool:
    """Whether `pactl list short sink-inputs` names any that is not ours to the microphone's sink."""
    rows = [row.split("\t") for row in listing.splitlines()]
    return any(len(row) > 1 and row[1] == DESKTOP_INDEX for row in rows)


DESKTOP_INDEX = "0"
"""The desktop's sink is the first that is loaded (desktop.sound)."""


class Players:
    """Calls `changed` with whether anything plays, each time that becomes another answer."""

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._changed, self._known = changed, False

    async def run(self) -> None:
        """Listen until cancelled; a PulseAudio that is not there is waited for."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                await self._listen()
            self._say(False)
            await asyncio.sleep(AGAIN)

    async def _listen(self) -> None:
        process = await _pactl("subscribe")
        assert process.stdout is not None
        try:
            self._say(plays(await _asked()))
            while line := await process.stdout.readline():
                if changes_players(line.decode(errors="replace")):
                    await asyncio.sleep(SETTLE)
                    self._say(plays(await _asked()))
        finally:
            await _end(process)

    def _say(self, playing: bool) -> None:
        if playing != self._known:
            self._known = playing
            self._changed(playing)


async def _asked() -> str:
    process = await _pactl("list", "short", "sink-inputs")
    try:
        async with asyncio.timeout(ASK_DEADLINE):
            out, _ = await process.communicate()
    finally:
        await _end(process)
    return out.decode(errors="replace")


async def _pactl(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "pactl",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE_LIMIT,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
