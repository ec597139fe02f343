"""The end of a WebSocket whose viewer has gone already is nobody's error."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from transom.api.sockets import OVER, Closing, close


async def _accepted(failure: Exception) -> WebSocket:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise failure

    socket = WebSocket({"type": "websocket", "headers": [], "subprotocols": []}, receive, send)
    await socket.accept()
    return socket


@pytest.mark.parametrize(
    "failure", [OSError("gone"), RuntimeError("closed"), WebSocketDisconnect(1006), ConnectionResetError()]
)
async def test_a_viewer_that_has_gone_is_no_error(failure: Exception) -> None:
    await close(await _accepted(failure), Closing(OVER, "stopped"))


def test_a_reason_fits_the_frame() -> None:
    assert len(Closing(OVER, "ä" * 200).reason.encode()) <= 120
