"""With the guest's own recorder at the other end: what is kept, and what breaks."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.unit.transom.recording.bench import Bench, Guest
from transom.model.clock import now_ms
from transom.model.session import SessionState, SigninStage
from transom.recording import live as module
from transom.recording import shelf as shelves
from transom.recording.shelf import Shelf
from transom_guest.input.message import Key


async def test_segments_come_out_and_are_forgotten_inside(bench: Bench, guest: Guest) -> None:
    guest.frames()
    guest.recorder.felt(Key(1, 0x61, True), asyncio.get_running_loop().time())
    guest.finish()
    await until(lambda: bench.kept and not guest.recorder.waiting)
    (segment,) = bench.live.shelf.segments()
    assert abs(segment.at - now_ms()) < 5000 and (segment.width, segment.height) == (64, 64)
    path = bench.live.shelf.path(segment.number)
    assert path is not None and path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes()[4:8] == b"ftyp" and path.stat().st_size == segment.bytes
    assert bench.live.shelf.folder.stat().st_mode & 0o777 == 0o700
    lines = [line for line in bench.timeline() if line["kind"] != "unwatched"]
    assert [line["kind"] for line in lines] == ["start", "segment", "input"] and lines[2]["keys"] == 1


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
    guest.segment()
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
    guest.segment()
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
    guest.segment()
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
        guest.finish()
        await until(lambda: bench.live.page == "full")
        await asyncio.sleep(1.5)
        assert 2 <= guest.streams <= 6
    await until(lambda: bench.kept)
    await bench.live.close()
