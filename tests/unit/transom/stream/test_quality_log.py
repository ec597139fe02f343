"""Rows on their way to the store: batched, bounded, and nobody waits for a database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from transom.model.errors import Unavailable
from transom.model.quality import QualityRow
from transom.stream import quality_log
from transom.stream.quality_log import BATCH, WAITING_LIMIT, QualityLog


class FakeStore:
    def __init__(self) -> None:
        self.batches: list[Sequence[QualityRow]] = []
        self.away = False
        self.slow_s = 0.0

    async def add(self, rows: Sequence[QualityRow]) -> None:
        await asyncio.sleep(self.slow_s)
        if self.away:
            raise Unavailable("the disk is full")
        self.batches.append(list(rows))

    async def of(self, session: str, *, since: int, limit: int) -> Sequence[QualityRow]:
        return [row for batch in self.batches for row in batch if row.session == session and row.at >= since]

    async def prune(self, *, before: int) -> int:
        return 0


def a_row(at: int, viewer: str = "a", session: str = "ses_a") -> QualityRow:
    return QualityRow(session, viewer, at, 10_000, "webrtc")


def a_log(store: FakeStore, wait: int = 0) -> tuple[QualityLog, Counter[str]]:
    counted: Counter[str] = Counter()
    return QualityLog(
        store, lambda word, n: counted.update({word: n}), lambda key: wait, lambda key: 0
    ), counted


async def test_rows_are_written_together_and_seen_before_that() -> None:
    store = FakeStore()
    log, counted = a_log(store)
    assert all(log.take(a_row(n)) for n in range(5))
    log.take(a_row(9, session="ses_b"))
    assert [row.at for row in await log.of("ses_a", since=2, limit=10)] == [2, 3, 4]
    await log.flush()
    assert [len(batch) for batch in store.batches] == [6]
    assert [row.at for row in await log.of("ses_a", since=0, limit=2)] == [3, 4]
    assert counted == {"kept": 6}


async def test_a_large_heap_goes_in_batches() -> None:
    store = FakeStore()
    log, _ = a_log(store)
    for n in range(BATCH + 5):
        log.take(a_row(n))
    await log.flush()
    assert [len(batch) for batch in store.batches] == [BATCH, 5]


async def test_who_says_too_much_is_refused_and_counted() -> None:
    log, counted = a_log(FakeStore(), wait=3)
    assert not log.take(a_row(1))
    assert counted == {"refused": 1}


async def test_a_store_that_is_away_loses_rows_and_they_are_counted() -> None:
    store = FakeStore()
    log, counted = a_log(store)
    store.away = True
    log.take(a_row(1))
    await log.flush()
    store.away = False
    log.take(a_row(2))
    await log.flush()
    assert counted == {"lost": 1, "kept": 1}


async def test_a_slow_store_holds_up_nobody_and_takes_no_memory() -> None:
    store = FakeStore()
    log, counted = a_log(store)
    store.slow_s = 30
    log.take(a_row(0))
    writing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    for n in range(WAITING_LIMIT + 10):
        log.take(a_row(n + 1))
    assert counted["lost"] >= 10
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_a_write_has_a_deadline() -> None:
    store = FakeStore()
    log, counted = a_log(store)
    before, quality_log.WRITE_S = quality_log.WRITE_S, 0.05
    try:
        store.slow_s = 30
        log.take(a_row(1))
        await asyncio.wait_for(log.flush(), 5)
    finally:
        quality_log.WRITE_S = before
    assert counted == {"lost": 1}
