from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.recording.beats import BURST, EACH_MS, VIEWERS_LIMIT, Beats


def test_a_change_of_rung_and_known_figures_are_lines() -> None:
    beats = Beats()
    first = list(beats.lines("a", "webrtc", {"kbps": 900, "words": "x", "fps": "many"}, 0))
    assert first == [
        {"kind": "rung", "viewer": "a", "rung": "webrtc"},
        {"kind": "quality", "viewer": "a", "kbps": 900},
    ]
    assert list(beats.lines("a", "webrtc", {}, 10_000)) == []
    assert [line["rung"] for line in beats.lines("a", "vnc", {}, 20_000)] == ["vnc"]


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
    beats, now, lines = Beats(), 0, 0
    for viewer, rung, stats, after in said:
        now += after
        lines += len(list(beats.lines(viewer, rung, stats, now)))
        assert len(beats._rungs) <= VIEWERS_LIMIT
    assert lines <= BURST + now / EACH_MS
