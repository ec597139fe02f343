from hypothesis import given
from hypothesis import strategies as st

from transom_guest.input.fingers import TouchDown, Touches, TouchMove, TouchOn, TouchUp
from transom_guest.input.held import SILENCE, Hands
from transom_guest.input.message import MAX_FINGERS, Finger, Fingers, ReleaseAll, Touching


def said(seq, *at, all=True):
    return Fingers(seq, tuple(Finger(*each) for each in at), all)


def touching(*viewers):
    touches = Touches()
    for viewer in viewers:
        touches.want(viewer, True)
    return touches


def test_the_touch_screen_is_on_while_anybody_wants_it():
    touches = Touches()
    assert touches.want("v", True) == [TouchOn(True)]
    assert touches.want("v", True) == touches.want("w", True) == touches.leave("v") == []
    assert touches.want("w", False) == [TouchOn(False)]
    assert touches.want("w", False) == touches.leave("v") == []


def test_a_finger_goes_down_moves_and_goes_up_when_it_is_not_named():
    touches = touching("v")
    assert touches.take("v", said(1, (0, 5, 6))) == [TouchDown(1, 5, 6)]
    assert touches.take("v", said(2, (0, 7, 6), all=False)) == [TouchMove(1, 7, 6)]
    assert touches.take("v", said(3, (0, 7, 6), (1, 9, 9))) == [TouchDown(2, 9, 9)]
    assert touches.take("v", said(4, (1, 9, 9))) == [TouchUp(1)]
    assert touches.take("v", said(5)) == [TouchUp(2)] and not touches.touching()


def test_what_comes_late_moves_nothing_back_and_moves_alone_press_nothing():
    touches = touching("v")
    assert touches.take("v", said(5, (0, 5, 6), all=False)) == []
    touches.take("v", said(6, (0, 5, 6)))
    touches.take("v", said(9, (0, 50, 60), all=False))
    assert touches.take("v", said(8, (0, 5, 6), all=False)) == []
    # the channel that loses nothing may be slower: its words still count
    assert touches.take("v", said(7, (0, 5, 6), (1, 1, 1))) == [TouchDown(2, 1, 1)]
    assert touches.take("v", said(8)) == [TouchUp(1), TouchUp(2)]


def test_fingers_of_who_wants_no_touch_touch_nothing_and_ten_are_enough():
    touches = touching("v", "w")
    assert touches.take("x", said(1, (0, 1, 1))) == []
    assert len(touches.take("v", said(1, *((n, n, n) for n in range(6))))) == 6
    assert len(touches.take("w", said(1, *((n, n, n) for n in range(6))))) == MAX_FINGERS - 6


def test_fingers_go_up_on_release_on_leaving_and_after_silence():
    hands = Hands()
    assert hands.take("v", Touching(0, True), 0) == [TouchOn(True)]
    hands.take("v", said(1, (0, 1, 1)), 0)
    assert hands.holding()
    assert hands.take("v", ReleaseAll(2), 0) == [TouchUp(1)]
    hands.take("v", said(3, (0, 1, 1)), 0)
    assert hands.lost(SILENCE - 0.1) == []
    assert hands.lost(SILENCE) == [TouchUp(2)] and not hands.holding()
    hands.take("v", said(4, (0, 1, 1)), 9)
    assert hands.leave("v") == [TouchUp(3), TouchOn(False)]
    assert hands.take("v", said(5, (0, 1, 1)), 9) == []


FINGERS = st.builds(
    lambda seq, numbers, x, all: said(seq, *((number, x, x) for number in numbers), all=all),
    *(st.integers(0, 30), st.lists(st.integers(0, 9), max_size=10, unique=True), st.integers(0, 9)),
    st.booleans(),
)


@given(st.lists(st.tuples(st.sampled_from("vw"), st.one_of(FINGERS, st.booleans(), st.none()))))
def test_whatever_viewers_say_contacts_go_down_once_and_up_once(script):
    touches, down, seen, on = Touches(), set(), set(), False
    ending = [(viewer, None) for viewer in "vw"]
    for viewer, what in [*script, *ending]:
        if what is None:
            acts = touches.leave(viewer)
        elif isinstance(what, bool):
            acts = touches.want(viewer, what)
        else:
            acts = touches.take(viewer, what)
        for act in acts:
            match act:
                case TouchOn(turned):
                    assert turned is not on and not down
                    on = turned
                case TouchDown(contact):
                    assert on and contact not in seen
                    down.add(contact)
                    seen.add(contact)
                case TouchMove(contact):
                    assert contact in down
                case TouchUp(contact):
                    down.remove(contact)
        assert len(down) <= MAX_FINGERS
    assert not down and not on
