from hypothesis import given
from hypothesis import strategies as st

from transom_guest.input.held import (
    SILENCE,
    Hands,
    MoveBy,
    MoveTo,
    PressButton,
    PressKey,
    ReleaseButton,
    ReleaseKey,
    RepeatKey,
    Scroll,
    TypeText,
)
from transom_guest.input.message import (
    MAX_HELD,
    Button,
    Holding,
    Key,
    KeyFrame,
    Move,
    Nudge,
    Ping,
    ReleaseAll,
    Text,
    Wheel,
)

A, B, SHIFT = 0x61, 0x62, 0xFFE1


def press(key, seq=1):
    return Key(seq, key, True)


def release(key, seq=1):
    return Key(seq, key, False)


def test_a_key_goes_down_and_up():
    hands = Hands()
    assert hands.take("v", press(A), 0) == [PressKey(A)]
    assert hands.holding()
    assert hands.take("v", release(A), 0) == [ReleaseKey(A)]
    assert not hands.holding()


def test_a_key_pressed_while_down_repeats_and_goes_up_once():
    hands = Hands()
    hands.take("v", press(A), 0)
    assert hands.take("v", press(A), 0) == [RepeatKey(A)]
    assert hands.take("v", release(A), 0) == [ReleaseKey(A)]
    assert hands.take("v", release(A), 0) == []


@given(st.lists(st.tuples(st.sampled_from("vw"), st.sampled_from([A, B]), st.booleans()), max_size=30))
def test_only_a_viewer_that_holds_a_key_repeats_it(typed):
    hands, own = Hands(), set()
    for viewer, key, down in typed:
        acts = hands.take(viewer, Key(1, key, down), 0)
        assert (acts == [RepeatKey(key)]) is (down and (viewer, key) in own)
        (own.add if down else own.discard)((viewer, key))


def test_a_release_of_what_is_not_held_does_nothing():
    assert Hands().take("v", release(A), 0) == []


def test_a_key_held_by_two_goes_up_with_the_last():
    hands = Hands()
    assert hands.take("v", press(A), 0) == [PressKey(A)]
    assert hands.take("w", press(A), 0) == []
    assert hands.take("v", release(A), 0) == []
    assert hands.take("w", release(A), 0) == [ReleaseKey(A)]


def test_one_viewer_cannot_release_what_another_holds():
    hands = Hands()
    hands.take("v", press(A), 0)
    assert hands.take("w", release(A), 0) == []
    assert hands.take("w", ReleaseAll(1), 0) == []


def test_holding_heals_what_it_does_not_name_and_presses_nothing():
    hands = Hands()
    for key in (SHIFT, A):
        hands.take("v", press(key), 0)
    assert hands.take("v", Holding(1, frozenset({SHIFT, B})), 0) == [ReleaseKey(A)]
    assert hands.take("v", Holding(1, frozenset()), 0) == [ReleaseKey(SHIFT)]


def test_release_all_lets_modifiers_go_last():
    hands = Hands()
    hands.take("v", press(SHIFT), 0)
    hands.take("v", press(A), 0)
    hands.take("v", Button(1, 5, 6, 1, True), 0)
    assert hands.take("v", ReleaseAll(1), 0) == [ReleaseButton(1), ReleaseKey(A), ReleaseKey(SHIFT)]


def test_what_a_viewer_held_is_released_when_it_leaves_and_only_then_is_it_forgotten():
    hands = Hands()
    hands.take("v", press(A), 0)
    assert hands.leave("v") == [ReleaseKey(A)]
    assert hands.leave("v") == []


def test_a_silent_viewers_keys_are_released():
    hands = Hands()
    hands.take("v", press(A), 10)
    hands.take("w", press(B), 10 + SILENCE / 2)
    assert hands.lost(10 + SILENCE * 0.9) == []
    assert hands.lost(10 + SILENCE) == [ReleaseKey(A)]
    hands.take("w", Holding(1, frozenset({B})), 10 + SILENCE)
    assert hands.lost(10 + SILENCE * 1.9) == []


def test_a_silent_viewers_buttons_are_released_and_holding_names_no_button():
    hands = Hands()
    hands.take("v", Button(1, 5, 6, 1, True), 10)
    assert hands.holding()
    assert hands.take("v", Holding(2, frozenset()), 10 + SILENCE * 0.9) == []
    assert hands.lost(10 + SILENCE) == []
    assert hands.lost(10 + SILENCE * 1.9) == [ReleaseButton(1)]
    assert not hands.holding()


