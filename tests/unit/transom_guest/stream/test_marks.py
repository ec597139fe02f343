import json

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.marks import EVERY, PATIENCE, Mark, Marks


def test_a_mark_says_what_each_step_took() -> None:
    marks = Marks()
    marks.felt("a", 7, 1.0)
    marks.changed(1.002)
    marks.grabbed(1.0035)
    (mark,) = marks.sent(1.009, (0.0002, 0.001, 0.004))
    assert mark == Mark("a", 7, 1.0035, 2.0, 1.5, 5.5, (0.2, 1.0, 4.0))
    assert json.loads(mark.message(90)) == ["mark", 7, 90, 2.0, 1.5, 5.5, 0.2, 1.0, 4.0]
    assert marks.sent(1.01) == []


def test_a_frame_that_was_in_the_encoder_already_is_not_the_one() -> None:
    marks = Marks()
    marks.grabbed(0.999)
    marks.felt("a", 7, 1.0)
    marks.changed(1.001)
    assert marks.sent(1.002) == []
    marks.grabbed(1.003)
    assert [mark.grabbed for mark in marks.sent(1.004)] == [1.003]


def test_two_a_second_and_viewers_apart() -> None:
    marks = Marks()
    seen = []
    for step in range(200):
        now = step / 100
        for viewer in "ab":
            marks.felt(viewer, step, now)
        marks.changed(now)
        marks.grabbed(now)
        seen += [mark.viewer for mark in marks.sent(now)]
    assert seen.count("a") == seen.count("b") == 2 / EVERY


def test_what_changed_nothing_is_forgotten() -> None:
    marks = Marks()
    marks.felt("a", 1, 0.0)
    marks.felt("a", 2, PATIENCE / 2)
    marks.felt("a", 3, PATIENCE)
    marks.changed(PATIENCE)
    marks.grabbed(PATIENCE)
    assert [mark.seq for mark in marks.sent(PATIENCE)] == [3]
    marks.felt("b", 1, 2.0)
    marks.leave("b")
    marks.changed(2.0)
    marks.grabbed(2.0)
    assert marks.sent(2.0) == []


@given(st.lists(st.tuples(st.sampled_from(("felt", "changed", "grabbed", "sent")), st.floats(0, 0.3))))
def test_steps_are_never_negative(happened: list[tuple[str, float]]) -> None:
    marks, now = Marks(), 0.0
    for seq, (what, later) in enumerate(happened):
        now += later
        if what == "felt":
            marks.felt("a", seq, now)
        elif what == "sent":
            assert all(min(mark.act_ms, mark.grab_ms, mark.send_ms) >= 0 for mark in marks.sent(now))
        else:
            getattr(marks, what)(now)
