"""WebSocket frames that are none, at a real server: each ends its own socket with a code, and no other."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api import Api, serving

CONTINUATION, TEXT, BINARY, RESERVED, CLOSE, PING = 0, 1, 2, 3, 8, 9
PROTOCOL, NOT_TEXT, TOO_LARGE = 1002, 1007, 1009
"""Codes of RFC 6455, 7.4.1."""
MASK = b"\x01\x02\x03\x04"


def frame(
    kind: int, data: bytes = b"", *, last: bool = True, reserved: int = 0, mask: bool = True, length: int = -1
) -> bytes:
    """As a viewer sends it, or nearly; `length` is what it claims to have."""
    size, masked = len(data) if length < 0 else length, 0x80 if mask else 0
    head = bytes([(0x80 if last else 0) | reserved << 4 | kind])
    if size < 126:
        head += bytes([masked | size])
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + data
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))


ILL = {
    "a kind that nobody has": (frame(RESERVED, b"x"), PROTOCOL),
    "a bit that nobody agreed on": (frame(TEXT, b"{}", reserved=4), PROTOCOL),
    "no mask": (frame(TEXT, b"{}", mask=False), PROTOCOL),
    "text that is none": (frame(TEXT, b"\xff\xfe"), NOT_TEXT),
    "more than there is memory": (frame(TEXT, b"x", length=2**62), TOO_LARGE),
    "four gigabytes": (frame(BINARY, b"x" * 1000, length=2**32), TOO_LARGE),
    "half a ping": (frame(PING, b"x", last=False), PROTOCOL),
    "a long ping": (frame(PING, b"x" * 126), PROTOCOL),
    "the rest of nothing": (frame(CONTINUATION, b"x"), PROTOCOL),
    "a message in a message": (frame(TEXT, b"{", last=False) + frame(TEXT, b"}"), PROTOCOL),
    "half a code": (frame(CLOSE, b"x"), PROTOCOL),
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as running:
        yield running


class Raw:
    """A WebSocket whose bytes are the test's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, api: Api, path: str, bearer: str) -> Raw:
        host = api.url.removeprefix("http://")
        raw = cls(*await asyncio.open_connection(*host.split(":")))
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            f"Authorization: {bearer}",
        )
        raw.writer.write("\r\n".join((*lines, "", "")).encode())
        assert (await raw.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return raw

    async def next(self) -> tuple[int, bytes]:
        """The server's next frame."""
        async with asyncio.timeout(10):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            return first & 0x0F, await self.reader.readexactly(size)

    async def code(self) -> int:
        """With which it closes."""
        while True:
            kind, data = await self.next()
            if kind == CLOSE:
                return int.from_bytes(data[:2])


async def test_frames_that_are_none_end_their_own_socket_with_a_code_and_no_other(api: Api) -> None:
    async with await api.client(await api.user("ada")) as ada:
        session, bearer = await api.ready_session(ada), ada.headers["Authorization"]
        path = f"/api/sessions/{session}/events"
        well = await Raw.open(api, path, bearer)
        for name, (said, code) in ILL.items():
            ill = await Raw.open(api, path, bearer)
            ill.writer.write(said)
            assert await ill.code() == code, name
            ill.writer.close()
        # a message in a hundred thousand pieces, most of nothing, is a message
        pieces = frame(TEXT, b'{"type":', last=False) + frame(CONTINUATION, last=False) * 100_000
        well.writer.write(pieces + frame(CONTINUATION, b'"ping"}'))
        while True:
            kind, data = await well.next()
            if kind == TEXT and json.loads(data) == {"type": "pong"}:
                break
        well.writer.close()