def test_a_stale_move_is_dropped_but_a_stale_button_is_not():
    hands = Hands()
    assert hands.take("v", Move(5, 50, 50), 0) == [MoveTo(50, 50)]
    assert hands.take("v", Move(4, 40, 40), 0) == []
    assert hands.take("v", Button(6, 60, 60, 1, True), 0) == [MoveTo(60, 60), PressButton(1)]
    assert hands.take("v", Move(5, 50, 50), 0) == []
    assert hands.take("v", Button(3, 1, 1, 1, False), 0) == [ReleaseButton(1)]


def test_a_move_after_a_later_key_still_counts():
    hands = Hands()
    hands.take("v", press(A, seq=9), 0)
    assert hands.take("v", Move(8, 1, 2), 0) == [MoveTo(1, 2)]


def test_a_locked_pointer_moves_by_steps_and_clicks_where_it_is_until_a_place_is_named():
    hands = Hands()
    assert hands.take("v", Move(1, 5, 6), 0) == [MoveTo(5, 6)]
    assert hands.take("v", Nudge(2, -3, 4), 0) == [MoveBy(-3, 4)]
    assert hands.take("v", Nudge(3, 0, 0), 0) == []
    assert hands.take("v", Button(4, 0, 0, 1, True), 0) == [PressButton(1)]
    assert hands.take("v", Wheel(5, 0, 0, 0, 1), 0) == [Scroll(0, 1)]
    assert hands.take("v", Move(1, 9, 9), 0) == []
    assert hands.take("v", Move(6, 7, 8), 0) == [MoveTo(7, 8)]
    assert hands.take("v", Button(7, 9, 9, 1, False), 0) == [MoveTo(9, 9), ReleaseButton(1)]


def test_each_viewer_counts_its_own_sequence():
    hands = Hands()
    hands.take("v", Move(100, 1, 1), 0)
    assert hands.take("w", Move(1, 2, 2), 0) == [MoveTo(2, 2)]


def test_buttons_of_two_viewers_are_one_button():
    hands = Hands()
    hands.take("v", Button(1, 0, 0, 1, True), 0)
    assert hands.take("w", Button(1, 3, 3, 1, True), 0) == [MoveTo(3, 3)]
    assert hands.take("v", Button(2, 0, 0, 1, False), 0) == [MoveTo(0, 0)]
    assert hands.take("w", Button(2, 3, 3, 1, False), 0) == [MoveTo(3, 3), ReleaseButton(1)]


def test_wheel_and_text():
    hands = Hands()
    assert hands.take("v", Wheel(1, 9, 8, 0, -2), 0) == [MoveTo(9, 8), Scroll(0, -2)]
    assert hands.take("v", Wheel(2, 9, 8, 0, 0), 0) == []
    assert hands.take("v", Text(3, "ä"), 0) == [TypeText("ä")]
    assert hands.take("v", Text(4, ""), 0) == []


def test_what_is_no_input_calls_for_no_act():
    hands = Hands()
    assert hands.take("v", Ping(1), 0) == hands.take("v", KeyFrame(1), 0) == []


def test_the_number_of_held_keys_is_limited():
    hands = Hands()
    acts = [act for key in range(1, 200) for act in hands.take("v", press(key), 0)]
    assert len(acts) == MAX_HELD
    assert len(hands.leave("v")) == MAX_HELD


VIEWERS = st.sampled_from(["v", "w"])
MESSAGES = st.one_of(
    st.builds(Key, st.integers(0, 99), st.sampled_from([A, B, SHIFT]), st.booleans()),
    st.builds(Button, st.integers(0, 99), st.just(1), st.just(1), st.sampled_from([1, 3]), st.booleans()),
    st.builds(Holding, st.just(1), st.frozensets(st.sampled_from([A, B, SHIFT]))),
    st.builds(ReleaseAll, st.just(1)),
)


@given(st.lists(st.tuples(VIEWERS, MESSAGES | st.none()), max_size=40))
def test_the_desktop_never_ends_with_anything_down_that_nobody_holds(script):
    hands, down = Hands(), set()

    def act(acts):
        for one in acts:
            match one:
                case PressKey(keysym):
                    assert ("key", keysym) not in down
                    down.add(("key", keysym))
                case ReleaseKey(keysym):
                    down.remove(("key", keysym))
                case PressButton(button):
                    assert ("button", button) not in down
                    down.add(("button", button))
                case ReleaseButton(button):
                    down.remove(("button", button))

    for viewer, message in script:
        act(hands.leave(viewer) if message is None else hands.take(viewer, message, 0))
    act(hands.leave("v"))
    act(hands.leave("w"))
    assert not down
