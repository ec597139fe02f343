"""Asks Firecracker for things: HTTP/1.1 over the one connection to its socket, each request with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import h11

from transom_keeper.firecracker import schema
from transom_keeper.firecracker.bodies import Request
from transom_keeper.firecracker.version import Version, allowed, parse, wanted
from transom_keeper.log import clean

ANSWER_BYTES = 64 * 1024
HEADER_BYTES = 16 * 1024
READ_BYTES = 16 * 1024
FAULT_CHARACTERS = 300
REQUEST_SECONDS = 10.0
SNAPSHOT_SECONDS = 120.0
"""Writing a machine's whole memory to a disk."""
_SLOW = {"/snapshot/create": SNAPSHOT_SECONDS, "/snapshot/load": SNAPSHOT_SECONDS, "/actions": 60.0}
_OLDEST = Version(0, 0, 0)


class ApiError(Exception):
    """Firecracker refused, or did not answer as it should; for the operator."""


class Api:
    """One connection, one request at a time. `version` is what the other side said it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES)
        self.version = _OLDEST

    @classmethod
    async def over(cls, connection: socket.socket) -> Api:
        """An Api over a connected socket, which is this one's from now on. Raises ApiError for a Firecracker
        that no machine may run under."""
        try:
            connection.setblocking(False)
            api = cls(*await asyncio.open_unix_connection(sock=connection, limit=READ_BYTES))
        except OSError as error:
            raise ApiError(f"no connection to Firecracker: {error.strerror}") from error
        try:
            await api._learn_version()
        except ApiError:
            await api.close()
            raise
        return api

    async def _learn_version(self) -> None:
        said = (await self._exchange("GET", "/version", b"", REQUEST_SECONDS)).get("firecracker_version")
        version = parse(said) if isinstance(said, str) else None
        if version is None:
            raise ApiError("Firecracker does not say its version")
        if not allowed(version):
            raise ApiError(f"Firecracker {version} has known holes: {wanted()} is wanted")
        self.version = version

    async def tell(self, *requests: Request) -> None:
        """Send each in turn; the first that is refused is the last. Raises ApiError, SchemaError."""
        for request in requests:
            schema.check(request.method, request.path, request.body, self.version)
            body = json.dumps(request.body).encode()
            await self._exchange(request.method, request.path, body, _SLOW.get(request.path, REQUEST_SECONDS))

    async def state(self) -> str:
        """Not started, Running or Paused. Raises ApiError."""
        said = (await self._exchange("GET", "/", b"", REQUEST_SECONDS)).get("state")
        if said not in ("Not started", "Running", "Paused"):
            raise ApiError("Firecracker does not say its state")
        return str(said)

    async def close(self) -> None:
        """Let go of the connection; the machine lives on."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()

    async def _exchange(self, method: str, path: str, body: bytes, seconds: float) -> dict[str, object]:
        what = f"{method} {path}"
        try:
            async with asyncio.timeout(seconds):
                await self._send(method, path, body)
                status, answer = await self._receive()
        except TimeoutError as error:
            raise ApiError(f"Firecracker did not answer {what} in {seconds:.0f} s") from error
        except (OSError, h11.ProtocolError) as error:
            raise ApiError(f"the connection to Firecracker broke at {what}") from error
        content = _object(answer)
        if 200 <= status < 300:
            return content
        raise ApiError(f"Firecracker refused {what} ({status}): {fault(content)}")

    async def _send(self, method: str, path: str, body: bytes) -> None:
        headers = [("Host", "localhost"), ("Accept", "application/json")]
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if self._http.our_state is not h11.IDLE:
            self._http.start_next_cycle()
        parts: list[h11.Event] = [h11.Request(method=method, target=path, headers=headers)]
        parts += [h11.Data(data=body)] if body else []
        for part in (*parts, h11.EndOfMessage()):
            self._writer.write(self._http.send(part) or b"")
        await self._writer.drain()

    async def _receive(self) -> tuple[int, bytes]:
        status, answer = 0, b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                answer += event.data
                if len(answer) > ANSWER_BYTES:
                    raise ApiError("Firecracker's answer is too long")
            elif isinstance(event, h11.EndOfMessage):
                return status, answer
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise ConnectionResetError


def fault(content: dict[str, object]) -> str:
    """The reason in an answer, cleaned and cut: it goes to logs and operators, and may quote anything."""
    said = content.get("fault_message")
    return clean(said.encode(errors="replace"))[:FAULT_CHARACTERS] if isinstance(said, str) else "no reason"


def _object(answer: bytes) -> dict[str, object]:
    try:
        content = json.loads(answer) if answer else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
