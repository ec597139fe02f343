"""What seats decide, carried out: guests told in a safe order, again where they could not be, over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import pytest

from tests.support.fakes import FakeClock
from tests.support.waiting import until
from transom.model.errors import Unavailable
from transom.model.seat import Kind, Person, Seat
from transom.stream import seating as module
from transom.stream.seat_events import Came, Given, Left, LinkOver, Looked, Tick
from transom.stream.seating import Seating
from transom.stream.seats import AWAY_MS
from transom.stream.terms import WATCHER
from transom_wire.link import PeerChange, PeerTerms, ToGuestMessage

S = "ses_" + "a" * 20
DRIVER = PeerTerms(drives=True, clipboard="both", clipboard_bytes=10)
OWNER = Person("usr_a", "ada", Kind.OWNER)
GUEST = Person("lnk_a.1", "Bob", Kind.ASK, "lnk_a")


class Outside:
    """A store, a guest and a broker that can be away."""

    def __init__(self) -> None:
        self.told: list[PeerChange | str] = []
        self.linked, self.stored, self.broken = True, {}, False  # type: ignore[var-annotated]

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool:
        assert (role, type(message)) == ("webrtc", PeerChange)
        if self.linked:
            self.told.append(message)  # type: ignore[arg-type]
        return self.linked

    async def dismiss(self, session: str, peer: str, why: str, *, final: bool) -> bool:
        if self.linked:
            self.told.append(f"{peer}: {why}")
        return self.linked

    async def save_seats(self, session: str, seats: Sequence[Seat]) -> None:
        if self.broken:
            raise Unavailable("the disk is full")
        self.stored[session] = tuple(seats)

    async def all_seats(self) -> Mapping[str, Sequence[Seat]]:
        return dict(self.stored)


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(0)


@pytest.fixture
async def seating(outside: Outside, clock: FakeClock) -> AsyncIterator[Seating]:
    made = Seating(outside, outside, clock, steady=clock, driver=DRIVER, dismiss=outside.dismiss)
    await made.open()
    yield made


async def both(seating: Seating) -> None:
    await seating.act(S, Came("a", OWNER, 0))
    await seating.act(S, Came("g", GUEST, 0))


async def test_a_look_is_told_to_no_one_watches_only_and_ends_with_time(
    seating: Seating, outside: Outside, clock: FakeClock
) -> None:
    heard: list[tuple[Seat, ...]] = []
    with seating.listen(S, heard.append):
        await seating.act(S, Looked("look", GUEST, 0))
        assert (seating.whose(S, "look"), seating.guests(S)) == (GUEST.id, 0)
        assert seating.terms(S, "look") == WATCHER
        await seating.act(S, Tick(AWAY_MS, AWAY_MS))
    assert (outside.told, heard) == (["look: this look is over"], [])


async def test_who_says_goodbye_leaves_unless_a_connection_holds_it(seating: Seating) -> None:
    await both(seating)
    await seating.gone(S, "g", OWNER)
    await seating.gone(S, "a", OWNER)
    assert [seat.peer for seat in seating.seats(S)] == ["g"]
    await seating.hold(S, "g", GUEST)
    await seating.gone(S, "g", GUEST)
    assert [seat.peer for seat in seating.seats(S)] == ["g"]


async def test_whoever_lost_the_seat_is_named_once_however_it_was_lost(
    outside: Outside, clock: FakeClock
) -> None:
    left: list[tuple[str, str]] = []
    seating = Seating(
        *(outside, outside, clock),
        steady=clock,
        driver=DRIVER,
        dismiss=outside.dismiss,
        unseated=lambda session, peer: left.append((session, peer)),
    )
    await both(seating)
    assert left == []
    await seating.gone(S, "g", GUEST)
    assert left == [(S, "g")]
    await seating.act(S, Tick(AWAY_MS * 10, AWAY_MS * 10))
    await seating.act(S, Tick(AWAY_MS * 11, AWAY_MS * 11))
    assert left == [(S, "g"), (S, "a")]


async def test_who_left_and_came_back_before_the_guest_was_told_keeps_its_picture(
    seating: Seating, outside: Outside
) -> None:
    await both(seating)
    outside.told.clear()
    outside.linked = False
    for peer, person in (("g", GUEST), ("a", OWNER)):
        await seating.act(S, Left(peer, person))
    await seating.act(S, Came("g", GUEST, 1))
    outside.linked = True
    await seating.act(S, Tick(2, 2))
    assert outside.told == [PeerChange("g", WATCHER), "a: the viewer left"]
    assert not seating.seated(S, "a")


async def test_the_guest_hears_first_who_must_stop(seating: Seating, outside: Outside) -> None:
    await both(seating)
    assert seating.terms(S, "a") == DRIVER
    assert seating.terms(S, "g") == seating.terms(S, "nobody") == WATCHER
    outside.told.clear()
    await seating.act(S, Given("a", OWNER, "g"))
    assert outside.told == [PeerChange("a", WATCHER), PeerChange("g", DRIVER)]
    assert seating.terms(S, "g") == DRIVER


async def test_what_a_guest_could_not_be_told_it_is_told_later_the_newest_only(
    seating: Seating, outside: Outside
) -> None:
    await both(seating)
    outside.told.clear()
    outside.linked = False
    for by, person, to in (("a", OWNER, "g"), ("g", GUEST, "a"), ("a", OWNER, "g")):
        await seating.act(S, Given(by, person, to))
    assert outside.told == []
    outside.linked = True
    await seating.act(S, Tick(1, 1))
    assert outside.told == [PeerChange("a", WATCHER), PeerChange("g", DRIVER)]


async def test_a_picture_that_must_end_ends_when_the_guest_is_back(
    seating: Seating, outside: Outside
) -> None:
    await both(seating)
    outside.told.clear()
    outside.linked = False
    await seating.act(S, LinkOver("lnk_a", "withdrawn"))
    outside.linked = True
    await seating.act(S, Tick(1, 1))
    assert outside.told == ["g: withdrawn"]


async def test_after_a_restart_the_driver_still_drives_and_a_silent_guest_is_ended(
    seating: Seating, outside: Outside, clock: FakeClock
) -> None:
    await both(seating)
    await seating.act(S, Given("a", OWNER, "g"))
    await seating.save()
    outside.told.clear()
    clock.forward(3600)
    again = Seating(outside, outside, clock, steady=clock, driver=DRIVER, dismiss=outside.dismiss)
    await again.open()
    await again.act(S, Came("a", OWNER, clock()))
    assert outside.told == []
    assert again.drives(S, "g")
    clock.forward(AWAY_MS / 1000)
    await again.act(S, Came("a", OWNER, clock()))
    await again.act(S, Tick(clock(), clock()))
    assert outside.told[0] == "g: nothing was heard of this viewer any more"
    assert outside.told[-1] == PeerChange("a", DRIVER)


async def test_the_host_s_clock_may_be_set_and_nobody_loses_a_seat(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NTP, or a host that slept: links end by the date, and silence is counted by no clock that somebody sets."""
    monkeypatch.setattr(module, "TICK_S", 0.01)
    clock, steady = FakeClock(0), FakeClock(5)
    seating = Seating(outside, outside, clock, steady=steady, driver=DRIVER, dismiss=outside.dismiss)
    brief = replace(GUEST, id="lnk_b.1", link="lnk_b", ends_at=2_000_000)
    for peer, person in (("a", OWNER), ("g", GUEST), ("b", brief)):
        await seating.hold(S, peer, person)
    outside.told.clear()
    runs = asyncio.create_task(seating.run())
    for seconds in (30, -3600, 3600 + 30):
        clock.forward(seconds)
        await asyncio.sleep(0.1)
    assert ([seat.peer for seat in seating.seats(S)], outside.told) == (["a", "g", "b"], [])
    clock.forward(3600)
    await until(lambda: outside.told == ["b: this link has expired"])
    steady.forward(AWAY_MS / 1000)
    await until(lambda: "g: nothing was heard of this viewer any more" in outside.told)
    runs.cancel()


async def test_a_full_disk_costs_a_seat_its_memory_and_nothing_else(
    seating: Seating, outside: Outside
) -> None:
    outside.broken = True
    await both(seating)
    await seating.save()
    assert seating.drives(S, "a")
    outside.broken = False
    await seating.save()
    assert [seat.peer for seat in outside.stored[S]] == ["a", "g"]


async def test_listeners_hear_of_changes_and_not_of_heartbeats(seating: Seating) -> None:
    heard: list[list[str]] = []
    with seating.listen(S, lambda seats: heard.append([seat.peer for seat in seats])):
        await both(seating)
        await seating.act(S, Came("a", OWNER, 5000))
    assert heard == [["a"], ["a", "g"]]
    seating.over(S)
    assert seating.seats(S) == ()
