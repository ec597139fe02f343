from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.auth.limits import RateLimiter
from transom.recording.beats import BURST, BURST_S, VIEWERS_LIMIT, Beats


def test_a_change_of_rung_and_known_figures_are_lines() -> None:
    beats = Beats(lambda: 0)
    first = list(beats.lines("a", "webrtc", {"kbps": 900, "words": "x", "fps": "many"}))
    assert first == [
        {"kind": "rung", "viewer": "a", "rung": "webrtc"},
        {"kind": "quality", "viewer": "a", "kbps": 900},
    ]
    assert list(beats.lines("a", "webrtc", {})) == []
    assert [line["rung"] for line in beats.lines("a", "vnc", {})] == ["vnc"]


def test_a_picture_that_stood_still_is_a_line_and_one_that_did_not_is_none() -> None:
    beats = Beats(lambda: 0)
    assert list(beats.freezes("a", 2, 1300.4, 10_000)) == [
        {"kind": "freeze", "viewer": "a", "freezes": 2, "frozen_ms": 1300, "span_ms": 10_000}
    ]
    assert [line["frozen_ms"] for line in beats.freezes("a", 1, 99_000, 10_000)] == [10_000]
    assert list(beats.freezes("a", 0, 700, 10_000)), "the rest of one that the summary before counted"
    assert list(beats.freezes("a", 0, 0, 10_000)) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 99).map(str),
            st.sampled_from([None, "webrtc", "vnc"]),
            st.sampled_from([{}, {"fps": 60}]),
            st.integers(0, 50),
        ),
        max_size=300,
    )
)
def test_whoever_says_what_a_session_s_lines_are_few(
    said: list[tuple[str, str | None, dict[str, int], int]],
) -> None:
    now, lines = 0, 0
    wait = RateLimiter(count=BURST, seconds=BURST_S, clock=lambda: now).allow
    beats = Beats(lambda: wait("ses"))
    for viewer, rung, stats, after in said:
        now += after
        lines += len(list(beats.lines(viewer, rung, stats)))
        lines += len(list(beats.freezes(viewer, after % 3, after, 1000)))
        assert len(beats._rungs) <= VIEWERS_LIMIT
    assert lines <= BURST + now / 1000 * BURST / BURST_S
