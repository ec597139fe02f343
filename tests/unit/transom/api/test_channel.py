"""Who keeps a session from idling out by its channel. Seats, machine and socket are stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.fakes import FakeClock, a_session
from transom.api import channel, streams
from transom.api.sockets import Closing
from transom_wire.peers import PeerTerms


class Writer:
    """Takes what the machine is sent."""

    def __init__(self) -> None:
        self.frames = 0

    def write(self, data: bytes) -> None:
        self.frames += 1

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("drives", "touched"), [(True, True), (False, False)])
async def test_only_who_drives_keeps_a_session_from_idling_out_by_its_channel(
    monkeypatch: pytest.MonkeyPatch, drives: bool, touched: bool
) -> None:
    touches: list[str] = []
    writer, session = Writer(), a_session()
    said = [{"type": "websocket.receive", "text": '["h", 1]'}] * 3 + [{"type": "websocket.disconnect"}]

    async def open_stream(*_: Any) -> tuple[asyncio.StreamReader, Writer]:
        return asyncio.StreamReader(), writer

    async def touch(touched: str, _now: int) -> None:
        touches.append(touched)

    async def receive() -> dict[str, str]:
        return said.pop(0)

    async def stays() -> None:
        await asyncio.sleep(60)

    @contextmanager
    def nothing(*_: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(streams, "open_stream", open_stream)
    monkeypatch.setattr(streams, "TOUCH_S", 0.0)
    parts = SimpleNamespace(
        seating=SimpleNamespace(terms=lambda *_: PeerTerms(drives=drives), listen=nothing),
        ledger=SimpleNamespace(watch=nothing, touch=touch),
        clock=FakeClock(),
        quality_metrics=SimpleNamespace(late=lambda: None),
    )
    visitor = SimpleNamespace(session=session, stays=stays)
    socket = cast("Any", SimpleNamespace(receive=receive))
    async with asyncio.timeout(10):
        with pytest.raises(Closing):
            await channel._join(socket, cast("Any", parts), cast("Any", visitor), "tab")
    await asyncio.sleep(0)
    assert writer.frames == 4
    assert bool(touches) is touched
