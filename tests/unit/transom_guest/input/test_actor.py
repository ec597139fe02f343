import asyncio

import pytest

from tests.support.waiting import until
from tests.unit.transom_guest.input.desk import A_CODE, RETURN_CODE, SHIFT_CODE, SPARES, Desk
from transom_guest.input import actor as module
from transom_guest.input import keyboard as keyboard_module
from transom_guest.input import reading
from transom_guest.input.actor import MAX_WAITING, Actor
from transom_guest.input.held import SILENCE
from transom_guest.input.message import Button, Finger, Fingers, Key, Move, ReleaseAll, Text, Touching, Wheel


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def desk(monkeypatch) -> Desk:
    made = Desk()
    monkeypatch.setattr(keyboard_module, "Keymap", lambda _display: made)
    monkeypatch.setattr(keyboard_module, "Pings", lambda _display: made)
    monkeypatch.setattr(reading, "SETTLES", 0)
    monkeypatch.setattr(module, "FakeInput", lambda _display: made)
    monkeypatch.setattr(module, "CHECK_LOST", 0.01)
    return made


def test_what_an_actor_that_died_left_down_is_let_go(desk, clock):
    desk.held_before = 2
    Actor(desk, clock)
    assert desk.released


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def felt() -> list[tuple[str, int]]:
    return []


@pytest.fixture
async def actor(desk, clock, felt):
    made = Actor(desk, clock, lambda viewer, seq: felt.append((viewer, seq)))
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    yield made
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_who_waits_is_told_once_all_before_was_acted_out_and_not_where_it_left(actor, desk):
    told: list[str] = []
    actor.take("a", Text(1, "ab"))
    actor.take("a", Key(2, 0x61, True))
    actor.after("a", lambda: told.append("a"))
    actor.after("b", lambda: told.append("b"))
    assert not told
    actor.leave("b")
    await until(lambda: told)
    assert told == ["a"] and desk.done[-1] == ("key", A_CODE, True)
    actor.after("a", lambda: told.append("at once"))
    assert told == ["a", "at once"]


async def test_input_is_acted_out_at_once_and_in_order(desk, actor):
    actor.take("v", Move(1, 10, 20))
    actor.take("v", Button(2, 11, 21, 1, True))
    actor.take("v", Key(3, 0x61, True))
    assert desk.done == [
        ("move", 10, 20),
        ("move", 11, 21),
        ("button", 1, True),
        ("key", A_CODE, True),
    ]
    actor.take("v", ReleaseAll(4))
    assert desk.down() == set()


async def test_the_wheel_is_buttons_4_to_7(desk, actor):
    actor.take("v", Wheel(1, 0, 0, 1, -2))
    pressed = [button for kind, button, *down in desk.done if kind == "button" and down == [True]]
    assert pressed == [4, 4, 7]
    assert desk.down() == set()


async def test_keys_wait_behind_text_and_are_not_lost(desk, actor):
    actor.take("v", Text(1, "a2東"))
    actor.take("v", Key(2, 0xFF0D, True))
    actor.take("v", Key(3, 0xFF0D, False))
    assert ("key", RETURN_CODE, True) not in desk.done
    await until(lambda: ("key", RETURN_CODE, False) in desk.done)
    assert desk.typed() == "a2東\n"


async def test_after_the_text_input_is_immediate_again(desk, actor):
    actor.take("v", Text(1, "a"))
    await until(lambda: desk.typed() == "a")
    await asyncio.sleep(0.01)
    actor.take("v", Key(2, 0x32, True))
    assert desk.typed() == "a2"


async def test_a_flood_behind_text_is_bounded_and_drops_no_release(desk, actor):
    actor.take("v", Text(1, "a"))
    actor.take("v", Key(2, 0xFFE1, True))
    for seq in range(3, MAX_WAITING + 500):
        actor.take("v", Move(seq, 1, 1))
    actor.take("v", Key(9999, 0xFFE1, False))
    assert actor.dropped > 400
    await until(lambda: ("key", SHIFT_CODE, False) in desk.done)
    assert desk.down() == set()


async def test_what_a_viewer_held_is_released_when_it_leaves(desk, actor):
    actor.take("v", Key(1, 0x61, True))
    actor.take("v", Button(2, 0, 0, 3, True))
    actor.leave("v")
    assert desk.down() == set()
    actor.leave("v")


