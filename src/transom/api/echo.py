"""`/api/sessions/{id}/echo`: says back what it hears, so that a page can tell whether WebSockets get through."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from transom.api import sockets
from transom.api.sockets import Closing

router = APIRouter()
MESSAGES, CHARACTERS = 16, 1024
"""What one look may ask for."""
LIFE_S = 20.0
places = sockets.Places(limit=4)


@router.websocket("/api/sessions/{session}/echo")
async def echo(socket: WebSocket, session: str) -> None:
    """Say back a few short messages."""
    await socket.accept()
    try:
        visitor = await sockets.admit(socket, session, living=True)
        with places.take(visitor.session.id):
            await _say_back(socket)
    except Closing as closing:
        await sockets.close(socket, closing)
    except sockets.GONE:
        return


async def _say_back(socket: WebSocket) -> None:
    try:
        async with asyncio.timeout(LIFE_S):
            for _ in range(MESSAGES):
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message.get("code", 1005))
                text = message.get("text")
                if text is None or len(text) > CHARACTERS:
                    raise Closing(sockets.TOO_LARGE, "short texts only")
                await socket.send_text(text)
    except TimeoutError as error:
        raise Closing(sockets.SILENT, "long enough") from error
    raise Closing(sockets.TOO_MANY, "enough")
