"""Packets let out in time, from whichever thread they come, and no work while none waits."""

from __future__ import annotations

import asyncio
import threading
import time

from transom_guest.stream.packet_pacer import PacketPacer


class Sink:
    def __init__(self, kbps: int = 1000) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self.pacer = PacketPacer(self._take, kbps)

    def _take(self, packets: list[bytes]) -> None:
        self.packets += [(time.monotonic(), packet) for packet in packets]

    async def all_of(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.packets) < count:
                await asyncio.sleep(0.01)


def frame(count: int, of: int = 0) -> list[bytes]:
    return [bytes([of]) + n.to_bytes(2, "big") + bytes(1197) for n in range(count)]


async def test_a_small_frame_leaves_in_the_thread_that_brings_it() -> None:
    sink = Sink()
    sink.pacer.carry(1000, 1000)
    thread = threading.Thread(target=sink.pacer.put, args=(frame(3),))
    thread.start()
    thread.join()
    assert len(sink.packets) == 3
    sink.pacer.close()


async def test_a_large_frame_takes_its_time_and_the_next_follows_it_in_order() -> None:
    sink = Sink()
    sink.pacer.carry(2000, 2000)
    began = time.monotonic()
    sink.pacer.put(frame(60))
    assert len(sink.packets) < 60 and sink.pacer.empty_in() > 0.05
    thread = threading.Thread(target=sink.pacer.put, args=(frame(2, 1),))
    thread.start()
    thread.join()
    await sink.all_of(62)
    assert [packet for _, packet in sink.packets] == frame(60) + frame(2, 1)
    assert time.monotonic() - began > 0.06
    assert sink.pacer.empty_in() == 0
    sink.pacer.close()


async def test_nothing_leaves_after_the_end() -> None:
    sink = Sink()
    sink.pacer.carry(300, 300)
    sink.pacer.put(frame(50))
    await asyncio.sleep(0.02)
    sink.pacer.close()
    sink.pacer.close()
    left = len(sink.packets)
    sink.pacer.put(frame(2))
    await asyncio.sleep(0.1)
    assert len(sink.packets) == left < 50
