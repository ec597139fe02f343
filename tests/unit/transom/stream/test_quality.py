"""The last word of each viewer."""

from __future__ import annotations

from transom.stream.quality import FRESH_MS, VIEWERS_LIMIT, Quality, Report
from transom_wire.link import StreamReport


def test_the_last_word_counts_while_it_is_fresh() -> None:
    quality = Quality()
    quality.report("ses_1", "a", Report(0, "webrtc", {"fps": 30}))
    quality.report("ses_1", "a", Report(1000, "vnc", {}))
    quality.report("ses_2", "b", Report(1000, "vnc", {}))
    quality.report("ses_2", "c", Report(1000, None, {}))
    assert quality.rungs(1000) == {"vnc": 2}
    assert quality.rungs(1000 + FRESH_MS + 1) == {}
    assert quality.of("ses_1")["a"].rung == "vnc"
    quality.report("ses_1", "d", Report(1000, "vnc", {}))
    quality.left("ses_1", "d")
    quality.left("ses_1", "nobody")
    assert quality.rungs(1000) == {"vnc": 2}
    quality.forget("ses_2")
    assert quality.rungs(1000) == {"vnc": 1}


def test_memory_is_bounded() -> None:
    quality = Quality()
    for number in range(VIEWERS_LIMIT + 10):
        quality.report("ses_1", f"p{number}", Report(0, "vnc", {}))
    assert quality.rungs(0) == {"vnc": VIEWERS_LIMIT}


def test_the_guests_word_of_each_link_is_kept_bounded_and_forgotten() -> None:
    quality = Quality()
    for number in range(VIEWERS_LIMIT + 1):
        quality.link_fared("ses_1", StreamReport(f"p{number}", 1, 800, 300, 60, 100, 0.0, 20.0, "start"))
    for number in (0, 1, VIEWERS_LIMIT):
        quality.report("ses_1", f"p{number}", Report(0, "webrtc", {}))
    assert [link.peer for link in quality.links(0)] == ["p1", f"p{VIEWERS_LIMIT}"], "the oldest went"
    quality.forget("ses_1")
    quality.report("ses_1", "p1", Report(0, "webrtc", {}))
    assert not quality.links(0)


def test_links_are_of_viewers_who_are_there() -> None:
    causes: list[str] = []
    quality = Quality(causes.append)
    quality.report("ses_1", "a", Report(0, "webrtc", {}))
    for peer in ("a", "gone"):
        quality.link_fared("ses_1", StreamReport(peer, 1, 800, 300, 60, 100, 0.0, 20.0, "loss"))
    assert [link.peer for link in quality.links(FRESH_MS)] == ["a"]
    assert quality.links(1000 + FRESH_MS) == []
    assert causes == ["loss", "loss"]


def test_what_a_machine_did_not_take_is_counted_once() -> None:
    """Its reports tell how much it was since the peer came; a new try of the same viewer begins anew."""
    dropped: list[tuple[str, int]] = []
    quality = Quality(dropped=lambda why, count: dropped.append((why, count)))

    def told(epoch: int, *counts: int) -> list[tuple[str, int]]:
        dropped.clear()
        quality.link_fared("ses_1", StreamReport("p", epoch, 800, 300, 60, 100, 0.0, 20.0, "start", *counts))
        return list(dropped)

    assert told(1) == []
    assert told(1, 1, 2, 0, 4000) == [("malformed", 1), ("unallowed", 2), ("floods", 4000)]
    assert told(1, 3, 2, 1, 4000) == [("malformed", 2), ("sizes", 1)]
    assert told(1, 0, 0, 0, 0) == []
    assert told(2, 1) == [("malformed", 1)]
    assert told(2, 1, 0, 0, 0, 7, 9) == [("rtcp", 7), ("forged", 9)]
    assert told(2, 1, 0, 0, 0, 7, 9, 2) == [("clipboard", 2)]
