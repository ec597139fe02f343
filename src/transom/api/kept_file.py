"""A file as an answer, which its owner or its age may remove at any moment."""

from __future__ import annotations

import asyncio
import json
import os

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from transom.api.errors import body
from transom.model.errors import NotFound

RANGES = {
    400: ("invalid", "the Range header names no range of bytes"),
    416: ("no_such_range", "the file has no such bytes"),
}


class KeptFile(FileResponse):
    """Open before anything is said of it: it comes whole though it is removed meanwhile. NotFound when it is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            held = await asyncio.to_thread(os.open, self.path, flags)
        except FileNotFoundError as error:
            raise NotFound("it is not there any more") from error
        try:
            self.path = f"/proc/self/fd/{held}"
            await super().__call__(scope, receive, _in_our_words(send))
        finally:
            os.close(held)


def _in_our_words(send: Send) -> Send:
    """`send`, with the refusals of a Range as the API's errors are."""
    refused = False

    async def ours(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] in RANGES:
            refused = True
            content = json.dumps(body(*RANGES[message["status"]])).encode()
            kept = [pair for pair in message["headers"] if pair[0] == b"content-range"]
            about = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
            await send({**message, "headers": [*about, *kept]})
            await send({"type": "http.response.body", "body": content})
        elif not refused:
            await send(message)

    return ours
