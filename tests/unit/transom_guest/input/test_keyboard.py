import asyncio
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom_guest.input.desk import (
    A_CODE,
    LEVEL3_CODE,
    SHIFT_CODE,
    SPARES,
    TAB_CODE,
    TWO_CODE,
    Desk,
)
from transom_guest.input import keyboard as module
from transom_guest.input import reading
from transom_guest.input.keyboard import LOCK_MASK, Keyboard
from transom_guest.x11.events import MAPPING_NOTIFY, XEvent

SHIFT_L, LEVEL3_SHIFT, CAPS_LOCK, TAB, GRIN, EURO = 0xFFE1, 0xFE03, 0xFFE5, 0xFF09, 0x0101F600, 0x010020AC


def keyboard_on(desk: Desk, patch: pytest.MonkeyPatch) -> Keyboard:
    patch.setattr(module, "Keymap", lambda _display: desk)
    patch.setattr(module, "Pings", lambda _display: desk)
    patch.setattr(reading, "SETTLES", 0)
    return Keyboard(desk, desk)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def keyboard(desk, monkeypatch) -> Keyboard:
    return keyboard_on(desk, monkeypatch)


def test_caps_lock_is_off_at_first_and_never_pressed(desk, keyboard):
    keyboard.press(CAPS_LOCK)
    keyboard.release(CAPS_LOCK)
    assert desk.unlocked == LOCK_MASK
    assert desk.done == []


@pytest.mark.parametrize("again", [False, True])
def test_a_modifier_that_something_else_let_go_of_is_pressed_again_before_a_key(desk, keyboard, again):
    keyboard.press(SHIFT_L)
    if again:
        keyboard.press(0x41)
    desk.done.append(("key", SHIFT_CODE, False))
    (keyboard.repeat if again else keyboard.press)(0x41)
    assert desk.typed() == ("AA" if again else "A")
    assert ("key", SHIFT_CODE) in desk.down()
    keyboard.release(0x41)
    keyboard.release(SHIFT_L)
    assert not desk.down()


async def test_caps_lock_that_something_else_turned_on_is_off_before_a_key_and_before_a_text(desk, keyboard):
    desk.unlocked = 0
    keyboard.press(0x41)
    assert desk.unlocked == LOCK_MASK
    desk.unlocked = 0
    await keyboard.type("A")
    assert desk.unlocked == LOCK_MASK


def test_a_shifted_character_without_shift_has_it_faked_around_the_press(desk, keyboard):
    keyboard.press(0x41)
    keyboard.release(0x41)
    assert desk.done == [
        ("key", SHIFT_CODE, True),
        ("key", A_CODE, True),
        ("key", SHIFT_CODE, False),
        ("key", A_CODE, False),
    ]


def test_a_plain_character_under_shift_lifts_it_for_a_moment(desk, keyboard):
    keyboard.press(SHIFT_L)
    keyboard.press(0x32)
    assert desk.done[1:] == [
        ("key", SHIFT_CODE, False),
        ("key", TWO_CODE, True),
        ("key", SHIFT_CODE, True),
    ]


def test_altgr_that_the_layout_does_not_need_is_harmless(desk, keyboard):
    keyboard.press(LEVEL3_SHIFT)
    keyboard.press(0x40)
    assert desk.typed().endswith("@")
    assert ("key", LEVEL3_CODE) in desk.down()


def test_shift_tab_stays_shifted(desk, keyboard):
    keyboard.press(SHIFT_L)
    keyboard.press(TAB)
    assert desk.done == [("key", SHIFT_CODE, True), ("key", TAB_CODE, True)]


def test_a_key_that_is_down_is_not_pressed_again(desk, keyboard):
    keyboard.press(0x61)
    keyboard.press(0x61)
    assert desk.done == [("key", A_CODE, True)]


def test_a_key_repeats_as_often_as_it_is_told_and_with_the_same_shift(desk, keyboard):
    # the 1 of a French keyboard: its Shift is held, and the desktop's 1 needs none
    keyboard.press(SHIFT_L)
    keyboard.press(0x32)
    keyboard.repeat(0x32)
    keyboard.repeat(0x32)
    keyboard.release(SHIFT_L)
    keyboard.repeat(0x32)
    assert desk.typed() == "2222"
    keyboard.release(0x32)
    assert desk.down() == set()


def test_what_is_not_down_and_what_is_a_modifier_does_not_repeat(desk, keyboard):
    keyboard.press(SHIFT_L)
    done = list(desk.done)
    keyboard.repeat(SHIFT_L)
    keyboard.repeat(0x61)
    assert desk.done == done


def test_two_characters_of_one_key_do_not_leave_it_down(desk, keyboard):
    keyboard.press(0x61)
    keyboard.press(0x41)
    keyboard.release(0x61)
    keyboard.release(0x41)
    assert desk.down() == set()


def test_a_character_the_layout_lacks_is_bound_once(desk, keyboard):
    for _ in range(2):
        keyboard.press(GRIN)
        keyboard.release(GRIN)
    assert [act for act in desk.done if act[0] == "bind"] == [("bind", {SPARES[0]: (GRIN, GRIN)})]
    assert desk.typed() == chr(GRIN & 0xFFFFFF) * 2
    assert desk.down() == set()


