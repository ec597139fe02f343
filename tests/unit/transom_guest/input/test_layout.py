import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.input.characters import COMMON, canonical, common_pairs, keysym_of, keysyms_of, national
from transom_guest.input.layout import (
    DEAF,
    KEPT,
    LEVEL3,
    SHIFT,
    Layout,
    Stroke,
    is_modifier,
    makes_character,
)

TAB, LEFT_TAB, LEFT, SHIFT_L, LEVEL3_SHIFT = 0xFF09, 0xFE20, 0xFF51, 0xFFE1, 0xFE03
US = {
    10: (0x31, 0x21, 0x31, 0x21),
    11: (0x32, 0x40, 0x32, 0x40),
    23: (TAB, LEFT_TAB, TAB, LEFT_TAB),
    38: (0x61, 0x41, 0x61, 0x41),
    50: (SHIFT_L, 0, SHIFT_L, 0),
    92: (LEVEL3_SHIFT,) * 4,
    113: (LEFT,) * 4,
    200: (0, 0, 0, 0),
    201: (0, 0, 0, 0),
    202: (0, 0, 0, 0),
}
DE = US | {24: (0x71, 0x51, 0x40, 0x7D9), 11: (0x32, 0x22, 0xB2, 0xAC5)}
EURO, GRIN, OMEGA = 0x010020AC, 0x0101F600, 0x010003A9


def test_a_plain_and_a_shifted_character():
    layout = Layout(US)
    assert layout.find(0x61, 0) == Stroke(38, 0)
    assert layout.find(0x41, 0) == Stroke(38, SHIFT)
    assert layout.find(0x40, 0) == Stroke(11, SHIFT)


def test_the_level_that_is_down_is_preferred_where_it_serves():
    layout = Layout(US)
    assert layout.find(0x40, SHIFT | LEVEL3) == Stroke(11, SHIFT | LEVEL3)
    assert layout.find(0x61, SHIFT) == Stroke(38, 0)


def test_a_german_layout_makes_at_with_altgr():
    assert Layout(DE).find(0x40, 0) == Stroke(24, LEVEL3)


@pytest.mark.parametrize("level", [0, SHIFT])
def test_keys_that_make_no_character_leave_the_level_keys_alone(level):
    layout = Layout(US)
    assert layout.find(TAB, level) == Stroke(23, None)
    assert layout.find(LEFT, level) == Stroke(113, None)
    assert layout.find(SHIFT_L, level) == Stroke(50, None)


def test_latin_1_by_code_point_is_the_same_character():
    assert Layout(US).find(0x01000061, 0) == Stroke(38, 0)


def test_what_the_layout_lacks_takes_a_spare_and_keeps_it():
    layout = Layout(US)
    assert layout.spares == 3
    assert layout.find(GRIN, 0) is None
    assert layout.bind(GRIN) == 200
    assert layout.find(GRIN, SHIFT) == Stroke(200, None)
    assert layout.is_bound(200)
    assert not layout.is_bound(201)


def test_the_spares_that_were_unused_longest_are_cleared_for_others():
    layout = Layout(US)
    for keysym in (EURO, GRIN, OMEGA):
        layout.bind(keysym)
    assert layout.free == 0 and layout.bind(0x01000416) is None
    layout.find(EURO, 0)
    assert layout.clear(()) == [201, 202]
    assert layout.free == 2
    assert layout.find(GRIN, 0) is None and layout.find(OMEGA, 0) is None
    assert layout.find(EURO, 0) == Stroke(200, None)
    assert layout.bind(0x01000416) == 201


def test_a_spare_that_is_down_is_not_cleared():
    layout = Layout(US)
    for keysym in (EURO, GRIN, OMEGA):
        layout.bind(keysym)
    assert layout.clear({200, 201}) == [202]
    assert layout.bind(0x01000416) == 202
    assert layout.clear({200, 201, 202}) == []


def test_spares_that_an_earlier_run_bound_are_spares_again():
    layout = Layout(US | {200: (GRIN,) * 4, 201: (0xE9,) * 4})
    assert layout.spares == layout.free == 3
    assert layout.used == [200, 201]
    assert layout.find(GRIN, 0) is None


def test_a_changed_map_keeps_what_is_still_bound():
    layout = Layout(US)
    layout.bind(GRIN)
    layout.bind(EURO)
    layout.reread(DE | {200: (GRIN,) * 4})
    assert layout.find(GRIN, 0) == Stroke(200, None)
    assert layout.find(EURO, 0) is None
    assert layout.find(0x40, 0) == Stroke(24, LEVEL3)


