"""The controller's side of recordings on a bench: with the guest's own recorder at the other end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.fakes import FakeDriver, a_session
from tests.support.guest_files import scripted
from tests.support.waiting import until
from tests.unit.transom_guest.stream.test_mp4 import encoded
from transom.auth.limits import RateLimiter
from transom.model.clock import now_ms
from transom.model.recording import Recording, SegmentFile
from transom.model.session import Session, SessionState, Signin, SigninStage
from transom.recording.beats import BURST, BURST_S
from transom.recording.desk import RecordingDesk
from transom.recording.live import Live, Terms
from transom.recording.shelf import Shelf
from transom_guest.signin_pages.sight import Sight
from transom_guest.stream.hindsight import Hindsight
from transom_guest.stream.recorder import Recorder
from transom_guest.stream.records import Records

FRAMES = encoded(64, 64, [60] * 10)
MIB = 2**20


class Answering:
    """A browser that says of each moment at once that it is clear, but for what it says otherwise."""

    def look(self, now: float) -> float:
        return now


class Guest:
    """The recorder of a machine on a socket, fed with frames by the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorder = Recorder(lambda: None, lambda: self.records.finished())
        self.note, self.shown = path.with_name("paused"), path.with_name("shown")
        self.records = self._records()
        self.streams = 0
        self.asked = 0
        self.browser = asyncio.Event()
        """It does what it is asked."""
        self.browser.set()

    async def _leave(self) -> None:
        self.asked += 1
        if self.asked == 1:
            raise OSError("it is just being started")
        await self.browser.wait()

    async def open(self) -> Any:
        self.streams += 1
        return await asyncio.open_unix_connection(self.path)

    def frames(self, count: int = 5) -> None:
        at = asyncio.get_running_loop().time()
        for number, (data, key) in enumerate(FRAMES[:count]):
            self.recorder.take(data, key, at + number / 50)

    def finish(self) -> None:
        self.recorder.finish(asyncio.get_running_loop().time())

    def segment(self) -> None:
        """Frames, and no more of them in that segment."""
        self.frames()
        self.finish()

    def _records(self) -> Records:
        self.hindsight = Hindsight(self.recorder)
        return Records(self.hindsight, self._leave, self.note, Sight(self.shown), Answering())

    async def serve(self) -> None:
        self.serving = asyncio.create_task(self.records.run(self.path))
        await until(self.path.exists)

    async def die(self) -> None:
        """The process is gone, and all that it knew."""
        self.serving.cancel()
        if self.records._current is not None:
            self.records._current.cancel()
        await asyncio.gather(self.serving, return_exceptions=True)
        self.path.unlink(missing_ok=True)
        self.recorder = Recorder(lambda: None, lambda: self.records.finished())
        self.records = self._records()


def driver_of(session: Session, stream: Any) -> FakeDriver:
    """Of the session's machine alone."""
    driver = FakeDriver()
    driver.stream = stream
    driver.machines[session.machine] = None  # type: ignore[assignment]
    return driver


def lines(shelf: Shelf) -> list[dict[str, Any]]:
    """The timeline's."""
    return list(map(json.loads, said(shelf).splitlines()))


def said(shelf: Shelf) -> str:
    """The timeline as it is written."""
    return shelf.timeline.read_text() if shelf.timeline.exists() else ""


class Bench:
    """One session's recording, that is always wanted."""

    def __init__(self, folder: Path, stream: Any, most: int = 100 * MIB) -> None:
        self.session = a_session(state=SessionState.READY)
        self.driver = driver_of(self.session, stream)
        self.kept: list[SegmentFile] = []
        shelf = Shelf(folder / self.session.id)
        self.live = Live(self.session, Terms("always", 1, most), self.driver, shelf, now_ms, self._keep)

    async def _keep(self, _live: Live, segment: SegmentFile) -> None:
        self.kept.append(segment)

    def signin(self, stage: SigninStage) -> Session:
        self.session = replace(self.session, signin=Signin("flw_a", "demo", stage))
        self.live.changed(self.session)
        return self.session

    def timeline(self) -> list[dict[str, Any]]:
        return lines(self.live.shelf)


class Rows:
    """A RecordingStore in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Recording] = {}
        self.trail: list[str] = []

    async def save_recording(self, recording: Recording) -> None:
        self.rows[recording.session] = recording

    async def get_recording(self, session: str) -> Recording | None:
        return self.rows.get(session)

    async def list_recordings(self, *, user: str | None) -> list[Recording]:
        return [row for row in self.rows.values() if user in (None, row.user)]

    async def delete_recording(self, session: str) -> None:
        self.rows.pop(session, None)

    async def add_audit(self, *, action: str, **_: Any) -> None:
        self.trail.append(action)


class Rules:
    """Settings."""

    recording, recording_mib, recording_days, recording_segment_s = "ask", 100, 7, 1
    recording_total_mib = 200


class Office:
    """A desk with one session that is ready."""

    def __init__(self, folder: Path, stream: Any) -> None:
        self.session = a_session(state=SessionState.READY)
        self.driver, self.rows, self.folder = driver_of(self.session, stream), Rows(), folder
        self.clock: Callable[[], int] = now_ms

    async def open(self) -> None:
        """As a controller does that starts."""
        few = RateLimiter(count=BURST, seconds=BURST_S).allow
        self.desk = RecordingDesk(
            self.driver, self.rows, self.rows, Rules(), self.folder, lambda: self.clock(), few
        )
        await self.desk.open()
        self.desk.noticed(self.session)

    async def record(self) -> None:
        """The owner wants it."""
        await self.desk.choose(self.session, on=True)

    @property
    def shelf(self) -> Shelf:
        return self.desk.shelf(self.session.id)

    @property
    def row(self) -> Recording:
        return self.rows.rows[self.session.id]

    @property
    def shown(self) -> tuple[str, str | None]:
        """What the user is told, and why it waits."""
        return self.desk.state(self.session.id), self.desk.why(self.session.id)


async def bench_told(folder: Path, said: bytes) -> Bench:
    """One whose machine says that and no more, once its stream is given up."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()
        ended.set()

    ended = asyncio.Event()
    bench = Bench(folder, scripted(act))
    bench.live.changed()
    async with asyncio.timeout(10):
        await ended.wait()
    return bench
