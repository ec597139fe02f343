import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.pacing import (
    KEY_EVERY,
    LINGER_EVERY,
    QUICK,
    REFINE_AFTER,
    REFINE_EVERY,
    REFINEMENTS,
    REPEAT_EVERY,
    STUCK,
    Grab,
    Pacer,
    Rows,
    Wait,
)

FRAME = 1 / 60


def grab(pacer: Pacer, now: float) -> bool:
    """Grab at `now`, which the pacer must want; True for a key frame."""
    decision = pacer.decide(now)
    assert isinstance(decision, Grab)
    pacer.grabbed(now, key=decision.key)
    return decision.key


def started(at: float = 0.0) -> Pacer:
    pacer = Pacer()
    assert grab(pacer, at)
    pacer.frame_out()
    return pacer


def test_the_first_frame_is_a_key_frame_at_once():
    assert Pacer().decide(0.0) == Grab(key=True)


def test_a_change_is_grabbed_at_once_when_the_screen_was_still():
    pacer = started()
    pacer.damaged()
    assert pacer.decide(0.05) == Grab(key=False)


def test_the_cap_holds_before_the_grab():
    pacer = started()
    pacer.damaged()
    grab(pacer, 0.001)
    pacer.frame_out()
    pacer.damaged()
    assert pacer.decide(0.002) == Wait(pytest.approx(FRAME))
    assert pacer.decide(FRAME + 1e-6) == Grab(key=False)


def test_a_second_step_of_a_drawing_is_not_held_up_and_motion_keeps_to_the_cap():
    pacer = started()
    pacer.damaged()
    times = []
    for step in range(50, 1050):
        now = step / 1000
        if isinstance(pacer.decide(now), Grab):
            grab(pacer, now)
            pacer.frame_out()
            pacer.damaged()
            times.append(now)
    assert times[1] - times[0] < 0.002
    assert 59 <= len(times) <= 62


def test_another_cap_holds_from_the_next_frame_on():
    pacer = started()
    pacer.set_fps(10)
    pacer.damaged()
    grab(pacer, 1.0)
    pacer.frame_out()
    pacer.damaged()
    grab(pacer, 1.01)
    pacer.frame_out()
    pacer.damaged()
    assert pacer.decide(1.02) == Wait(pytest.approx(1.1))


def test_never_two_frames_in_the_encoder():
    pacer = Pacer()
    grab(pacer, 0.0)
    pacer.damaged()
    assert pacer.decide(0.5) == Wait(STUCK)
    pacer.frame_out()
    assert pacer.decide(0.5) == Grab(key=False)


def test_no_frame_is_made_that_would_only_wait_to_be_sent():
    pacer = Pacer()
    grab(pacer, 0.0)
    pacer.damaged()
    pacer.frame_out(0.4)
    assert pacer.decide(0.1) == Wait(0.4)
    grab(pacer, 0.4)
    pacer.frame_out()
    pacer.damaged()
    assert isinstance(pacer.decide(0.4 + FRAME + 1e-6), Grab)


def test_a_frame_that_never_leaves_the_encoder_is_given_up():
    pacer = Pacer()
    grab(pacer, 0.0)
    assert isinstance(pacer.decide(STUCK), Grab)


def pauses(pacer: Pacer, settled: list[bool], now: float = 0.0) -> list[float]:
    """The seconds before each still frame, of which the encoder says whether it had nothing to add."""
    found = []
    for each in settled:
        decision = pacer.decide(now)
        assert isinstance(decision, Wait)
        found.append(decision.until - now)
        now = decision.until
        assert not grab(pacer, now)
        pacer.frame_out(settled=each)
    return found


def test_a_still_picture_is_refined_until_it_is_sharp_and_then_repeated():
    found = pauses(started(), [False, False, True, True, True, True])
    quick = [REFINE_AFTER, REFINE_EVERY, REFINE_EVERY]
    assert found == pytest.approx([*quick, LINGER_EVERY, REPEAT_EVERY, REPEAT_EVERY])


def test_a_page_is_refined_four_times_within_the_time_it_has():
    assert sum(pauses(started(), [False] * QUICK)) <= 0.25


def test_a_picture_that_was_sharp_already_takes_two_small_frames():
    assert pauses(started(), [True] * 3) == pytest.approx([REFINE_AFTER, LINGER_EVERY, REPEAT_EVERY])


def test_a_small_frame_of_a_slow_link_does_not_end_the_refinement():
    found = pauses(started(), [False, False, False, True, False, True, True, True])
    slow = [LINGER_EVERY] * 3
    assert found == pytest.approx([REFINE_AFTER, *[REFINE_EVERY] * 3, *slow, REPEAT_EVERY])


def test_refinement_ends_even_of_a_picture_that_is_never_sharp():
    found = pauses(started(), [False] * (REFINEMENTS + 2))
    assert found[QUICK:REFINEMENTS] == pytest.approx([LINGER_EVERY] * (REFINEMENTS - QUICK))
    assert found[REFINEMENTS:] == pytest.approx([REPEAT_EVERY] * 2)


def test_a_key_frame_of_a_still_screen_is_refined_too():
    pacer = started()
    pauses(pacer, [True, True])
    pacer.key_wanted()
    assert grab(pacer, 2.0)
    pacer.frame_out()
    assert pacer.decide(2.0) == Wait(pytest.approx(2.0 + REFINE_AFTER))


