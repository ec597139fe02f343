from __future__ import annotations

import asyncio
from typing import Any, cast

from transom.recording.tape import Tape
from transom_wire.files import chunk
from transom_wire.record import SegmentComes


async def test_small_segments_come_no_faster_than_the_disk_should_take_files() -> None:
    reader = asyncio.StreamReader()
    tape = Tape(reader, cast("Any", None))
    clock = asyncio.get_running_loop().time
    began = clock()
    for number in range(3):
        reader.feed_data(chunk(b"x") + chunk(b""))
        content = [data async for data in tape.content(SegmentComes(number, 1, 0, 1000, 64, 48, 1))]
        assert content == [b"x"]
    assert clock() - began >= 0.59
