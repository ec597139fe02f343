"""HTTP/1.1 on the API's socket, as Firecracker speaks it: small bodies, connections kept open, no more than ten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import h11

from tests.support.firecracker_standin.rules import Answer

MAX_BODY = 51200
"""The real one's default for --http-api-max-payload-size."""
MAX_CONNECTIONS = 10
Handler = Callable[[str, str, bytes], Awaitable[Answer]]


class Server:
    """Answers requests one after the other, whichever connection they come by; `ended` is set by a fatal one."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._turn = asyncio.Lock()
        self._open = 0
        self.ended = asyncio.Event()

    async def listen(self, path: Path) -> asyncio.Server:
        """Listen at `path`. Raises OSError when something is there, as the real one does."""
        if path.exists():
            raise FileExistsError(f"{path} is in use")
        return await asyncio.start_unix_server(self._serve, path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            http = h11.Connection(h11.SERVER)
            while await self._one(http, reader, writer) and not self.ended.is_set():
                http.start_next_cycle()
        except (OSError, h11.ProtocolError, asyncio.CancelledError):
            return
        finally:
            self._open -= 1
            writer.close()

    async def _one(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request, body = None, b""
        while not isinstance(event := http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return False
        assert request is not None
        if len(body) > MAX_BODY:
            answer = Answer(400, {"fault_message": "Payload too large."})
        else:
            async with self._turn:
                answer = await self._handler(request.method.decode(), request.target.decode(), body)
        await _say(http, writer, answer)
        if answer.fatal:
            self.ended.set()
        return http.our_state is h11.DONE


async def _say(http: h11.Connection, writer: asyncio.StreamWriter, answer: Answer) -> None:
    content = b"" if answer.content is None else json.dumps(answer.content).encode()
    headers = [("Server", "Firecracker API"), ("Connection", "keep-alive")]
    if content:
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    said = http.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    said += (http.send(h11.Data(data=content)) or b"") if content else b""
    writer.write(said + (http.send(h11.EndOfMessage()) or b""))
    await writer.drain()