def test_a_modifier_the_layout_lacks_is_no_reason_for_a_spare(desk, keyboard):
    keyboard.press(0xFFED)
    assert desk.done == []


def mapping_event(first: int, count: int) -> XEvent:
    event = XEvent()
    event.type = MAPPING_NOTIFY
    event.mapping.first_keycode, event.mapping.count = first, count
    return event


def test_a_map_changed_by_another_is_read_again(desk, keyboard):
    desk.map[A_CODE] = (0x71, 0x51, 0x71, 0x51)
    keyboard.handle(mapping_event(8, 248))
    keyboard.press(0x71)
    assert desk.done == [("key", A_CODE, True)]


def test_our_own_change_of_the_map_is_not_read_again(desk, keyboard):
    keyboard.press(GRIN)
    desk.map[A_CODE] = (0x71, 0x51, 0x71, 0x51)
    keyboard.handle(mapping_event(SPARES[0], 1))
    keyboard.press(0x61)
    assert desk.done[-1] == ("key", A_CODE, True)


def test_what_an_earlier_stream_server_bound_is_gone_before_anything_is_typed(desk, monkeypatch):
    desk.map[SPARES[1]] = (GRIN,) * 4
    keyboard_on(desk, monkeypatch)
    assert desk.done == [("bind", {SPARES[1]: (0, 0)})]


async def test_what_was_bound_beforehand_is_bound_again_once_somebody_has_set_another_layout(
    desk, monkeypatch
):
    desk.map |= dict.fromkeys(range(93, 120), (0, 0, 0, 0))
    bare = dict(desk.map)
    keyboard = keyboard_on(desk, monkeypatch)
    assert not keyboard.lacks(EURO)
    before = {symbols for code, symbols in desk.map.items() if symbols != bare[code]}
    assert len(before) > 5
    desk.map = bare
    keyboard.handle(mapping_event(8, 248))
    assert keyboard.lacks(EURO)
    await keyboard.prepare([GRIN])
    assert before <= set(desk.map.values()) and not keyboard.lacks(EURO)
    assert (GRIN,) * 4 in desk.map.values()


async def answered(desk: Desk, keyboard: Keyboard, text: str) -> list[str]:
    """What is done while a text is typed for a program that answers; its questions count as one where they follow."""
    desk.done.clear()
    typing = asyncio.create_task(keyboard.type(text))
    while not typing.done():
        await asyncio.sleep(0)
        if desk.done[-1:] == [("ask", 7)]:
            answer = XEvent()
            answer.type = len(desk.done)
            keyboard.handle(answer)
            await asyncio.sleep(0)
    return [kind for kind, _ in groupby(act[0] for act in desk.done)]


async def test_a_key_makes_another_sign_once_programs_have_the_first_and_is_pressed_once_they_have_the_map(
    desk, keyboard
):
    desk.focused = 7
    assert await answered(desk, keyboard, "a京a") == ["bind", "ask", "key"]
    assert desk.typed() == "a京a"
    for number in range(len(SPARES) - 1):
        assert await answered(desk, keyboard, chr(0x4E00 + number)) == ["bind", "ask", "key"]
    assert await answered(desk, keyboard, "都") == ["ask", "bind", "ask", "key"]
    binds = [act for act in desk.done if act[0] == "bind"]
    half = dict.fromkeys(SPARES[: len(SPARES) // 2], (0, 0))
    assert binds == [("bind", half), ("bind", {SPARES[0]: (0x010090FD,) * 2})]
    assert await answered(desk, keyboard, "市") == ["bind", "ask", "key"]
    assert await answered(desk, keyboard, "都市") == ["key"]


async def test_a_sign_of_a_text_is_not_pushed_out_by_another_of_it(desk, keyboard):
    signs = [chr(0x4E00 + number) for number in range(len(SPARES))]
    await keyboard.type("".join(signs))
    desk.done.clear()
    # the first is the one that was unused longest, until now
    await keyboard.type("京" + signs[0])
    assert [next(iter(act[1].values())) for act in desk.done if act[0] == "bind"] == [
        (0, 0),
        (0x01004EAC,) * 2,
    ]


def test_other_events_are_ignored(desk, keyboard):
    keyboard.handle(XEvent())
    assert desk.done == []


async def test_text_is_typed_with_the_shift_that_is_held_lifted(desk, keyboard):
    keyboard.press(SHIFT_L)
    await keyboard.type("a2A\n")
    assert desk.typed() == "a2A\n"
    assert desk.down() == {("key", SHIFT_CODE)}


@given(st.text(st.sampled_from("a2A@\näß→東京😀éабвгд"), max_size=60))
async def test_any_text_is_typed_whatever_the_layout(text):
    with pytest.MonkeyPatch.context() as patch:
        desk = Desk()
        await keyboard_on(desk, patch).type(text)
    assert desk.typed() == text
    assert desk.down() == set()


async def test_text_does_not_touch_a_key_that_is_held(desk, keyboard):
    keyboard.press(0x61)
    await keyboard.type("2a2")
    keyboard.release(0x61)
    assert desk.down() == set()
