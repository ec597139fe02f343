"""Segments that are not finished: what is kept of them, what becomes of it, and what a guest can do with that."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.recording.test_shelf import put
from transom.recording import drafts as module
from transom.recording.drafts import Draft, Drafts, expire, found, taken
from transom.recording.shelf import FILE_COST, Shelf
from transom_wire.record import PartComes

MOST = 100 * 2**20


def part(size: int, *, run: int = 1, number: int = 1, first: bool = False) -> PartComes:
    return PartComes(number, run, 0, 1000, 64, 48, size, first=first)


def add(drafts: Drafts, comes: PartComes, *, torn: bool = False) -> bool:
    """As the intake does; whether it was taken."""
    file = drafts.begin(comes, 10_000)
    if file is None:
        return False
    with file:
        file.write(b"x" * (comes.size // 2 if torn else comes.size))
    if not torn:
        drafts.grow(comes, 20_000)
    return True


def made(drafts: Drafts) -> list[int]:
    """Bytes of the segments that are made of what there is."""
    return [segment.bytes for _, segment in drafts.settle(lambda _: True, lambda _: False)]


def test_it_grows_and_becomes_a_segment(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "ses")
    drafts = Drafts(shelf, MOST)
    assert add(drafts, part(100, first=True)) and add(drafts, part(50))
    assert found(shelf.folder) == [Draft(1, 1, 10_000, 1000, 64, 48, 150)] and taken(shelf.folder) == 150
    assert shelf.segments() == [], "it may still be finished"
    assert made(Drafts(Shelf(shelf.folder), MOST)) == [150], "also by another process"
    (segment,) = shelf.segments()
    assert (segment.number, segment.at, segment.duration_ms, segment.bytes) == (1, 10_000, 1000, 150)
    assert shelf.file(segment).stat().st_mode & 0o777 == 0o600 and found(shelf.folder) == []


def test_a_part_that_ends_in_its_middle_is_not_in_it(tmp_path: Path) -> None:
    drafts = Drafts(Shelf(tmp_path), MOST)
    add(drafts, part(100, first=True))
    add(drafts, part(50), torn=True)
    assert made(drafts) == [100] and Shelf(tmp_path).segments()[0].bytes == 100


def test_one_that_begins_anew_replaces_the_old_once_it_is_whole(tmp_path: Path) -> None:
    drafts = Drafts(Shelf(tmp_path), MOST)
    add(drafts, part(100, first=True))
    again = Drafts(Shelf(tmp_path), MOST)
    add(again, part(300, first=True), torn=True)
    assert taken(tmp_path) == 100
    add(again, part(120, first=True))
    assert taken(tmp_path) == 120 and made(again) == [120]


def test_a_finished_segment_takes_its_place_and_what_is_of_a_refused_run_is_kept_by_nobody(
    tmp_path: Path,
) -> None:
    drafts = Drafts(Shelf(tmp_path), MOST)
    add(drafts, part(100, first=True, number=3))
    drafts.drop(1, 2)
    assert taken(tmp_path) == 100
    drafts.drop(1, 3)
    add(drafts, part(100, first=True, run=2))
    assert drafts.settle(lambda _: True, lambda run: run == 2) == []
    assert not list(tmp_path.iterdir())


def test_the_oldest_go_for_it_as_it_grows(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(4):
        put(shelf, number * 10_000, b"x" * 2**20)
    drafts = Drafts(shelf, 4 * 2**20)
    add(drafts, part(FILE_COST, first=True))
    assert [each.number for each in shelf.segments()] == [2, 3, 4]
    for _ in range(2):
        add(drafts, part(2**20))
    assert [each.number for each in shelf.segments()] == [4]
    for _ in range(2):
        add(drafts, part(2**20))
    assert shelf.segments() == [] and taken(tmp_path) == FILE_COST + 4 * 2**20


def test_age_takes_it(tmp_path: Path) -> None:
    add(Drafts(Shelf(tmp_path), MOST), part(100, first=True))
    expire(tmp_path, 11_000)
    assert taken(tmp_path) == 100
    expire(tmp_path, 11_001)
    assert not list(tmp_path.iterdir())


@given(
    st.lists(
        st.builds(
            part,
            st.integers(1, 600),
            run=st.integers(1, 2),
            number=st.integers(1, 2),
            first=st.booleans(),
        )
        | st.none(),
        max_size=30,
    ),
    st.sets(st.integers(0, 29)),
)
def test_whatever_parts_come_one_is_as_large_as_a_segment_may_be_and_has_whole_ones_alone(
    tmp_path_factory: pytest.TempPathFactory, comes: list[PartComes | None], torn: set[int]
) -> None:
    folder: Path = tmp_path_factory.mktemp("drafts")
    drafts = Drafts(Shelf(folder), MOST)
    whole: dict[tuple[int, int], int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SEGMENT_BYTES", 1000)
        for number, each in enumerate(comes):
            if each is None:  # another process
                drafts = Drafts(Shelf(folder), MOST)
                continue
            which = each.run, each.number
            if add(drafts, each, torn=number in torn) and number not in torn:
                whole[which] = each.size + (0 if each.first else whole[which])
            there = {draft.which: draft.bytes for draft in found(folder) if draft.bytes}
            assert there == whole and all(size <= 1000 for size in there.values())
    assert sorted(made(drafts)) == sorted(whole.values())
