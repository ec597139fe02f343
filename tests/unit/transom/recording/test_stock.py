from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.recording.test_drafts import MOST, add, part
from tests.unit.transom.recording.test_shelf import put
from transom.model.ids import new_id
from transom.model.recording import SegmentFile
from transom.recording.drafts import Drafts, taken
from transom.recording.shelf import Shelf, weight
from transom.recording.stock import ROOM, Stock, eldest

KIB = 1024
ONE, TWO = new_id("ses"), new_id("ses")


def numbers(shelf: Shelf) -> list[int]:
    return [each.number for each in shelf.segments()]


async def test_the_oldest_of_all_go_and_their_timelines_say_so(tmp_path: Path) -> None:
    stock = Stock(tmp_path, 1000 * KIB, lambda: 5_000_000)
    one, two = stock.shelf(ONE), stock.shelf(TWO)
    for minute in range(4):
        put(one, minute * 60_000, b"x" * 100 * KIB)
        put(two, minute * 60_000 + 30_000, b"x" * 200 * KIB)
    assert await stock.fit() == [], "nobody has weighed them"
    await stock.count()
    assert sorted(await stock.fit()) == sorted([ONE, TWO])
    assert (numbers(one), numbers(two)) == ([2, 3, 4], [2, 3, 4])
    told = [json.loads(line) for line in one.timeline.read_text().splitlines()]
    assert told == [{"at_ms": 5_000_000, "kind": "dropped", "why": "total", "first": 1, "last": 1}]
    assert await stock.fit() == []


async def test_what_goes_is_weighed_no_more_and_its_numbers_are_not_given_again(tmp_path: Path) -> None:
    stock = Stock(tmp_path, 300 * KIB, lambda: 1)
    for at in (10_000, 20_000, 30_000):
        put(stock.shelf(ONE), at, b"x" * 100 * KIB)
    put(stock.shelf(TWO), 40_000, b"x" * 290 * KIB)
    stock.weigh(ONE, stock.shelf(ONE).segments())
    stock.weigh(TWO, stock.shelf(TWO).segments())
    assert await stock.fit() == [ONE, TWO], "the newest is larger than what all may be"
    assert numbers(stock.shelf(ONE)) == numbers(stock.shelf(TWO)) == []
    put(stock.shelf(ONE), 50_000, b"x")
    assert numbers(stock.shelf(ONE)) == [4]
    stock.weigh(ONE, stock.shelf(ONE).segments())
    assert await stock.fit() == []
    stock.weigh(ONE, ())
    assert stock.sessions() and not Stock(tmp_path / "none", 1, lambda: 1).sessions()


segments = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 400 * KIB)), max_size=6)


@given(st.dictionaries(st.sampled_from("abc"), segments), st.integers(0, 1000 * KIB))
def test_as_many_go_as_must_and_each_session_s_in_their_order(
    kept: dict[str, list[tuple[int, int]]], most: int
) -> None:
    there = {
        session: [SegmentFile(n, at, 1, 1, 1, size) for n, (at, size) in enumerate(each, 1)]
        for session, each in kept.items()
    }
    goes = eldest(there, most)
    rest = [each for name, all_ in there.items() for each in all_[len(goes.get(name, ())) :]]
    assert all(gone == there[name][: len(gone)] and gone for name, gone in goes.items())
    assert sum(map(weight, rest)) <= most
    last = [gone[-1] for gone in goes.values()]
    assert not last or any(sum(map(weight, [*rest, each])) > most for each in last)
    assert 0 < ROOM < 0.5


async def test_what_is_not_finished_counts_as_well(tmp_path: Path) -> None:
    stock = Stock(tmp_path, 1000 * KIB, lambda: 1)
    put(stock.shelf(ONE), 10_000, b"x" * 400 * KIB)
    put(stock.shelf(TWO), 20_000, b"x" * 400 * KIB)
    await stock.count()
    assert await stock.fit() == []
    add(Drafts(stock.shelf(TWO), MOST), part(300 * KIB, first=True))
    await stock.count()
    assert await stock.fit() == [ONE]
    assert (numbers(stock.shelf(ONE)), numbers(stock.shelf(TWO))) == ([], [1])
    assert taken(stock.shelf(TWO).folder) == 300 * KIB and await stock.fit() == []
