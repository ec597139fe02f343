from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.unit.transom.recording.bench import Bench, Guest, Office
from transom_guest.stream import signin_page


@pytest.fixture
async def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guest]:
    monkeypatch.setattr(signin_page, "SHOWN_S", 0.05)
    monkeypatch.setattr(signin_page, "AGAIN_S", 0.05)
    made = Guest(tmp_path / "record.sock")
    await made.serve()
    yield made
    made.serving.cancel()
    await asyncio.gather(made.serving, return_exceptions=True)


@pytest.fixture
async def bench(tmp_path: Path, guest: Guest) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "recordings", guest.open)
    made.live.changed()
    await until(lambda: guest.recorder.on)
    yield made
    await made.live.close()


@pytest.fixture
async def office(tmp_path: Path, guest: Guest) -> AsyncIterator[Office]:
    made = Office(tmp_path / "recordings", guest.open)
    await made.open()
    yield made
    await made.desk.close()
