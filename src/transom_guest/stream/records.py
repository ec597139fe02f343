"""Serves the recorder on a unix socket: the controller's wishes in, segments out, one controller at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from transom_guest.environment import paused_file
from transom_guest.signin_pages import install
from transom_guest.signin_pages.asking import Asking
from transom_guest.signin_pages.sight import CLEAR, Sight
from transom_guest.stream.hindsight import Hindsight
from transom_guest.stream.listening import listen
from transom_guest.stream.page_guard import PageGuard, Questions
from transom_guest.stream.recorder import Fetched, Segment
from transom_guest.stream.signin_page import Leave, SigninPage, leave_page
from transom_wire.codec import Message, WireError, decode, encode
from transom_wire.files import CHUNK, chunk
from transom_wire.framing import HEADER, FrameError, pack
from transom_wire.record import (
    FRAME_LIMIT,
    HIDDEN,
    TO_RECORDER,
    PageSeen,
    PartComes,
    Record,
    RecordState,
    SegmentComes,
    SegmentTaken,
)

STALLED_S = 60.0
"""Seconds a controller may take nothing, or keep a segment unanswered."""
LOOK_S, IDLE_S = 0.05, 1.0
"""Seconds between two looks at the page that is shown, and at what waits; and while nothing is recorded."""
PART_S = 0.5
"""Seconds between two parts of the segment that is being recorded: a crash takes so much beside what is held."""
C = TypeVar("C", bound=SegmentComes)
log = logging.getLogger("transom.stream")


def pieces(parts: Sequence[bytes]) -> Iterator[bytes]:
    """The same bytes, CHUNK at a time but for the last."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)


class Records:
    """The newest connection counts; when it ends, recording does. After a pause it goes on once `leave` has left the
    page that was shown; `note` is where a pause outlives this process. `sight`
    says what the browser shows, and `asking` until when that is all there is to say."""

    def __init__(
        self, recorder: Hindsight, leave: Leave, note: Path, sight: Sight, asking: Questions
    ) -> None:
        self._guard = PageGuard(recorder, sight, asking)
        self._recorder, self._page = recorder, SigninPage(leave, note)
        self._current: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def finished(self) -> None:
        """A segment waits."""
        self._news.set()

    async def run(self, path: Path) -> None:
        """Listen at `path`, this user's alone, until cancelled. A machine that cannot is not recorded."""
        try:
            server = await listen(path, self._accept)
        except OSError as error:
            log.warning("nothing can be recorded here: %s", error)
            return
        async with server:
            while True:
                await asyncio.sleep(LOOK_S if self._recorder.wanted or not self._recorder.settled else IDLE_S)
                self._look(_now())

    def _look(self, now: float) -> None:
        before = self._guard.seen
        self._guard.look(now)
        self._recorder.look(now)
        if self._guard.seen != before:
            self._news.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        older, self._current = self._current, asyncio.current_task()
        if older is not None:
            older.cancel()
            await asyncio.gather(older, return_exceptions=True)
        connection = _Connection(self._recorder, self._page, self._guard, self._news, reader, writer)
        try:
            await connection.run()
        except (OSError, EOFError, WireError, FrameError) as error:
            log.info("the recording's stream is over: %s", error or type(error).__name__)
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()
            if self._current is asyncio.current_task():
                self._current = None
                self._recorder.wish(Record("off", 0), _now())


class _Connection:
    """One controller."""

    def __init__(
        self,
        recorder: Hindsight,
        page: SigninPage,
        guard: PageGuard,
        news: asyncio.Event,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._recorder, self._page, self._guard, self._news = recorder, page, guard, news
        self._seen = CLEAR
        self._reader, self._writer = reader, writer
        self._sending = asyncio.Lock()
        self._taken = asyncio.Event()
        self._has = Fetched()
        self._ending: Record | None = None
        self._resuming: asyncio.Task[None] | None = None
        writer.transport.set_write_buffer_limits(high=4 * CHUNK)

    async def run(self) -> None:
        """Until the controller is gone, or wants no more."""
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._send())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            if self._resuming is not None:
                tasks.append(self._resuming)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self) -> None:
        while True:
            (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            if not 0 < size <= FRAME_LIMIT:
                raise FrameError(f"frame of {size} bytes announced")
            message: Any = decode(await self._reader.readexactly(size), cast("Any", TO_RECORDER))
            if isinstance(message, SegmentTaken):
                self._recorder.fetched(message.number)
                self._taken.set()
                continue
            if self._resuming is not None:
                self._resuming.cancel()
            if message.state == "on" and self._page.shown:
                self._resuming = asyncio.create_task(self._resume(message))
            else:
                await self._obey(message)

    async def _resume(self, message: Record) -> None:
        await self._page.left()
        await self._obey(message)

    async def _obey(self, message: Record) -> None:
        if message.state == "paused":
            self._page.begins()
        self._recorder.wish(message, _now())
        if message.state == "off":
            self._ending = message
            self._news.set()
            return
        async with self._sending:
            self._guard.look(_now())
            if self._guard.seen in HIDDEN:
                await self._say_page()
            await self._say(RecordState(message.state, message.run))
        self._news.set()

    async def _say_page(self) -> None:
        if self._guard.seen != self._seen:
            self._seen = self._guard.seen
            await self._say(PageSeen(self._seen))

    async def _send(self) -> None:
        while True:
            self._news.clear()
            async with self._sending:
                await self._say_page()
            while self._ending is not None and not self._recorder.settled:
                await asyncio.sleep(LOOK_S)
            while self._recorder.waiting:
                await self._hand_over(self._recorder.waiting[0])
            if self._ending is not None:
                await self._say(RecordState("off", self._ending.run))
                self._writer.close()
                await self._writer.wait_closed()
                return
            if (part := self._recorder.part(self._has)) is not None:
                await self._give(replace(_comes(PartComes, part), first=self._has.parts == 1), part)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PART_S):
                    await self._news.wait()

    async def _hand_over(self, segment: Segment) -> None:
        self._taken.clear()
        await self._give(_comes(SegmentComes, segment), segment)
        async with asyncio.timeout(STALLED_S):
            await self._taken.wait()

    async def _give(self, comes: SegmentComes, segment: Segment) -> None:
        async with self._sending:
            await self._say(comes)
            for piece in pieces(segment.parts):
                await self._write(chunk(piece))
            await self._write(chunk(b""))

    async def _say(self, message: Message) -> None:
        await self._write(pack(encode(message), FRAME_LIMIT))

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(STALLED_S):
            await self._writer.drain()


def records(recorder: Hindsight, environment: Mapping[str, str]) -> Records:
    """Those of this machine."""
    note, shown = paused_file(environment), install.shown(environment)
    leave = partial(leave_page, environment, note, Sight(shown))
    return Records(recorder, leave, note, Sight(shown), Asking(install.asks(environment)))


def _comes(kind: type[C], segment: Segment) -> C:
    return kind(
        number=segment.number,
        run=segment.run,
        ago_ms=round((_now() - segment.began) * 1000),
        duration_ms=round(segment.duration * 1000),
        width=segment.size[0],
        height=segment.size[1],
        size=segment.bytes,
        inputs=segment.inputs,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