def test_a_change_begins_the_refinement_anew():
    pacer = started()
    pacer.damaged()
    grab(pacer, 10.0)
    pacer.frame_out()
    assert pacer.decide(10.01) == Wait(pytest.approx(10.0 + REFINE_AFTER))


def test_a_wanted_key_frame_wakes_a_still_screen():
    pacer = started()
    pacer.key_wanted()
    assert pacer.decide(1.0) == Grab(key=True)


def test_many_wishes_for_a_key_frame_are_answered_by_one():
    pacer = started()
    pacer.key_wanted()
    pacer.key_wanted()
    assert pacer.decide(0.05) == Wait(pytest.approx(KEY_EVERY - 0.0, abs=KEY_EVERY - REFINE_AFTER))
    assert grab(pacer, KEY_EVERY)
    pacer.frame_out()
    assert pacer.decide(KEY_EVERY + 0.1) != Grab(key=True)


def test_a_change_does_not_wait_for_the_key_frame_that_must_wait():
    pacer = started()
    pacer.key_wanted()
    pacer.damaged()
    assert pacer.decide(0.05) == Grab(key=False)
    grab(pacer, 0.05)
    pacer.frame_out()
    assert grab(pacer, KEY_EVERY)


def test_who_lost_the_picture_is_sent_nothing_before_the_key_frame_has_room():
    pacer = started()
    pacer.key_wanted(1.3)
    pacer.damaged()
    assert pacer.decide(1.0) == Wait(pytest.approx(1.3))
    pacer.key_wanted()
    assert pacer.decide(1.2) == Wait(pytest.approx(1.3))
    assert grab(pacer, 1.3)
    pacer.frame_out()
    pacer.damaged()
    assert pacer.decide(1.3 + FRAME) == Grab(key=False)


def test_a_failed_grab_is_tried_again_after_an_interval():
    pacer = started()
    pacer.damaged()
    pacer.failed(1.0)
    assert pacer.decide(1.0) == Wait(pytest.approx(1.0 + FRAME))
    assert isinstance(pacer.decide(1.0 + FRAME), Grab)


@given(
    st.lists(
        st.tuples(st.sampled_from(["damage", "key", "lost", "out", "tick"]), st.floats(0, 0.3)), max_size=80
    )
)
def test_whatever_happens_frames_keep_their_distance_and_a_wait_is_in_the_future(script):
    pacer, now, last, before, last_key = Pacer(), 0.0, -1.0, -1.0, -1.0
    busy, held = False, 0.0
    for what, passed in script:
        now += passed
        if what == "damage":
            pacer.damaged()
        elif what == "key":
            pacer.key_wanted()
        elif what == "lost":
            pacer.key_wanted(now + 0.3)
            held = now + 0.3
        elif what == "out":
            pacer.frame_out()
            busy = False
        decision = pacer.decide(now)
        if isinstance(decision, Wait):
            assert decision.until > now
            assert decision.until <= now + REPEAT_EVERY + STUCK
            continue
        assert now - before >= FRAME - 1e-9, "never three within one frame's time"
        assert not busy or now - last >= STUCK
        assert now >= held
        if decision.key:
            assert now - last_key >= KEY_EVERY - 1e-9
            last_key = now
        pacer.grabbed(now, key=decision.key)
        before, last, busy = last, now, True


def test_rows_begin_with_the_whole_screen():
    rows = Rows(720)
    assert rows.take() == (0, 720)
    assert rows.take() is None


def test_rows_grow_to_one_span_and_are_clipped():
    rows = Rows(720)
    rows.take()
    assert rows.add([(10, 20), (15, 40)])
    assert rows.add([(-5, 12), (700, 900)])
    assert rows.take() == (0, 720)
    assert rows.add([(30, 31)])
    assert rows.take() == (30, 31)


def test_damage_off_the_screen_is_none():
    rows = Rows(720)
    rows.take()
    assert not rows.add([(720, 800), (-9, 0), (5, 5)])
    assert rows.take() is None


def test_what_all_have_drawn_is_not_repeated_and_a_change_is_grabbed_at_once():
    pacer = started()
    last = settles(pacer)
    assert pacer.at_rest
    pacer.seen()
    assert pacer.decide(last + 3600) == Wait(float("inf"))
    pacer.damaged()
    assert not pacer.at_rest
    assert pacer.decide(last + 3600) == Grab(key=False)
    pacer.grabbed(last + 3600, key=False)
    assert not pacer.at_rest
    pacer.frame_out()
    assert isinstance(pacer.decide(last + 3600 + REFINE_AFTER), Grab), "and made sharp"


def test_a_key_frame_that_is_wanted_ends_the_rest_and_it_is_repeated_until_it_was_drawn():
    pacer = started()
    last = settles(pacer)
    pacer.seen()
    pacer.key_wanted()
    assert not pacer.at_rest
    assert grab(pacer, last + 100)
    pacer.frame_out()
    last = settles(pacer, last + 100)
    assert pacer.decide(last + 0.1) == Wait(last + REPEAT_EVERY)


def settles(pacer: Pacer, now: float = 0.0) -> float:
    """Refine until nothing is left to add; when that frame was grabbed."""
    while not pacer.at_rest:
        decision = pacer.decide(now)
        if isinstance(decision, Wait):
            now = decision.until
            continue
        grab(pacer, now)
        pacer.frame_out(settled=True)
    return now
