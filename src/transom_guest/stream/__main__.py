"""The WebRTC server: a process of its own, so that a native crash costs a viewer a quarter of a second."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import sys
import time

from transom_guest import standby
from transom_guest.link import Link, keep_linked
from transom_guest.stream import arenas
from transom_guest.stream.resize import Resizer, set_desktop_density, set_desktop_size
from transom_guest.stream.server import StreamServer
from transom_guest.stream.warm import freshen, load, warm_up

SWITCH_INTERVAL = 0.0005
"""Seconds a thread may hold the interpreter while another waits: GStreamer's call back while the loop runs."""

LOG = "%(asctime)s.%(msecs)03d %(name)s %(levelname)s %(message)s"
"""With the time of day, UTC: what a viewer waited for is read from it."""


async def main(arguments: list[str]) -> None:
    """Serve until something native breaks."""
    arenas.limit()
    server = StreamServer(Resizer(set_desktop_size, set_desktop_density))
    if standby.WAIT in arguments:
        load()
        standby.wait(arguments)  # nothing else runs yet that could be held up
        freshen()
    else:
        await warm_up()

    async def serve(link: Link) -> None:
        standby.settled(arguments)
        server.report()
        sending = asyncio.create_task(_send(server, link), name="send")
        try:
            async for message in link.messages():
                server.handle(message)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending

    linking = asyncio.create_task(keep_linked("webrtc", serve), name="link")
    try:
        await server.run()
    finally:
        linking.cancel()


async def _send(server: StreamServer, link: Link) -> None:
    while True:
        await link.send(await server.outbox.take())


if __name__ == "__main__":
    faulthandler.enable()  # what crashes below Python leaves every thread's stack in the machine's log
    logging.basicConfig(level=logging.INFO, format=LOG, datefmt="%H:%M:%S", stream=sys.stderr)
    logging.Formatter.converter = time.gmtime
    sys.setswitchinterval(SWITCH_INTERVAL)
    asyncio.run(main(sys.argv))
