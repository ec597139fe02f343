"""With guests that keep to nothing: what is not taken of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.guest_files import scripted
from tests.support.waiting import until
from tests.unit.transom.recording.bench import Bench, bench_told
from transom.model.session import SigninStage
from transom.recording import live as module
from transom.recording import shelf as shelves
from transom_wire.codec import encode
from transom_wire.files import chunk
from transom_wire.framing import pack
from transom_wire.record import RecordState, SegmentComes


async def heard(reader: asyncio.StreamReader) -> dict[str, Any]:
    """What the controller says next."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    message: dict[str, Any] = json.loads(await reader.readexactly(size))
    return message


async def test_a_guest_that_has_said_nothing_yet_has_not_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.3)
    told: list[str] = []

    async def act(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError):
            while True:
                told.append((await heard(reader))["state"])

    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    await until(lambda: told == ["on"])
    bench.signin(SigninStage.PENDING)
    await until(lambda: told == ["on", "paused"])
    await bench.live.pause()
    assert bench.live._intake._refused, "its segments are not taken, whatever it says later"
    await bench.live.close()


async def test_a_guest_that_does_not_pause_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.3)
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    streams = 0

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal streams
        streams += 1
        said = await heard(reader)
        runs.append(said["run"])
        if streams == 1:
            writer.write(pack(encode(RecordState("on", said["run"]))))
            await asyncio.sleep(30)
        comes = SegmentComes(1, runs[0], 10, 10, 64, 64, 5)
        writer.write(pack(encode(comes)) + chunk(b"12345") + chunk(b""))
        taken.append(await reader.readexactly(4))
        await asyncio.sleep(30)

    runs: list[int] = []
    taken: list[bytes] = []
    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    await until(lambda: runs)
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    await until(lambda: taken)
    await bench.live.close()
    assert streams == 2 and not bench.kept and bench.live.shelf.segments() == []


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff",
        pack(b"{}"),
        pack(encode(SegmentComes(1, 1, 10, 10, 64, 64, 5))) + chunk(b"123456"),
        pack(encode(SegmentComes(1, 1, 10, 10, 64, 64, 5))) + chunk(b"123") + chunk(b""),
        pack(encode(SegmentComes(1, 1, 10, 10, 64, 64, 5))) + b"\x7f\xff\xff\xff",
    ],
)
async def test_garbage_leaves_no_segment(tmp_path: Path, said: bytes) -> None:
    bench = await bench_told(tmp_path, said)
    await bench.live.close()
    assert bench.live.shelf.segments() == [] and not bench.kept


async def test_a_segment_that_is_just_coming_is_removed_as_well(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await heard(reader)
        writer.write(pack(encode(RecordState("on", first["run"]))))
        writer.write(pack(encode(SegmentComes(1, first["run"], 10, 10, 64, 64, 5))) + chunk(b"123"))
        second = await heard(reader)
        writer.write(chunk(b"45") + chunk(b""))
        said.extend([first, second, await heard(reader)])
        await reader.read()

    said: list[dict[str, Any]] = []
    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    await until(lambda: (bench.live.shelf.folder / shelves.COMING).exists())
    async with bench.live.anew():
        bench.live.shelf.remove()
    await until(lambda: len(said) == 3)
    assert said[1]["run"] > said[0]["run"] and said[2]["type"] == "segment_taken"
    assert not bench.kept and bench.live.shelf.segments() == [] and bench.live.page != "full"
    await bench.live.close()
