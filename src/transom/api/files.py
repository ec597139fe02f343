"""Files of a session's desktop: what is there, and up and down in raw bodies. For its owner alone."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote, unquote_to_bytes

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from transom.api.access import Owned, P
from transom.api.bodies import FilesView
from transom.files.pace import LEAST_BYTES, WINDOW_S, Pace
from transom.model.errors import Invalid, TransomError, Unavailable
from transom.model.works import first_over
from transom_wire.files import CHUNK

Composed = Annotated[str, AfterValidator(partial(unicodedata.normalize, "NFC"))]
"""As it is typed on the desktop: macOS takes the letters of its names apart."""


def spelt(name: Composed, request: Request) -> str:
    """The path's name. Raises Invalid where it is not UTF-8: the server puts one sign for all bytes that are not."""
    if "\N{REPLACEMENT CHARACTER}" in name:
        try:
            unquote_to_bytes(request.scope.get("raw_path") or b"").decode()
        except UnicodeDecodeError as error:
            raise Invalid("a file cannot have this name: it is not UTF-8", code="name") from error
    return name


Name = Annotated[str, Depends(spelt)]
router = APIRouter(tags=["files"])
log = structlog.get_logger(__name__)
STALL_S = 30.0
"""Seconds a viewer may send nothing, or take nothing."""
DRAIN_S = 5.0
"""Seconds for which the rest of a refused body is read: who is cut off while it sends never reads the answer."""


class TooSlow(TransomError):
    """The viewer does not send."""

    status, code = 408, "too_slow"


@router.get("/api/sessions/{session}/files", response_model=FilesView)
async def get_files(owned: Owned, parts: P, list: bool = True) -> dict[str, Any]:
    """The files that are on the desktop in ~/Files, and what may be done with them; without `list` the latter alone."""
    desk = parts.files
    files, more = await desk.listing(owned) if list else ([], False)
    shown = [{"name": each.name, "size": each.size, "modified_at": each.modified_at} for each in files]
    return {"policy": desk.policy, "most_bytes": desk.most_bytes, "files": shown, "more": more}


@router.put("/api/sessions/{session}/files/{name}", status_code=201)
async def put_file(name: Name, owned: Owned, request: Request, parts: P) -> dict[str, Any]:
    """Put a file on the desktop; one of this name is replaced once the new one is whole and clean, but none by a
    request with `If-None-Match: *`, which is refused (412 `exists`)."""
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdigit() and len(announced) < 20 else None
    try:
        taken = await parts.files.put(owned, name, size, _body(request), new=_new(request))
    except ClientDisconnect as error:
        raise Unavailable("the viewer went away") from error
    except TransomError:
        with suppress(TimeoutError, ClientDisconnect, RuntimeError):
            async with asyncio.timeout(DRAIN_S):
                async for _ in request.stream():
                    pass
        raise
    await parts.ledger.touch(owned.id, parts.clock())
    return {"name": name, "size": taken}


@router.get("/api/sessions/{session}/files/{name}", response_class=Response)
async def get_file(name: Name, owned: Owned, parts: P) -> Response:
    """A file of the desktop's, to be saved and never shown."""
    held = AsyncExitStack()
    size, content = await held.enter_async_context(parts.files.get(owned, name))
    await parts.ledger.touch(owned.id, parts.clock())
    return Attachment(name, size, content, held)


@router.delete("/api/sessions/{session}/files/{name}", status_code=204)
async def delete_file(name: Name, owned: Owned, parts: P) -> None:
    """Remove a file from the desktop."""
    await parts.files.remove(owned, name)


def _new(request: Request) -> bool:
    """Raises Invalid for tags: files here have none."""
    said = request.headers.get("if-none-match")
    if said not in (None, "*"):
        raise Invalid("files have no tags: If-None-Match may be * alone")
    return said is not None


async def _body(request: Request) -> AsyncIterator[bytes]:
    """The body in chunks. Raises TooSlow, ClientDisconnect."""
    stream, clock = request.stream(), asyncio.get_running_loop().time
    pace = Pace(clock())
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                data = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise TooSlow(f"nothing came for {STALL_S:g} seconds") from error
        if not pace.moves(len(data), clock()):
            raise TooSlow(f"less than {LEAST_BYTES} bytes came in {WINDOW_S:g} seconds")
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]


class Attachment(Response):
    """A file as a download, at the pace of who takes it. What breaks on the way ends the connection early: the
    length is announced, so nobody takes a part for the whole."""

    def __init__(self, name: str, size: int, content: AsyncIterator[bytes], held: AsyncExitStack) -> None:
        headers = {
            "Content-Length": str(size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        super().__init__(headers=headers, media_type="application/octet-stream")
        self._content, self._held = content, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held, first_over(self._send(send), _gone(receive)):
            pass

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        try:
            await self._timed(send, start)
            async for data in self._content:
                await self._timed(send, {"type": "http.response.body", "body": data, "more_body": True})
        except (TransomError, OSError) as error:
            # OSError: also the TimeoutError of a viewer that takes nothing
            log.warning("a download was cut", reason=str(error) or type(error).__name__)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _timed(send: Send, message: dict[str, Any]) -> None:
        async with asyncio.timeout(STALL_S):
            await send(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