@pytest.mark.parametrize(
    ("char", "keysym"),
    [
        ("a", 0x61),
        ("é", 0xE9),
        ("€", 0x010020AC),
        ("😀", GRIN),
        ("\n", 0xFF0D),
        ("\t", TAB),
        ("\x00", None),
        ("\x7f", None),
    ],
)
def test_the_keysym_of_a_character(char, keysym):
    assert keysym_of(char) == keysym


def test_line_ends_are_one_return():
    assert keysyms_of("a\r\nb\n") == [0x61, 0xFF0D, 0x62, 0xFF0D]


def test_kinds_of_keysyms():
    assert all(is_modifier(keysym) for keysym in (SHIFT_L, 0xFFE3, 0xFFE9, 0xFFEB, LEVEL3_SHIFT, 0xFF7E))
    assert not any(is_modifier(keysym) for keysym in (0x61, TAB, LEFT_TAB, GRIN))
    assert all(makes_character(keysym) for keysym in (0x61, 0xE9, GRIN, 0x7D9, 0xFFB1))
    assert not any(makes_character(keysym) for keysym in (TAB, LEFT, 0xFFBE, 0xFF0D, 0x1008FF11 & 0xFFFF))


@given(st.lists(st.integers(0x01000100, 0x0100FFFF), max_size=30))
def test_a_bound_character_is_always_found_on_a_spare_of_its_own(keysyms):
    layout = Layout(US)
    for keysym in keysyms:
        if layout.find(keysym, 0) is None:
            if not layout.free:
                layout.clear(())
            layout.bind(keysym)
        stroke = layout.find(keysym, 0)
        assert stroke is not None
        assert stroke.keycode in (200, 201, 202)
    last = list(dict.fromkeys(reversed(keysyms)))[:3]
    found = [layout.find(keysym, 0) for keysym in last]
    assert len(set(found)) == len(last)


def test_both_keysyms_of_a_character_are_one() -> None:
    legacy = {
        0x6D6: "ж",
        0x6B3: "Ё",
        0x6A6: "і",
        0x1B1: "ą",
        0x1A6: "Ś",
        0x20AC: "€",
        0x6B0: "№",
        0xAD2: "“",
        0x13BD: "œ",
    }
    for keysym, char in legacy.items():
        assert canonical(keysym) == canonical(0x01000000 + ord(char)) == keysym_of(char)
    for other in (0xFF0D, 0xFFE1, 0xFE03, 0x61, 0x6A0, 0x4B1, 0x1008FF13):
        assert canonical(other) == other


def test_common_characters_have_the_keysyms_that_vnc_servers_look_for() -> None:
    pairs = dict(common_pairs())
    assert pairs[0x20AC] == 0xA3 and pairs[0x6C1] == 0x6E1 and pairs[0x6A6] == 0x6B6 and pairs[0xE4] == 0xC4
    for char in COMMON:
        keysym = keysym_of(char) or 0
        assert canonical(national(keysym)) == keysym


def test_common_characters_have_keys_beforehand_and_spares_are_left() -> None:
    layout = Layout({**US, **dict.fromkeys(range(93, 250), (0, 0, 0, 0))})
    taken = layout.stock(common_pairs())
    assert not DEAF & taken.keys()
    assert layout.spares >= KEPT
    for char in COMMON[: 2 * len(taken)]:
        stroke = layout.find(keysym_of(char) or 0, 0)
        assert stroke and stroke.level in (0, 1)
    # a service that starts anew finds them as they are
    again = Layout({code: (*pair, 0, 0) for code, pair in taken.items()})
    assert again.spares == 0
    assert again.stock(common_pairs()) == {}
    assert len(taken) > 62


def test_with_few_spares_twenty_characters_of_another_script_have_keys_at_once() -> None:
    layout = Layout({**US, **dict.fromkeys(range(50, 110), (0, 0, 0, 0))})
    assert layout.stock(common_pairs())
    others = [0x0100_4E00 + number for number in range(20)]
    for keysym in others:
        layout.bind(keysym)
    assert all(layout.find(keysym, 0) for keysym in others)


def test_a_full_keyboard_keeps_its_last_spares() -> None:
    layout = Layout({**US, **dict.fromkeys(range(100, 100 + KEPT), (0, 0, 0, 0))})
    assert layout.stock(common_pairs()) == {} or layout.spares >= KEPT
