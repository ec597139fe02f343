"""A file as an answer, which its owner or its age may remove at any moment."""

from __future__ import annotations

import asyncio
import os

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from transom.model.errors import NotFound


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
            await super().__call__(scope, receive, send)
        finally:
            os.close(held)
