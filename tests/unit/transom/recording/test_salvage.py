"""What a crash leaves of a recording: all that was handed over of the segment that was open."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.support.guest_files import scripted
from tests.support.waiting import until
from tests.unit.transom.recording.bench import MIB, Bench, Guest, Office, bench_told, lines
from tests.unit.transom.recording.test_intake import heard
from transom.model.clock import now_ms
from transom.model.session import SessionState, SigninStage
from transom.recording import live as module
from transom.recording.drafts import found, taken
from transom.recording.live import Live, Terms
from transom.recording.shelf import Shelf
from transom_guest.input.message import Key
from transom_wire.codec import encode
from transom_wire.files import chunk
from transom_wire.framing import pack
from transom_wire.record import PartComes, RecordState, SegmentComes


def frames(shelf: Shelf) -> list[int]:
    """How many a decoder finds in each segment."""
    counts = []
    for each in shelf.segments():
        with av.open(str(shelf.file(each))) as container:
            counts.append(len(list(container.decode(video=0))))
    return counts


async def opened(shelf: Shelf, before: int = 0) -> int:
    """More of the segment that is open has come."""
    await until(lambda: taken(shelf.folder) > before)
    return taken(shelf.folder)


async def test_what_came_of_a_segment_before_a_crash_is_one(bench: Bench, guest: Guest) -> None:
    shelf = bench.live.shelf
    await until(lambda: bench.live.state == "on")
    bench.live.watched()
    guest.frames()
    guest.recorder.felt(Key(1, 0x61, True), asyncio.get_running_loop().time())
    had = await opened(shelf)
    guest.frames(1)
    await opened(shelf, had)
    assert shelf.segments() == [] and not bench.kept
    await asyncio.sleep(0.3)  # what is lost is some time
    await guest.die()
    await until(lambda: bench.live._tape is None)
    await guest.serve()
    await until(lambda: bench.live.state == "on" and guest.recorder.on)
    guest.frames()
    await until(lambda: bench.kept)
    (kept,) = shelf.segments()
    assert frames(shelf) == [6] and kept.bytes == shelf.file(kept).stat().st_size
    told = bench.timeline()
    assert [line["keys"] for line in told if line["kind"] == "input"] == [1]
    assert [line["number"] for line in told if line["kind"] == "segment"] == [1]
    await until(lambda: any(line["kind"] == "lost" for line in bench.timeline()))
    (lost,) = [line for line in bench.timeline() if line["kind"] == "lost"]
    assert abs(lost["at_ms"] - (kept.at + kept.duration_ms)) < 100, "from its end on"
    guest.finish()
    await until(lambda: len(bench.kept) == 2)
    assert frames(shelf) == [6, 5] and not found(shelf.folder)


async def test_a_segment_that_is_finished_takes_the_place_of_its_parts(bench: Bench, guest: Guest) -> None:
    guest.frames()
    await opened(bench.live.shelf)
    guest.finish()
    await until(lambda: bench.kept and not guest.recorder.waiting)
    assert frames(bench.live.shelf) == [5] and not found(bench.live.shelf.folder)
    assert b"moof" not in bench.live.shelf.file(bench.kept[0]).read_bytes()


async def test_the_end_of_a_machine_leaves_what_came(bench: Bench, guest: Guest) -> None:
    guest.frames()
    await opened(bench.live.shelf)
    await guest.die()
    bench.live.changed(replace(bench.session, state=SessionState.FAILED))
    await bench.live.end(5)
    assert frames(bench.live.shelf) == [5] and len(bench.kept) == 1


async def test_a_controller_that_starts_anew_goes_on_with_it(bench: Bench, guest: Guest) -> None:
    shelf = bench.live.shelf
    guest.frames()
    await opened(shelf)
    await bench.live.close()
    (draft,) = found(shelf.folder)
    with av.open(str(shelf.folder / draft.name)) as container:
        assert len(list(container.decode(video=0))) == 5
    terms = Terms("always", 1, 100 * MIB)
    again = Live(bench.session, terms, bench.driver, Shelf(shelf.folder), now_ms, bench._keep)
    again.changed()
    await until(lambda: bench.kept and again.state == "on")
    assert frames(shelf) == [5] and not found(shelf.folder), "it was finished, and came whole"
    guest.frames()
    await opened(shelf)
    await again.close()
    await guest.die()
    await guest.serve()
    third = Live(bench.session, terms, bench.driver, Shelf(shelf.folder), now_ms, bench._keep)
    third.changed()
    await until(lambda: third.state == "on" and guest.recorder.on)
    guest.frames()
    await until(lambda: len(bench.kept) == 2)
    assert frames(shelf) == [5, 5], "of that there is only what came"
    await third.close()


async def test_a_recording_whose_machine_ended_while_no_controller_was_there_has_what_came(
    office: Office, guest: Guest
) -> None:
    await office.record()
    await until(lambda: guest.recorder.on)
    guest.frames()
    await opened(office.shelf)
    await office.desk.prune()
    assert taken(office.shelf.folder), "of a session that lives nothing is closed"
    await office.desk.close()
    await guest.die()
    office.session = replace(office.session, state=SessionState.FAILED)
    await office.open()
    await office.desk.prune()
    assert frames(office.shelf) == [5] and office.row.segments == 1
    assert [line["kind"] for line in lines(office.shelf)].count("segment") == 1


async def test_a_recording_that_is_removed_keeps_no_part(office: Office, guest: Guest) -> None:
    await office.record()
    await until(lambda: guest.recorder.on)
    guest.frames()
    await opened(office.shelf)
    await until(lambda: office.desk._stock._weights)
    await office.desk.remove(office.session.id, by=office.session.user)
    assert not office.shelf.folder.exists() and not office.desk._stock._weights
    guest.frames(1)
    await asyncio.sleep(1)
    assert not found(office.shelf.folder), "nor what comes of before"


async def test_parts_of_a_guest_that_does_not_pause_are_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = (await heard(reader))["run"]
        runs.append(run)
        writer.write(pack(encode(RecordState("on", run))))
        comes = PartComes(1, runs[0], 10, 10, 64, 64, 5, first=True)
        writer.write(pack(encode(comes)) + chunk(b"12345") + chunk(b""))
        await reader.read()

    monkeypatch.setattr(module, "PAUSE_S", 0.3)
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    runs: list[int] = []
    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    await opened(bench.live.shelf)
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    await until(lambda: len(runs) == 2)
    bench.live.changed(replace(bench.session, state=SessionState.FAILED))
    await bench.live.end(1)
    assert not bench.kept and not bench.live.shelf.segments() and not found(bench.live.shelf.folder)


@pytest.mark.parametrize(
    "said",
    [
        pack(encode(PartComes(1, 1, 10, 10, 64, 64, 5, first=True))) + chunk(b"123456"),
        pack(encode(PartComes(1, 1, 10, 10, 64, 64, 5, first=True))) + chunk(b"123") + chunk(b""),
        pack(encode(PartComes(1, 1, 10, 10, 64, 64, 5, first=True))) + b"\x7f\xff\xff\xff",
        pack(encode(PartComes(1, 1, 10, 10, 64, 64, 5))) + chunk(b"12345") + chunk(b"") + b"\xff" * 4,
        pack(json.dumps({"type": "part_comes", "number": 1}).encode()),
    ],
)
async def test_garbage_leaves_no_part(tmp_path: Path, said: bytes) -> None:
    bench = await bench_told(tmp_path, said)
    bench.live.changed(replace(bench.session, state=SessionState.FAILED))
    await bench.live.end(5)
    assert bench.live.shelf.segments() == [] and not found(bench.live.shelf.folder)


async def test_a_part_that_is_just_coming_is_removed_as_well(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = (await heard(reader))["run"]
        writer.write(pack(encode(RecordState("on", run))))
        comes = PartComes(1, run, 10, 10, 64, 64, 5, first=True)
        writer.write(pack(encode(comes)) + chunk(b"123"))
        await heard(reader)
        writer.write(chunk(b"45") + chunk(b""))
        writer.write(pack(encode(SegmentComes(1, run, 10, 10, 64, 64, 5))) + chunk(b"12345") + chunk(b""))
        said.append(await heard(reader))
        await reader.read()

    said: list[dict[str, object]] = []
    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    await until(lambda: found(bench.live.shelf.folder))
    async with bench.live.anew():
        bench.live.shelf.remove()
    await until(lambda: said)
    assert said[0]["type"] == "segment_taken", "the stream went on"
    assert not bench.kept and bench.live.shelf.segments() == [] and not found(bench.live.shelf.folder)
    await bench.live.close()


async def test_a_segment_after_one_that_never_came_whole_makes_that_one_of_its_parts(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = (await heard(reader))["run"]
        for number in (2, 1, 3):
            if number == 2:
                comes: SegmentComes = PartComes(number, run, 10_000, 10, 64, 64, 5, first=True)
            else:
                comes = SegmentComes(number, run, 5000 * (4 - number), 10, 64, 64, number)
            writer.write(pack(encode(comes)) + chunk(b"12345"[: comes.size]) + chunk(b""))
        await reader.read()

    bench = Bench(tmp_path, scripted(act))
    bench.live.changed()
    await until(lambda: len(bench.kept) == 3)
    assert [each.bytes for each in bench.live.shelf.segments()] == [1, 5, 3]
    await bench.live.close()
