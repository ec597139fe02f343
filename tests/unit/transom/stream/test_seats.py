"""Who drives, as a trace: what happens in, what the guest is told out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.errors import Conflict, NotFound, Refused, TooMany, TransomError
from transom.model.seat import Kind, Person
from transom.stream.names import KEPT_MS, NAMES_OF_ONE
from transom.stream.peers import PEERS_LIMIT
from transom.stream.seat_events import (
    Asked,
    Came,
    Cut,
    Declined,
    Drive,
    End,
    Event,
    Given,
    Left,
    LinkOver,
    Looked,
    Taken,
    Tick,
)
from transom.stream.seats import (
    AWAY_MS,
    CUT_MS,
    GUESTS_LIMIT,
    GUESTS_LOOKS,
    LOOKS_MS,
    LOOKS_OF_A_LINK,
    OWN_LOOKS,
    PEERS_OF_A_GUEST,
    PEERS_OF_A_LINK,
    Seats,
)

OWNER = Person("usr_a", "ada", Kind.OWNER)
GUEST = Person("lnk_a.1", "Bob", Kind.ASK, "lnk_a")
WATCHER = Person("lnk_v.1", "Vera", Kind.VIEW, "lnk_v")


def here(*came: tuple[str, Person]) -> Seats:
    seats = Seats()
    for peer, person in came:
        seats.handle(Came(peer, person, 0))
    return seats


def left(peer: str) -> End:
    return End(peer, "the viewer left", final=False)


def tick(now: int) -> Tick:
    """Both clocks say the same."""
    return Tick(now, now)


def driver(seats: Seats) -> str | None:
    return seats.driver.peer if seats.driver else None


def test_the_owners_first_page_drives_and_another_watches_until_it_takes() -> None:
    seats = Seats()
    assert seats.handle(Came("a", OWNER, 0)) == [Drive("a", True)]
    assert seats.handle(Came("b", OWNER, 0)) == [Drive("b", False)]
    assert seats.handle(Came("a", OWNER, 1)) == []
    assert seats.handle(Taken("b", OWNER)) == [Drive("a", False), Drive("b", True)]


def test_a_guest_asks_is_given_the_desktop_and_the_owner_takes_it_back() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    assert seats.handle(Asked("g", GUEST)) == []
    assert [seat.asks for seat in seats.listing()] == [False, True]
    assert seats.handle(Given("a", OWNER, "g")) == [Drive("a", False), Drive("g", True)]
    assert not any(seat.asks for seat in seats.listing())
    assert seats.handle(Taken("a", OWNER)) == [Drive("g", False), Drive("a", True)]


def test_a_no_ends_the_asking() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    seats.handle(Asked("g", GUEST))
    assert seats.handle(Declined("a", OWNER, "g")) == []
    assert not any(seat.asks for seat in seats.listing())


def test_a_link_for_watching_never_drives() -> None:
    seats = here(("v", WATCHER))
    assert driver(seats) is None
    for event in (Asked("v", WATCHER), Taken("v", WATCHER), Given("v", WATCHER, "v")):
        with pytest.raises(Refused):
            seats.handle(event)
    seats.handle(Came("a", OWNER, 0))
    with pytest.raises(Refused):
        seats.handle(Given("a", OWNER, "v"))
    assert driver(seats) == "a"


def test_a_guest_takes_nothing_and_decides_nothing_while_another_drives() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    for event in (Taken("g", GUEST), Given("g", GUEST, "g"), Declined("g", GUEST, "a")):
        with pytest.raises(Refused):
            seats.handle(event)


def test_a_driving_guest_may_give_the_desktop_back() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    seats.handle(Given("a", OWNER, "g"))
    assert seats.handle(Given("g", GUEST, "a")) == [Drive("g", False), Drive("a", True)]


def test_nobody_speaks_for_another() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    with pytest.raises(Conflict):
        seats.handle(Came("a", GUEST, 0))
    for event in (Asked("a", GUEST), Given("a", GUEST, "g"), Taken("a", GUEST)):
        with pytest.raises(NotFound):
            seats.handle(event)
    assert seats.handle(Left("a", GUEST)) == seats.handle(Cut("a", GUEST, 0)) == []
    assert driver(seats) == "a"


def test_a_driver_that_left_or_is_not_heard_of_frees_the_desktop() -> None:
    seats = here(("a", OWNER), ("b", OWNER))
    assert seats.handle(Left("a", OWNER)) == [left("a"), Drive("a", False), Drive("b", True)]
    seats.handle(Came("c", OWNER, AWAY_MS - 1))
    assert seats.handle(tick(AWAY_MS)) == [Drive("b", False), Drive("c", True)]


def test_a_broken_connection_keeps_its_seat_for_some_seconds() -> None:
    seats = here(("a", OWNER), ("b", OWNER))
    seats.handle(Came("b", OWNER, 1000))
    seats.handle(Cut("a", OWNER, 1000))
    assert seats.handle(tick(1000 + CUT_MS - 1)) == []
    assert seats.handle(tick(1000 + CUT_MS)) == [Drive("a", False), Drive("b", True)]
    assert 4_000 <= CUT_MS <= 10_000, "a network that changes, a server that starts again; and no more"


def test_a_guests_picture_ends_with_its_link_and_with_silence_and_an_owners_does_not() -> None:
    brief = replace(GUEST, ends_at=1000)
    seats = here(("a", OWNER), ("g", brief), ("v", WATCHER))
    seats.handle(Given("a", OWNER, "g"))
    assert seats.handle(tick(1000)) == [
        End("g", "this link has expired"),
        Drive("g", False),
        Drive("a", True),
    ]
    assert seats.handle(LinkOver("lnk_v", "withdrawn")) == [End("v", "withdrawn")]
    seats.handle(Came("v", WATCHER, 0))
    ended = seats.handle(tick(AWAY_MS))
    assert [type(command) for command in ended] == [End, Drive]
    assert seats.listing() == ()


def test_one_link_leaves_room_for_another_s_guests() -> None:
    """A browser's part of a ticket is what the link's holder says."""
    seats = Seats()
    for number in range(PEERS_OF_A_LINK):
        seats.handle(Came(f"g{number}", replace(GUEST, id=f"lnk_a.{number}"), 0))
    with pytest.raises(TooMany):
        seats.handle(Came("more", replace(GUEST, id="lnk_a.more"), 0))
    assert seats.handle(Came("v", WATCHER, 0)) == [Drive("v", False)]


def test_all_guests_with_their_looks_leave_the_guest_s_stream_places_for_the_owner() -> None:
    """So many viewers at once the machine's stream takes, and one at least is the owner's."""
    assert GUESTS_LIMIT + GUESTS_LOOKS < PEERS_LIMIT
    assert PEERS_OF_A_LINK < GUESTS_LIMIT, "nor does one link have all of the guests' places"


def test_guests_leave_room_for_the_owner() -> None:
    seats = Seats()
    for number in range(PEERS_OF_A_GUEST):
        seats.handle(Came(f"g{number}", GUEST, 0))
    with pytest.raises(TooMany):
        seats.handle(Came("more", GUEST, 0))
    for number in range(GUESTS_LIMIT - PEERS_OF_A_GUEST):
        seats.handle(Came(f"v{number}", replace(WATCHER, id=f"lnk_v.{number}"), 0))
    with pytest.raises(TooMany):
        seats.handle(Came("v9", replace(WATCHER, id="lnk_v.9"), 0))
    assert seats.handle(Came("a", OWNER, 0)) == [Drive("a", True)]


def test_a_look_takes_no_seat_and_drives_nothing_also_with_nobody_there() -> None:
    seats = Seats()
    assert seats.handle(Looked("look", OWNER, 0)) == []
    assert seats.handle(Came("page", OWNER, 2000)) == [Drive("page", True)]
    assert [seat.peer for seat in seats.listing()] == ["page"]
    assert seats.handle(Left("look", OWNER)) == [left("look")]
    assert seats.handle(Left("page", OWNER)) == [left("page"), Drive("page", False)]
    assert not seats.idle, "whose the names are is remembered"
    seats.handle(tick(2000 + KEPT_MS))
    assert seats.idle


def test_a_name_stays_its_first_person_s_there_or_not() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    seats.handle(tick(AWAY_MS))
    seats.handle(Came("g", GUEST, AWAY_MS))
    seats.handle(Left("g", GUEST))
    assert seats.listing() == ()
    for peer, other in (("a", GUEST), ("a", WATCHER), ("g", OWNER), ("g", WATCHER)):
        for event in (Came(peer, other, AWAY_MS), Looked(peer, other, AWAY_MS)):
            with pytest.raises(Conflict) as caught:
                seats.handle(event)
            assert caught.value.code == "peer_taken"
        assert seats.handle(Left(peer, other)) == []
    # an owner of whom nothing was heard has a picture yet, which goes with them
    assert seats.handle(Left("a", OWNER)) == [left("a")]
    assert seats.handle(Came("a", OWNER, AWAY_MS)) == [Drive("a", True)]
    again = Seats(seats.listing())
    with pytest.raises(Conflict):
        again.handle(Came("a", WATCHER, 0))


def test_names_of_one_link_are_so_many_and_push_out_none_but_their_own() -> None:
    seats = here(("a", OWNER), ("g", GUEST))
    seats.handle(Left("a", OWNER))
    for number in range(NAMES_OF_ONE):
        seats.handle(Came(f"g{number}", replace(GUEST, id=f"lnk_a.{number}"), 0))
        seats.handle(Left(f"g{number}", replace(GUEST, id=f"lnk_a.{number}")))
    with pytest.raises(Conflict):
        seats.handle(Came("a", GUEST, 0))
    with pytest.raises(Conflict):
        seats.handle(Came("g", WATCHER, 0))
    assert seats.handle(Came("g0", WATCHER, 0)) == [Drive("g0", False)]


def test_a_look_is_its_maker_s_and_ends_by_itself_or_with_its_link() -> None:
    seats = here(("a", OWNER))
    with pytest.raises(Conflict):
        seats.handle(Looked("a", GUEST, 0))
    seats.handle(Looked("look", GUEST, 0))
    with pytest.raises(Conflict):
        seats.handle(Looked("look", OWNER, 0))
    for event in (Asked("look", GUEST), Given("a", OWNER, "look")):
        with pytest.raises(NotFound):
            seats.handle(event)
    assert seats.handle(tick(AWAY_MS - 1)) == []
    assert End("look", "this look is over") in seats.handle(tick(AWAY_MS))
    seats.handle(Looked("look", GUEST, 0))
    assert seats.handle(LinkOver("lnk_a", "withdrawn")) == [End("look", "withdrawn")]


def test_a_look_that_is_repeated_lasts_no_longer() -> None:
    seats = here(("a", OWNER))
    seats.handle(Looked("look", WATCHER, 0))
    seats.handle(Looked("look", WATCHER, AWAY_MS - 5000))
    assert End("look", "this look is over") in seats.handle(tick(AWAY_MS + 1000))


def test_a_link_s_looks_one_after_the_other_are_few() -> None:
    seats = here(("a", OWNER))
    for number in range(LOOKS_OF_A_LINK):
        seats.handle(Looked(f"look{number}", WATCHER, number))
        seats.handle(Left(f"look{number}", WATCHER))
    with pytest.raises(TooMany) as few:
        seats.handle(Looked("one more", replace(WATCHER, id="lnk_v.2"), 100))
    assert few.value.retry_after is not None
    assert few.value.retry_after > 500
    seats.handle(Looked("another's", GUEST, 100))
    seats.handle(Looked("own", OWNER, 100))
    seats.handle(Left("a", OWNER))
    for name, person in (("another's", GUEST), ("own", OWNER)):
        seats.handle(Left(name, person))
    seats.handle(tick(LOOKS_MS + 100))
    seats.handle(Looked("late", WATCHER, LOOKS_MS + 100))


def test_looks_take_no_guest_s_place_and_leave_the_owner_s() -> None:
    seats = here(("g", GUEST))
    seats.handle(Looked("look", GUEST, 0))
    with pytest.raises(TooMany):
        seats.handle(Looked("look2", replace(GUEST, id="lnk_a.2"), 0))
    seats.handle(Looked("look3", replace(WATCHER, link="lnk_c"), 0))
    with pytest.raises(TooMany):
        seats.handle(Looked("look4", WATCHER, 0))
    for number in range(GUESTS_LIMIT - 1):
        seats.handle(Came(f"v{number}", replace(WATCHER, id=f"{number}", link=f"lnk_{number}"), 0))
    for number in range(OWN_LOOKS):
        seats.handle(Looked(f"own{number}", OWNER, 0))
    with pytest.raises(TooMany):
        seats.handle(Looked("one more", OWNER, 0))


def test_who_comes_under_its_look_s_name_has_a_seat_and_no_look() -> None:
    seats = here(("a", OWNER))
    seats.handle(Looked("g", GUEST, 0))
    seats.handle(Came("g", GUEST, 1000))
    seats.handle(Looked("g", GUEST, 2000))
    assert seats.handle(Given("a", OWNER, "g")) == [Drive("a", False), Drive("g", True)]
    seats.handle(tick(AWAY_MS))
    assert [seat.peer for seat in seats.listing()] == ["g"]


BRIEF = replace(GUEST, id="lnk_b.1", link="lnk_b", ends_at=20_000)
PEOPLE = {"a": OWNER, "b": OWNER, "g": GUEST, "v": WATCHER, "w": BRIEF}
PEERS = st.sampled_from(sorted(PEOPLE))
TIMES = st.integers(0, 60_000)
WHO = PEERS.map(lambda peer: (peer, PEOPLE[peer])) | st.tuples(
    PEERS, st.sampled_from([OWNER, GUEST, WATCHER])
)
"""Most speak for themselves: else little is ever allowed, and nothing happens."""


def by(kind: Callable[..., Event], *more: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """That, by somebody."""
    return st.builds(lambda who, *rest: kind(*who, *rest), WHO, *more)


EVENTS: st.SearchStrategy[Event] = st.one_of(
    by(Came, TIMES),
    by(Looked, TIMES),
    by(Cut, TIMES),
    by(Left),
    by(Asked),
    by(Given, PEERS),
    by(Declined, PEERS),
    by(Taken),
    st.builds(LinkOver, st.sampled_from(["lnk_a", "lnk_v", "lnk_b"]), st.just("why")),
    st.builds(Tick, TIMES, TIMES),
)
EVERYBODY: list[Event] = [Came(peer, person, 0) for peer, person in PEOPLE.items()]


@given(st.sampled_from([[], EVERYBODY]), st.lists(EVENTS, min_size=30, max_size=60))
def test_whatever_happens_at_most_one_drives_and_the_guest_is_told_the_same(
    before: list[Event], events: list[Event]
) -> None:
    seats = Seats()
    guest: set[str] = set()
    for event in [*before, *events]:
        try:
            commands = seats.handle(event)
        except TransomError:
            continue
        for command in commands:
            guest.discard(command.peer)
            if isinstance(command, Drive) and command.drives:
                guest.add(command.peer)
            # at no moment, not even between two commands, do two drive
            assert len(guest) <= 1
        driving = [seat for seat in seats.listing() if seat.drives]
        assert {seat.peer for seat in driving} == guest
        assert all(seat.person.kind is not Kind.VIEW for seat in driving)
        assert not any(seat.asks and seat.drives for seat in seats.listing())
        if any(seat.person.kind is Kind.OWNER for seat in seats.listing()):
            assert driving


@given(st.lists(st.integers(-(10**9), 10**12), max_size=20))
def test_whatever_the_host_s_clock_is_set_to_who_is_heard_of_keeps_its_seat(dates: list[int]) -> None:
    seats = here(("a", OWNER), ("g", GUEST), ("v", WATCHER))
    before = [(seat.peer, seat.drives) for seat in seats.listing()]
    for number, date in enumerate(dates):
        now = number * 10_000
        for peer, person in (("a", OWNER), ("g", GUEST), ("v", WATCHER)):
            assert seats.handle(Came(peer, person, now)) == []
        assert seats.handle(Tick(now + AWAY_MS - 1, date)) == []
    assert [(seat.peer, seat.drives) for seat in seats.listing()] == before


@given(st.lists(EVENTS, max_size=60))
def test_whatever_happens_nobody_sees_the_picture_who_is_not_seen(events: list[Event]) -> None:
    """Whoever came or looks has a picture until it is ended. An owner's goes on while nothing is heard of them."""
    seats = Seats()
    living: dict[str, Person] = {}
    for event in events:
        try:
            commands = seats.handle(event)
        except TransomError:
            continue
        if isinstance(event, Came | Looked):
            living[event.peer] = event.person
        for command in commands:
            if isinstance(command, End):
                living.pop(command.peer, None)
        for peer, person in living.items():
            silent = person.kind is Kind.OWNER and isinstance(event, Tick)
            assert seats.whose(peer) == person.id or silent
        living = {peer: person for peer, person in living.items() if seats.whose(peer)}
