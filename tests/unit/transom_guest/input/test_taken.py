from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.input.taken import MOST, SIZE, Taken, kept_at


def test_of_a_connection_the_last_number_is_told_and_nothing_is_taken_after_that() -> None:
    taken = Taken()
    taken.begin("page/1")
    assert taken.close("other/1") is None
    taken.begin("other/1")
    taken.felt("page/1", 3)
    taken.felt("page/1", 7)
    taken.felt("page/11", 9)
    assert taken.admits("page/1")
    assert taken.close("page/1") == 7
    assert not taken.admits("page/1") and taken.admits("other/1") and taken.admits("page/11")
    taken.felt("page/1", 8)
    assert taken.close("page/1") == 7
    assert taken.close("other/1") == 0, "nothing yet is not unknown"


def test_of_a_page_that_lost_the_desktop_nothing_is_told_until_it_is_felt_again() -> None:
    taken = Taken()
    for viewer in ("page/1", "page/2", "pag/1"):
        taken.begin(viewer)
        taken.felt(viewer, 5)
    taken.bar("page")
    taken.begin("page/2")
    assert taken.close("page/1") is None
    taken.felt("page/1", 9)
    taken.felt("page/2", 6)
    assert [taken.close(viewer) for viewer in ("page/1", "page/2", "pag/1")] == [None, 6, 5]


def test_the_connection_that_began_first_is_forgotten() -> None:
    taken = Taken()
    for epoch in range(1, MOST + 2):
        taken.begin(f"page/{epoch}")
        taken.felt(f"page/{epoch}", epoch)
    assert taken.close("page/1") is None
    assert [taken.close(f"page/{epoch}") for epoch in (2, MOST + 1)] == [2, MOST + 1]


def test_what_one_stream_server_had_done_the_next_one_knows(tmp_path: Path) -> None:
    first = kept_at(tmp_path / "taken")
    later = kept_at(tmp_path / "taken")
    first.begin("page/1")
    first.felt("page/1", 4)
    assert later.close("page/1") == 4
    assert (tmp_path / "taken").stat().st_mode & 0o777 == 0o600


def test_without_a_file_it_is_known_to_this_one_alone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "no folder" / "taken", tmp_path / "link"):
        taken = kept_at(path)
        taken.begin("page/1")
        assert taken.close("page/1") == 0
    assert not (tmp_path / "elsewhere").exists()


VIEWERS = st.sampled_from([f"{page}/{epoch}" for page in "ab" for epoch in range(1, 4)])
DEEDS = st.one_of(
    st.tuples(st.just("begin"), VIEWERS),
    st.tuples(st.just("felt"), VIEWERS, st.integers(0, 2**53)),
    st.tuples(st.just("close"), VIEWERS),
    st.tuples(st.just("bar"), st.sampled_from("ab")),
)


@given(st.lists(DEEDS, max_size=60))
def test_whatever_happens_it_tells_no_more_than_was_done(deeds: list[tuple[str, object]]) -> None:
    taken = Taken()
    felt: dict[str, int] = {}
    shut: set[str] = set()
    begun: set[str] = set()
    barred: set[str] = set()
    for what, who, *rest in deeds:
        told = getattr(taken, what)(who, *rest)
        viewer = str(who)
        if what == "begin":
            begun.add(viewer)
        elif what == "felt" and viewer in begun - shut:
            felt[viewer] = max(felt.get(viewer, 0), *rest)  # type: ignore[call-overload]
            barred.discard(viewer)
        elif what == "bar":
            barred |= {one for one in begun if one.startswith(viewer)}
        elif what == "close":
            assert told == (felt.get(viewer, 0) if viewer in begun - barred else None)
            shut |= {viewer} & begun
        assert all(taken.admits(one) is (one not in shut) for one in begun)


@given(st.binary(min_size=SIZE, max_size=SIZE), VIEWERS)
def test_a_file_may_hold_anything(data: bytes, viewer: str) -> None:
    taken = Taken(bytearray(data))
    for epoch in range(1, MOST + 2):
        taken.begin(f"page/{epoch}")
    taken.begin(viewer)
    taken.felt(viewer, 5)
    taken.bar("b")
    assert (taken.close(viewer) or 5) >= 5 or viewer.startswith("b")
