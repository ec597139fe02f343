"""What a controller may ask of a running desktop: streams, a size, a URL. So many at once, and no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from transom_guest import program, vnc
from transom_guest.desktop import browser, display
from transom_guest.desktop.urls import UrlRefused
from transom_guest.environment import channel_socket, record_socket
from transom_wire.link import OpenStream, OpenUrl, SetScreen, ToGuestMessage

STREAMS = 16
"""Raw streams at once; more are not opened."""
WISHES = 16
"""URLs and sizes that may wait at once; more are dropped."""
log = logging.getLogger("transom.boot")


class Wishes:
    """Carries them out beside everything else; none of them can end the machine."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._streams: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Task[None]] = set()
        self._browsing = asyncio.Event()

    def browser_runs(self) -> None:
        """URLs can be opened from now on."""
        self._browsing.set()

    def take(self, message: ToGuestMessage, token: str) -> None:
        """Begin what `message` asks, or drop it. `token` is the link's, for streams."""
        match message:
            case OpenStream(stream=stream, kind=kind) if len(self._streams) < STREAMS:
                _spawn(self._streams, self._open_stream(token, stream, kind))
            case SetScreen(width, height) if len(self._others) < WISHES:
                _spawn(self._others, self._set_screen(width, height))
            case OpenUrl(url) if len(self._others) < WISHES:
                _spawn(self._others, self._open_url(url))
            case _:
                log.warning("dropped %s: too many at once, or unknown", type(message).__name__)

    async def close(self) -> None:
        """Give all of it up."""
        tasks = [*self._streams, *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open_stream(self, token: str, stream: str, kind: str) -> None:
        try:
            match kind:
                case "vnc" | "view":
                    socket_path = self._environment["TRANSOM_VNC_SOCKET"]
                    await vnc.serve_stream(token, stream, socket_path, watching=kind == "view")
                case "record":
                    await vnc.serve_stream(token, stream, str(record_socket(self._environment)))
                case "channel":
                    await vnc.serve_stream(token, stream, str(channel_socket(self._environment)))
                case "files":
                    await program.serve_stream(token, stream, "transom_guest.files", self._environment)
                case _:
                    log.warning("dropped a stream of a kind that is not served")
        except OSError as error:
            log.warning("a stream could not be opened: %s", error)

    async def _set_screen(self, width: int, height: int) -> None:
        try:
            await display.set_size(width, height)
        except (display.DisplayError, OSError) as error:
            log.warning("the desktop keeps its size: %s", error)

    async def _open_url(self, url: str) -> None:
        await self._browsing.wait()
        try:
            await browser.open_url(url, self._environment)
        except (UrlRefused, OSError) as error:
            log.warning("a URL was not opened: %s", error or "no answer in time")


def _spawn(where: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    where.add(task)
    task.add_done_callback(where.discard)
