"""The other side of Firecracker's API, which says whatever a test wants."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

NO_CONTENT = b"HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n"


def answer(status: int, content: object) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
    return (head + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


VERSION = answer(200, {"firecracker_version": "1.16.1"})


class Peer:
    """Answers each request with the next of `answers`; with none left it says nothing."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.heard: list[tuple[str, bytes]] = []

    def reply(self, line: str) -> bytes | None:
        """What to say to `line`: nothing and hang up (empty), nothing at all (None), or that."""
        return self.answers.pop(0) if self.answers else None

    async def serve(self, ours: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    (int(each[15:]) for each in head.split(b"\r\n") if each.startswith(b"Content-Length:")), 0
                )
                body = await reader.readexactly(size)
                self.heard.append((head.split(b" HTTP/1.1")[0].decode(), body))
                said = self.reply(self.heard[-1][0])
                if said is not None:
                    writer.write(said)
                    if not said:
                        return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


class Agreeing(Peer):
    """Does all that is asked, but what `refused` begins."""

    def __init__(self, refused: str = "nothing") -> None:
        super().__init__([])
        self.refused = refused

    def reply(self, line: str) -> bytes | None:
        if line.startswith(self.refused):
            return answer(400, {"fault_message": "not today"})
        return VERSION if line == "GET /version" else NO_CONTENT


@asynccontextmanager
async def over(peer: Peer) -> AsyncIterator[socket.socket]:
    ours, theirs = socket.socketpair()
    serving = asyncio.ensure_future(peer.serve(ours))
    yield theirs
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
