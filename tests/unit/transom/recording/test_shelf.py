from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from transom.model.errors import Full
from transom.model.recording import SegmentFile
from transom.recording import shelf as module
from transom.recording.shelf import Shelf
from transom_wire.record import SegmentComes


def put(shelf: Shelf, at: int, data: bytes, most: int = 10_000_000) -> SegmentFile | None:
    with shelf.begin() as file:
        file.write(data)
    return shelf.keep(SegmentComes(1, 1, 0, 1000, 64, 48, len(data)), at, most)


def test_the_names_are_the_index(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "ses")
    put(shelf, 10_000, b"one")
    put(shelf, 20_000, b"four")
    for junk in ("coming", "000003-x.mp4", "timeline.jsonl", "000009-1-1-1x1.mp4.part"):
        (shelf.folder / junk).touch()
    assert Shelf(tmp_path / "ses").segments() == [
        SegmentFile(1, 10_000, 1000, 64, 48, 3),
        SegmentFile(2, 20_000, 1000, 64, 48, 4),
    ]
    assert shelf.path(2) == shelf.folder / "000002-20000-1000-64x48.mp4" and shelf.path(3) is None


def test_the_oldest_go_and_the_newest_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(5):
        put(shelf, number * 10_000, b"x" * 100_000, most=250_000)
    assert [each.number for each in shelf.segments()] == [4, 5]
    put(shelf, 90_000, b"x" * 1_000_000, most=250_000)
    assert [each.number for each in shelf.segments()] == [6]


def test_small_segments_cost_what_their_files_do(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(40):
        put(shelf, number * 10_000, b"x", most=2**20)
    assert [each.number for each in shelf.segments()] == list(range(25, 41))


def test_there_are_so_many_files_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    shelf = Shelf(tmp_path)
    for number in range(5):
        put(shelf, number * 10_000, b"x", most=2**30)
    assert [each.number for each in shelf.segments()] == [3, 4, 5]


def test_a_number_that_no_name_holds_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    (tmp_path / "999999-10000-1000-64x48.mp4").write_bytes(b"last")
    with pytest.raises(Full):
        put(shelf, 20_000, b"one more")
    assert os.listdir(tmp_path) == ["999999-10000-1000-64x48.mp4"]


def test_one_that_is_sent_again_is_kept_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert put(shelf, 10_000, b"one") is not None
    assert put(shelf, 10_040, b"one") is None
    assert len(shelf.segments()) == 1 and not (tmp_path / "coming").exists()


def test_a_timeline_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path / "new")
    shelf.note({"a": 1}, {"b": "\n"})
    assert shelf.timeline.read_text() == '{"a":1}\n{"b":"\\n"}\n'
    monkeypatch.setattr(module, "TIMELINE_BYTES", 30)
    shelf.note({"at_ms": 5, "kind": "pause"})
    shelf.note({"at_ms": 6, "kind": "quality"})
    assert shelf.timeline.read_text().splitlines()[2:] == [
        '{"at_ms":5,"kind":"pause"}',
        '{"at_ms":5,"kind":"full"}',
    ]
    shelf.remove()
    shelf.remove()
    assert not shelf.folder.exists()


def lines(shelf: Shelf) -> list[dict[str, object]]:
    return [json.loads(line) for line in shelf.timeline.read_text().splitlines()]


def test_what_goes_for_newer_ones_is_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(4):
        put(shelf, number * 10_000, b"x" * 100_000, most=250_000)
    assert lines(shelf) == [
        {"at_ms": at, "kind": "dropped", "why": "size", "first": number, "last": number}
        for at, number in ((21_000, 1), (31_000, 2))
    ]


def test_age_takes_segments_and_what_the_timeline_has_of_their_time(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for at in (10_000, 20_000, 30_000):
        put(shelf, at, b"one more")
        shelf.note({"at_ms": at, "kind": "segment", "number": at // 10_000})
    with shelf.timeline.open("a") as file:
        file.write('{"at_ms": 31000, "kind": "inp')
    assert shelf.expire(21_500, 50_000)
    assert [each.number for each in shelf.segments()] == [3]
    assert lines(shelf)[-1] == {"at_ms": 50_000, "kind": "dropped", "why": "age", "first": 1, "last": 2}
    assert [line["at_ms"] for line in lines(shelf)] == [30_000, 50_000]
    assert shelf.timeline.stat().st_mode & 0o777 == 0o600
    assert not shelf.expire(21_500, 60_000) and not (tmp_path / "timeline.part").exists()
    assert shelf.expire(90_000, 90_000) and not shelf.segments()
    put(shelf, 90_000, b"and on")
    assert [each.number for each in shelf.segments()] == [4]
    assert not Shelf(tmp_path / "none").expire(90_000, 90_000)