async def test_what_a_viewer_still_had_to_type_goes_with_it(desk, actor):
    actor.take("w", Text(1, "a"))
    for seq in range(2, 50):
        actor.take("v", Text(seq, "2"))
    actor.take("w", Key(50, 0xFF0D, True))
    actor.take("w", Key(51, 0xFF0D, False))
    actor.leave("v")
    await until(lambda: ("key", RETURN_CODE, False) in desk.done)
    assert desk.typed() == "a\n"


async def test_a_text_begun_stops_when_its_viewer_leaves(desk, actor):
    actor.take("v", Text(1, "a" * 1000))
    await until(lambda: desk.typed())
    actor.leave("v")
    typed = desk.typed()
    actor.take("w", Text(1, "2" * 100))
    await until(lambda: desk.typed().endswith("2" * 100))
    assert desk.typed() == typed + "2" * 100
    assert len(typed) < 1000


async def test_of_a_text_begun_nothing_follows_while_the_map_settles(desk, actor, monkeypatch):
    signs = "".join(chr(0x4E00 + number) for number in range(len(SPARES)))
    actor.take("v", Text(1, signs))
    await until(lambda: desk.typed() == signs)
    monkeypatch.setattr(reading, "SETTLES", 0.05)
    actor.take("v", Text(2, "東" * 100))
    await asyncio.sleep(0.01)
    actor.leave("v")
    actor.take("w", Text(1, "a"))
    await until(lambda: desk.typed().endswith("a"))
    assert desk.typed() == signs + "a"


async def test_a_silent_viewers_keys_are_released(desk, actor, clock):
    actor.take("v", Key(1, 0x61, True))
    clock.now = SILENCE
    await until(lambda: desk.down() == set())


async def test_events_of_the_keyboard_map_are_followed(desk, actor):
    seen = []
    actor._keyboard.handle = seen.append
    desk.pending = ["event"]
    desk.server.send(b"x")
    await until(lambda: seen == ["event"])
    desk.ours.recv(1)


async def test_an_event_that_comes_while_another_is_handled_is_handled_too(desk, actor):
    seen: list[str] = []

    def handle(event: str) -> None:
        seen.append(event)
        desk.pending.extend(["an answer"] if event == "a map" else [])

    actor._keyboard.handle = handle
    desk.pending = ["a map"]
    desk.server.send(b"x")
    await until(lambda: seen == ["a map", "an answer"])
    desk.ours.recv(1)


async def test_each_message_but_moves_is_told_once_it_has_its_turn(desk, actor, felt):
    actor.take("v", Move(1, 10, 20))
    actor.take("v", Key(2, 0x61, True))
    actor.take("v", ReleaseAll(3))
    actor.take("v", ReleaseAll(4))
    assert felt == [("v", 2), ("v", 3), ("v", 4)]
    actor.take("v", Text(5, "a"))
    actor.take("v", Key(6, 0x61, True))
    assert felt[3:] == []
    await until(lambda: felt[3:] == [("v", 5), ("v", 6)])


async def test_what_a_viewer_that_leaves_still_had_to_type_is_not_told(desk, actor, felt):
    actor.take("w", Text(1, "a"))
    actor.take("v", Key(7, 0x61, True))
    actor.take("v", Key(8, 0x61, False))
    actor.leave("v")
    await until(lambda: desk.typed() == "a")
    await asyncio.sleep(0.01)
    assert felt == [("w", 1)]


class Glass:
    """A touch screen that writes down what is done to it."""

    def __init__(self) -> None:
        self.done = []

    def __getattr__(self, name):
        return lambda *what: self.done.append((name, *what))


async def test_fingers_touch_the_screen_and_nothing_where_there_is_none(actor, desk, clock):
    words = [Touching(1, True), Fingers(2, (Finger(0, 5, 6),), True), Fingers(3, (Finger(0, 7, 6),), False)]
    glass = Glass()
    with_glass = Actor(desk, clock, touch=glass)
    for word in [*words, ReleaseAll(4), Touching(5, False)]:
        actor.take("a", word)
        with_glass.take("a", word)
    assert glass.done == [("turn", True), ("down", 1, 5, 6), ("move", 1, 7, 6), ("up", 1), ("turn", False)]
    assert desk.done == []
