"""Rows of what a picture was like: how they become fewer."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from transom.model.quality import FIGURES, Keeping, QualityRow, candidates, changes, merged, thinned

DIRECT = {"local": "prflx", "remote": "host", "transport": "udp"}
SMALL = Keeping(fine=4, minutes=5, most=12)


def a_row(at: int = 10_000, viewer: str = "a", rung: str = "webrtc", **figures: float) -> QualityRow:
    return QualityRow("ses_a", viewer, at, 10_000, rung, figures, {"local": "host"})


def test_each_figure_has_its_own_way_of_becoming_one() -> None:
    older = a_row(fps=30, fps_least=20, latency_p95_ms=40, freezes=1, frozen_ms=700, loss=0.1)
    newer = replace(
        a_row(20_000, fps=10, fps_least=5, latency_p95_ms=90, freezes=2, frozen_ms=900),
        words={"local": "relay", "transport": "tcp"},
    )
    one = merged([older, newer])
    assert one.figures == {
        "fps": 20,
        "fps_least": 5,
        "latency_p95_ms": 90,
        "freezes": 3,
        "frozen_ms": 1600,
        "loss": 0.1,
    }
    assert (one.at, one.span_ms, one.words) == (20_000, 20_000, {"local": "relay", "transport": "tcp"})


def test_a_longer_row_weighs_more() -> None:
    long = replace(a_row(fps=10), span_ms=30_000)
    assert merged([long, a_row(40_000, fps=30)]).figures["fps"] == 15


def test_older_rows_become_minutes_and_the_newest_stay() -> None:
    rows = [a_row(n * 10_000, fps=n) for n in range(20)]
    fewer = thinned(rows, SMALL)
    assert list(fewer[-4:]) == rows[-4:]
    assert [row.at for row in fewer[:-4]] == [50_000, 110_000, 150_000]
    assert fewer[0].figures["fps"] == 2.5


def test_viewers_and_rungs_stay_apart() -> None:
    rows = [a_row(n * 1_000, viewer="ab"[n % 2], rung=("webrtc", "vnc")[n // 10]) for n in range(20)]
    fewer = thinned(rows, SMALL)
    assert {(row.viewer, row.rung) for row in fewer} == {
        (viewer, rung) for viewer in "ab" for rung in ("webrtc", "vnc")
    }


def test_changes_of_the_rung_with_their_times() -> None:
    rows = [a_row(10_000), a_row(20_000), a_row(30_000, rung="vnc"), a_row(40_000)]
    assert changes(rows) == [(0, "webrtc"), (20_000, "vnc"), (30_000, "webrtc")]
    assert changes([]) == []


ROWS = st.lists(
    st.builds(
        QualityRow,
        session=st.just("ses_a"),
        viewer=st.sampled_from("abc"),
        at=st.integers(0, 10**7),
        span_ms=st.integers(0, 120_000),
        rung=st.sampled_from(("webrtc", "vnc")),
        figures=st.dictionaries(st.sampled_from(FIGURES), st.floats(0, 1e7)),
        words=st.just({}),
    ),
    max_size=60,
    unique_by=lambda row: (row.viewer, row.at),
)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_whatever_was_told_is_bounded_and_stays_in_its_range(rows: list[QualityRow]) -> None:
    fewer = thinned(rows, SMALL)
    assert len(fewer) <= SMALL.most
    assert len({(row.viewer, row.at) for row in fewer}) == len(fewer)
    for name in FIGURES:
        values = [row.figures[name] for row in rows if name in row.figures]
        for row in fewer:
            if name in row.figures and name not in ("freezes", "frozen_ms"):
                assert min(values) - 1e-3 <= row.figures[name] <= max(values) + 1e-3


def test_candidates_have_their_share_of_the_time_when_they_were_known_if_there_were_several() -> None:
    unknown, direct = replace(a_row(), words={}), replace(a_row(), words=DIRECT)
    assert candidates([]) == candidates([unknown]) == ""
    assert candidates([direct, unknown, direct]) == "prflx to host, UDP"
    relayed = replace(a_row(), words={"local": "relay", "transport": "tls"})
    long = replace(direct, span_ms=30_000)
    both = candidates([relayed, long, replace(unknown, span_ms=500_000)])
    assert both == "prflx to host, UDP (75 %); relay to unknown, TLS (25 %)"
