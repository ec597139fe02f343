from __future__ import annotations

from transom.recording.loss import WATCHED_MS, Loss, Span


def broken(run: int = 5) -> Loss:
    """Watched from 1000 on; a segment up to 3000 came, and the stream broke at 7000."""
    loss = Loss()
    loss.watched(1000)
    loss.begins(run, 1000)
    assert loss.came(run, 4, 3000) == []
    loss.breaks(7000)
    return loss


def test_a_newer_run_numbered_from_the_beginning_tells_what_the_crash_took() -> None:
    loss = broken()
    loss.begins(6, 8000)
    assert loss.came(6, 1, 13_000) == [Span(5, 3000, 7000)]
    assert loss.came(6, 2, 18_000) == [] and loss.over() == []
    assert Span(5, 3000, 7000).line == {"at_ms": 3000, "kind": "lost", "why": "crashed", "until_ms": 7000}


def test_a_stream_alone_that_breaks_takes_nothing() -> None:
    loss = broken()
    assert loss.came(5, 5, 7000) == [] and loss.over() == []
    loss = broken()
    loss.begins(6, 8000)
    assert loss.came(6, 5, 13_000) == [], "nothing was open: the same process goes on counting"
    assert loss.over() == []


def test_what_did_not_come_until_the_end_is_lost() -> None:
    loss = broken()
    loss.begins(6, 8000)
    loss.breaks(9000)
    assert loss.over() == [Span(5, 3000, 7000), Span(6, 8000, 9000)] and loss.over() == []


def test_where_nobody_watched_and_where_it_was_removed_nothing_is_lost() -> None:
    loss = broken()
    loss.removed()
    assert loss.over() == []
    loss.begins(6, 8000)
    loss.breaks(1000 + WATCHED_MS)
    assert loss.over() == []
