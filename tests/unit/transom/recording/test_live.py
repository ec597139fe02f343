"""The controller's side with the guest's own recorder at the other end, and with guests that keep to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeDriver, a_session
from tests.support.guest_files import scripted
from tests.support.waiting import until
from tests.unit.transom_guest.stream.test_mp4 import encoded
from transom.auth.limits import RateLimiter
from transom.model.clock import now_ms
from transom.model.recording import Recording, SegmentFile
from transom.model.session import Session, SessionState, Signin, SigninStage
from transom.recording import live as module
from transom.recording import shelf as shelves
from transom.recording.beats import BURST, BURST_S
from transom.recording.desk import RecordingDesk
from transom.recording.live import Live, Terms
from transom.recording.shelf import Shelf
from transom_guest.input.message import Key
from transom_guest.signin_pages.sight import Sight
from transom_guest.stream import page_guard, signin_page
from transom_guest.stream.hindsight import Hindsight
from transom_guest.stream.recorder import Recorder
from transom_guest.stream.records import Records
from transom_wire.codec import encode
from transom_wire.files import chunk
from transom_wire.framing import pack
from transom_wire.record import RecordState, SegmentComes

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


@pytest.fixture
async def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guest]:
    monkeypatch.setattr(signin_page, "SHOWN_S", 0.05)
    monkeypatch.setattr(signin_page, "AGAIN_S", 0.05)
    made = Guest(tmp_path / "record.sock")
    await made.serve()
    yield made
    made.serving.cancel()
    await asyncio.gather(made.serving, return_exceptions=True)


class Bench:
    def __init__(self, folder: Path, stream: Any, most: int = 100 * MIB) -> None:
        self.session = a_session(state=SessionState.READY)
        self.driver = FakeDriver()
        self.driver.stream = stream
        self.driver.machines[self.session.machine] = None  # type: ignore[assignment]
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
        path = self.live.shelf.timeline
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
async def bench(tmp_path: Path, guest: Guest) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "recordings", guest.open)
    made.live.changed()
    await until(lambda: guest.recorder.on)
    yield made
    await made.live.close()


async def test_segments_come_out_and_are_forgotten_inside(bench: Bench, guest: Guest) -> None:
    guest.frames()
    guest.recorder.felt(Key(1, 0x61, True), asyncio.get_running_loop().time())
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: bench.kept and not guest.recorder.waiting)
    (segment,) = bench.live.shelf.segments()
    assert abs(segment.at - now_ms()) < 5000 and (segment.width, segment.height) == (64, 64)
    path = bench.live.shelf.path(segment.number)
    assert path is not None and path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes()[4:8] == b"ftyp" and path.stat().st_size == segment.bytes
    assert bench.live.shelf.folder.stat().st_mode & 0o777 == 0o700
    lines = [line for line in bench.timeline() if line["kind"] != "unwatched"]
    assert [line["kind"] for line in lines] == ["start", "segment", "input"] and lines[2]["keys"] == 1


async def test_a_sign_in_waits_until_no_picture_is_taken(bench: Bench, guest: Guest) -> None:
    guest.frames()
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    assert not guest.recorder.on
    before = guest.recorder._numbers
    guest.frames()
    assert guest.recorder._numbers == before
    bench.signin(SigninStage.WAITING)
    await until(lambda: len(bench.kept) == 1)
    assert bench.live.state == "paused" and [line["kind"] for line in bench.timeline()].count("pause") == 1


async def test_it_goes_on_a_moment_after_a_sign_in_is_done(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.2)
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    assert bench.live.state == "paused"
    await until(lambda: guest.recorder.on)
    guest.frames()
    bench.live.changed(replace(bench.session, state=SessionState.STOPPING))
    await bench.live.end(5)
    assert len(bench.kept) == 1, "what was not finished came at the end"


async def test_after_a_pause_no_picture_is_taken_before_the_page_was_left(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    assert not guest.asked, "a recording that was not paused leaves no page"
    guest.browser.clear()
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    await until(lambda: guest.asked == 2 and bench.live.wanted == "on")
    await asyncio.sleep(0.2)
    assert not guest.recorder.on
    assert (bench.live.state, bench.live.page) == ("paused", "recorder"), "nothing is recorded yet"
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    assert not bench.live._intake._refused, "another sign-in meanwhile is paused for at once"
    guest.browser.set()
    await asyncio.sleep(0.2)
    assert not guest.recorder.on
    bench.signin(SigninStage.DONE)
    await until(lambda: guest.recorder.on)
    assert guest.asked == 3


async def test_a_controller_that_starts_anew_after_a_sign_in_has_the_page_left_as_well(
    bench: Bench, guest: Guest
) -> None:
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    await bench.live.close()
    guest.browser.clear()
    terms = Terms("always", 1, 100 * MIB)
    again = Live(bench.session, terms, bench.driver, bench.live.shelf, now_ms, bench._keep)
    again.changed()
    await until(lambda: guest.asked == 2)
    await asyncio.sleep(0.2)
    assert not guest.recorder.on
    guest.browser.set()
    await until(lambda: guest.recorder.on)
    await again.close()


async def test_a_stream_server_that_dies_in_a_pause_has_the_page_left_as_well(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_S", 0.3)
    guest.browser.clear()
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    assert guest.note.stat().st_mode & 0o777 == 0o600
    await guest.die()
    bench.signin(SigninStage.DONE)
    await until(lambda: bench.live.wanted == "on")
    await guest.serve()
    await until(lambda: guest.asked == 2)
    await asyncio.sleep(0.1)
    assert not guest.recorder.on
    guest.browser.set()
    await until(lambda: guest.recorder.on and not guest.note.exists())


async def test_a_page_to_sign_in_at_pauses_a_recording_and_its_going_ends_that(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_guard, "GONE_S", 0.2)
    monkeypatch.setattr(module, "PAGES_LEAST_S", 0.01)
    guest.shown.mkdir()
    await until(lambda: (bench.live.state, bench.live.page) == ("paused", "starting"))
    (guest.shown / "hello").touch()
    await until(lambda: bench.live.state == "on")
    with open(guest.shown / "123", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await until(lambda: (bench.live.state, bench.live.page) == ("paused", "shown"))
        assert guest.hindsight.wanted and not guest.hindsight.on
    await until(lambda: bench.live.page == "silent")
    (guest.shown / "123").unlink()
    await until(lambda: bench.live.state == "on" and guest.hindsight.on)
    await until(lambda: [line["kind"] for line in bench.timeline()].count("start") == 3)
    looks = [(line["kind"], line.get("why")) for line in bench.timeline() if line["kind"] != "unwatched"]
    assert looks == [
        ("start", None),
        ("pause", "starting"),
        ("start", None),
        ("pause", "shown"),
        ("start", None),
    ]


@pytest.mark.parametrize("dead", [False, True])
async def test_a_recording_begins_once_the_browser_has_started_and_one_that_never_speaks_is_silent(
    tmp_path: Path, guest: Guest, monkeypatch: pytest.MonkeyPatch, dead: bool
) -> None:
    monkeypatch.setattr(page_guard, "GONE_S", 0.1)
    monkeypatch.setattr(page_guard, "START_S", 0.2 if dead else 60.0)
    monkeypatch.setattr(module, "PAGES_LEAST_S", 0.01)
    guest.shown.mkdir()
    bench = Bench(tmp_path / "recordings", guest.open)
    bench.live.changed()
    await until(lambda: (bench.live.state, bench.live.page) == ("paused", "silent" if dead else "starting"))
    await until(lambda: guest.hindsight.wanted and not guest.hindsight.on)
    await until(lambda: bool(bench.timeline()) == dead)
    (guest.shown / "hello").touch()
    await until(lambda: bench.live.state == "on" and guest.hindsight.on)
    await until(lambda: "start" in [line["kind"] for line in bench.timeline()])
    looks = [(line["kind"], line.get("why")) for line in bench.timeline()]
    assert looks == [*([("pause", "silent")] if dead else []), ("start", None)]
    await bench.live.close()


async def test_a_desktop_whose_pages_nobody_looks_at_is_recorded_and_that_is_said(
    bench: Bench, guest: Guest
) -> None:
    await until(lambda: any(line["kind"] == "unwatched" for line in bench.timeline()))
    assert bench.live.state == "on" and guest.hindsight.on and bench.live.unwatched


async def test_a_pause_that_no_guest_heard_of_is_told_before_it_goes_on(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_S", 0.3)
    await guest.die()
    await until(lambda: bench.live._tape is None)
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    await until(lambda: bench.live.wanted == "on")
    assert not guest.note.exists()
    await guest.serve()
    await until(lambda: guest.recorder.on)
    assert guest.asked == 2, "the page was left"


async def test_a_stream_that_breaks_is_opened_again_and_loses_no_segment(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    guest.frames()
    assert bench.live._tape is not None
    bench.live._tape.cut()
    await until(lambda: guest.streams == 2 and bench.kept)
    assert len(bench.kept) == 1
    assert "lost" not in [line["kind"] for line in bench.timeline()]


async def test_what_a_crash_of_the_stream_server_took_is_in_the_timeline(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_MOST_S", 0.2)
    await until(lambda: bench.live.state == "on")
    bench.live.watched()
    guest.frames()
    began = now_ms()
    await guest.die()
    await until(lambda: bench.live._tape is None)
    assert (bench.live.state, bench.live.page) == ("paused", "recorder"), "nothing is recorded"
    await guest.serve()
    await until(lambda: bench.live.state == "on" and guest.recorder.on)
    guest.frames()
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: bench.kept)
    (lost,) = [line for line in bench.timeline() if line["kind"] == "lost"]
    assert lost["why"] == "crashed" and lost["at_ms"] - 5000 < began <= lost["until_ms"] <= now_ms()
    (segment,) = bench.live.shelf.segments()
    assert segment.at >= lost["until_ms"]


async def test_what_the_end_of_a_machine_took_is_in_the_timeline(bench: Bench, guest: Guest) -> None:
    await until(lambda: bench.live.state == "on")
    bench.live.watched()
    guest.frames()
    await asyncio.sleep(0.05)
    await guest.die()
    await until(lambda: bench.live._tape is None)
    bench.live.changed(replace(bench.session, state=SessionState.FAILED))
    await bench.live.end(5)
    assert [line["kind"] for line in bench.timeline()].count("lost") == 1


async def test_a_full_disk_is_said_and_the_recording_goes_on_when_there_is_room(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_MOST_S", 0.2)
    monkeypatch.setattr(shelves, "RESERVE", 2**62)
    guest.frames()
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: (bench.live.state, bench.live.page) == ("paused", "full"))
    await asyncio.sleep(1)
    assert guest.streams == 1, "it is not asked again and again for what cannot be kept"
    assert not guest.recorder.on and not bench.kept
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.FAILED)
    bench.live.released = "flw_a"
    monkeypatch.setattr(shelves, "RESERVE", 0)
    bench.live.changed()
    await until(lambda: bench.live.state == "on" and guest.recorder.on)
    assert guest.streams == 2
    guest.frames()
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: bench.kept)
    kinds = [(line["kind"], line.get("why")) for line in bench.timeline() if line["kind"] != "unwatched"]
    assert kinds[:2] == [("start", None), ("pause", "full")]
    assert ("segment", None) in kinds[2:] and ("pause", "full") not in kinds[2:]


@pytest.mark.parametrize("fails", ["begin", "keep"])
async def test_a_disk_that_takes_nothing_is_tried_ever_more_seldom(
    tmp_path: Path, guest: Guest, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """A quota, say, of which statvfs(3) does not know."""

    def refuses(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    bench = Bench(tmp_path / "recordings", guest.open)
    with monkeypatch.context() as full:
        full.setattr(module, "AGAIN_S", 0.05)
        full.setattr(Shelf, fails, refuses)
        bench.live.changed()
        await until(lambda: guest.recorder.on)
        guest.frames()
        guest.recorder.finish(asyncio.get_running_loop().time())
        await until(lambda: bench.live.page == "full")
        await asyncio.sleep(1.5)
        assert 2 <= guest.streams <= 6
    await until(lambda: bench.kept)
    await bench.live.close()


async def test_a_guest_that_has_said_nothing_yet_has_not_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.3)
    told: list[str] = []

    async def act(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError):
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                told.append(json.loads(await reader.readexactly(size))["state"])

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
        said = json.loads(await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big")))
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
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()
        ended.set()

    ended = asyncio.Event()
    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    async with asyncio.timeout(10):
        await ended.wait()
    await bench.live.close()
    assert bench.live.shelf.segments() == [] and not bench.kept


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
    recording, recording_mib, recording_days, recording_segment_s = "ask", 100, 7, 1
    recording_total_mib = 200


def few() -> Callable[[str], int]:
    """As the controller has it."""
    return RateLimiter(count=BURST, seconds=BURST_S).allow


async def test_a_choice_outlives_the_controller_and_age_removes(tmp_path: Path, guest: Guest) -> None:
    driver, rows, now = FakeDriver(), Rows(), [now_ms()]
    driver.stream = guest.open
    session = a_session(state=SessionState.READY)
    driver.machines[session.machine] = None  # type: ignore[assignment]

    async def desk() -> RecordingDesk:
        made = RecordingDesk(driver, rows, rows, Rules(), tmp_path / "r", lambda: now[0], few())
        await made.open()
        made.noticed(session)
        return made

    first = await desk()
    assert first.state(session.id) == "off"
    await first.choose(session, on=True)
    await until(lambda: guest.recorder.on)
    await first.close()
    await until(lambda: not guest.recorder.on)
    second = await desk()
    await until(lambda: guest.recorder.on)
    guest.frames()
    second.felt(session.id, keys=3, buttons=1, wheel=0)
    second.felt("another", keys=9, buttons=9, wheel=9)
    timeline = second.shelf(session.id).timeline
    await until(lambda: timeline.exists() and '"input"' in timeline.read_text())
    (felt,) = [line for line in map(json.loads, timeline.read_text().splitlines()) if line["kind"] == "input"]
    assert felt == {"at_ms": now[0], "kind": "input", "rung": "vnc", "keys": 3, "buttons": 1, "wheel": 0}
    second.noticed(replace(session, state=SessionState.STOPPING))
    await second.parting(session)
    second.noticed(replace(session, state=SessionState.ENDED))
    await until(lambda: rows.rows[session.id].ended_at)
    assert rows.rows[session.id].segments == 1 and len(await second.segments(session.id)) == 1
    await second.prune()
    assert session.id in rows.rows
    now[0] += 8 * 86_400_000
    await second.prune()
    assert not rows.rows and not list((tmp_path / "r").iterdir()) and rows.trail == ["recording_on"]
    await second.close()


async def test_age_and_a_limit_of_all_take_of_sessions_that_live(tmp_path: Path, guest: Guest) -> None:
    driver, rows, now = FakeDriver(), Rows(), [now_ms()]
    driver.stream = guest.open
    session = a_session(state=SessionState.READY)
    driver.machines[session.machine] = None  # type: ignore[assignment]
    desk = RecordingDesk(driver, rows, rows, Rules(), tmp_path / "r", lambda: now[0], few())
    await desk.open()
    desk.noticed(session)
    await desk.choose(session, on=True)
    await until(lambda: guest.recorder.on)
    guest.frames()
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: rows.rows[session.id].segments == 1)
    await desk.prune()
    assert len(await desk.segments(session.id)) == 1
    now[0] += 8 * 86_400_000
    await desk.prune()
    assert not await desk.segments(session.id) and desk.state(session.id) == "on"
    assert rows.rows[session.id].segments == 0 and rows.rows[session.id].ended_at is None
    *_, said = map(json.loads, desk.shelf(session.id).timeline.read_text().splitlines())
    assert said == {"at_ms": now[0], "kind": "dropped", "why": "age", "first": 1, "last": 1}
    desk._stock._most = 1
    guest.frames()
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: '"why":"total"' in desk.shelf(session.id).timeline.read_text())
    await until(lambda: rows.rows[session.id].segments == 0)
    await desk.close()


async def test_each_viewer_has_rungs_of_its_own(tmp_path: Path, guest: Guest) -> None:
    driver, rows = FakeDriver(), Rows()
    driver.stream = guest.open
    session = a_session(state=SessionState.READY)
    driver.machines[session.machine] = None  # type: ignore[assignment]
    desk = RecordingDesk(driver, rows, rows, Rules(), tmp_path / "r", now_ms, few())
    desk.noticed(session)
    await desk.choose(session, on=True)
    for _ in range(3):
        desk.beat(session.id, "near", "webrtc", {"kbps": 900})
        desk.beat(session.id, "far", "vnc", {})
    desk.beat(session.id, "far", "webrtc", {})
    await desk.close()
    lines = [json.loads(line) for line in desk.shelf(session.id).timeline.read_text().splitlines()]
    rungs = sorted((line["viewer"], line["rung"]) for line in lines if line["kind"] == "rung")
    assert rungs == [("far", "vnc"), ("far", "webrtc"), ("near", "webrtc")]
    quality = [(line["viewer"], line["kbps"]) for line in lines if line["kind"] == "quality"]
    assert quality == [("near", 900)] * 3
    for number in range(200):
        desk.beat(session.id, f"peer{number}", "webrtc", {})
    await desk.close()
    assert len(desk.shelf(session.id).timeline.read_text().splitlines()) < len(lines) + 40


async def test_after_a_removal_the_rungs_are_told_anew(tmp_path: Path, guest: Guest) -> None:
    driver, rows = FakeDriver(), Rows()
    driver.stream = guest.open
    session = a_session(state=SessionState.READY)
    driver.machines[session.machine] = None  # type: ignore[assignment]
    desk = RecordingDesk(driver, rows, rows, Rules(), tmp_path / "r", now_ms, few())
    desk.noticed(session)
    await desk.choose(session, on=True)
    desk.beat(session.id, "tab", "webrtc", {})
    timeline = desk.shelf(session.id).timeline
    await until(lambda: timeline.exists() and '"rung"' in timeline.read_text())
    await desk.remove(session.id, by=session.user)
    desk.beat(session.id, "tab", "webrtc", {})
    await desk.close()
    lines = map(json.loads, timeline.read_text().splitlines())
    assert [line["rung"] for line in lines if line["kind"] == "rung"] == ["webrtc"]


async def test_nothing_of_before_a_removal_is_kept_after_it(tmp_path: Path, guest: Guest) -> None:
    driver, rows = FakeDriver(), Rows()
    driver.stream = guest.open
    session = a_session(state=SessionState.READY)
    driver.machines[session.machine] = None  # type: ignore[assignment]
    desk = RecordingDesk(driver, rows, rows, Rules(), tmp_path / "r", now_ms, few())
    desk.noticed(session)
    await desk.choose(session, on=True)
    await until(lambda: guest.recorder.on)
    guest.frames()
    await asyncio.sleep(0.3)
    removed, run = now_ms(), guest.recorder._wish.run
    await desk.remove(session.id, by=session.user)
    await until(lambda: guest.recorder._wish.run > run and not guest.recorder.waiting)
    assert guest.recorder._numbers == 1, "it was handed over"
    guest.frames()
    guest.recorder.finish(asyncio.get_running_loop().time())
    await until(lambda: rows.rows[session.id].segments == 1)
    (kept,) = await desk.segments(session.id)
    assert kept.at >= removed - 20 and rows.rows[session.id].started_at >= removed
    lines = list(map(json.loads, desk.shelf(session.id).timeline.read_text().splitlines()))
    assert {line["kind"] for line in lines} == {"start", "unwatched", "segment"}
    assert all(line["at_ms"] >= removed - 20 for line in lines)
    desk.noticed(replace(session, signin=Signin("flw_a", "demo", SigninStage.PENDING)))
    await until(lambda: '"pause"' in desk.shelf(session.id).timeline.read_text())
    await desk.remove(session.id, by=session.user)
    await until(desk.shelf(session.id).timeline.exists)
    assert [json.loads(desk.shelf(session.id).timeline.read_text())["kind"]] == ["pause"]
    await desk.close()


async def test_a_segment_that_is_just_coming_is_removed_as_well(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def read() -> dict[str, Any]:
            said: dict[str, Any] = json.loads(
                await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            )
            return said

        first = await read()
        writer.write(pack(encode(RecordState("on", first["run"]))))
        writer.write(pack(encode(SegmentComes(1, first["run"], 10, 10, 64, 64, 5))) + chunk(b"123"))
        second = await read()
        writer.write(chunk(b"45") + chunk(b""))
        said.extend([first, second, await read()])
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


async def test_switched_off_and_on_again_it_is_on_once_the_guest_records(
    tmp_path: Path, guest: Guest
) -> None:
    driver, rows = FakeDriver(), Rows()
    driver.stream = guest.open
    session = a_session(state=SessionState.READY)
    driver.machines[session.machine] = None  # type: ignore[assignment]
    desk = RecordingDesk(driver, rows, rows, Rules(), tmp_path / "r", now_ms, few())
    desk.noticed(session)
    await desk.choose(session, on=True)
    assert (desk.state(session.id), desk.why(session.id)) == ("paused", "recorder")
    await until(lambda: desk.state(session.id) == "on")
    assert guest.hindsight.on
    await desk.choose(session, on=False)
    await until(lambda: not guest.hindsight.wanted)
    await desk.choose(session, on=True)
    assert (desk.state(session.id), desk.why(session.id)) == ("paused", "recorder")
    await until(lambda: desk.state(session.id) == "on")
    assert guest.hindsight.on
    await desk.close()
