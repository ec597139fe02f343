"""What a client may do with a body before any route sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from transom.api import guard
from transom.api.guard import BodyLimit


async def ask(
    headers: dict[str, str], *arriving: bytes, more: bool = False
) -> tuple[int, dict[bytes, bytes]]:
    """The answer to a request whose body arrives so; with `more` the rest of it never does."""
    bodies, sent = list(arriving), list[Message]()

    async def receive() -> Message:
        if not bodies:
            await asyncio.Event().wait()
        body = bodies.pop(0)
        return {"type": "http.request", "body": body, "more_body": more or bool(bodies)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 204, "headers": []})

    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await BodyLimit(app)({"type": "http", "headers": encoded}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


async def test_a_body_passes() -> None:
    assert await ask({"content-length": "2"}, b"{", b"}") == (204, {})
    assert await ask({"transfer-encoding": "chunked"}, b"{}") == (204, {})


async def test_a_body_that_dribbles_in_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "READ_S", 0.05)
    status, headers = await ask({"content-length": "100"}, b"{", more=True)
    assert (status, headers[b"connection"]) == (408, b"close")


async def test_two_lengths_are_refused_unread() -> None:
    status, headers = await ask({"content-length": "2", "transfer-encoding": "chunked"}, b"{}")
    assert (status, headers[b"connection"]) == (400, b"close")
