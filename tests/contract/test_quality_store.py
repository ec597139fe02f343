"""Rows of what pictures were like, on SQLite and PostgreSQL: bounded, merged with age, gone with their session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.contract.test_store_contract import a_session
from transom.model.quality import Keeping, QualityRow
from transom.model.session import SessionState
from transom.store.database import Store
from transom.store.quality import SLACK, QualityRows


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = Store(url)
    await opened.open()
    yield opened
    await opened.close()


def a_row(session: str, at: int, viewer: str = "a", **figures: float) -> QualityRow:
    return QualityRow(session, viewer, at, 10_000, "webrtc", figures, {"local": "host", "transport": "udp"})


async def with_session(store: Store, state: SessionState = SessionState.READY) -> str:
    return (await store.add_session(a_session(state=state), None)).id


async def test_rows_come_back_as_they_were_oldest_first(store: Store) -> None:
    session, other = await with_session(store), await with_session(store)
    rows = [a_row(session, at, viewer, fps=29.5, loss=0.01) for at in (1000, 2000, 2**41) for viewer in "ab"]
    await store.quality.add([*rows, a_row(other, 5)])
    assert await store.quality.of(session, since=0, limit=100) == rows
    assert await store.quality.of(session, since=2000, limit=100) == rows[2:]
    assert [row.at for row in await store.quality.of(session, since=0, limit=2)] == [2**41, 2**41]
    assert await store.quality.of("ses_none", since=0, limit=10) == []


async def test_a_repeated_row_and_one_of_nobody_change_nothing(store: Store) -> None:
    session = await with_session(store)
    row = a_row(session, 1000, fps=30)
    await store.quality.add([row])
    await asyncio.gather(*(store.quality.add([replace(row, span_ms=1), a_row("ses_none", 3)]) for _ in "abc"))
    assert await store.quality.of(session, since=0, limit=10) == [row]
    assert await store.quality.of("ses_none", since=0, limit=10) == []
    await store.quality.add([])


async def test_a_session_keeps_a_bounded_number(store: Store) -> None:
    session = await with_session(store)
    keeping = Keeping(fine=30, minutes=10, most=50)
    rows = QualityRows(lambda: store._db, keeping)
    for batch in range(20):
        await rows.add([a_row(session, (batch * 25 + n) * 10_000, fps=20, freezes=1) for n in range(25)])
    kept = await rows.of(session, since=0, limit=1000)
    assert len(kept) <= keeping.most + SLACK
    assert [row.span_ms for row in kept[-30:]] == [10_000] * 30
    assert kept[0].span_ms > 60_000, "the oldest are merged by ten minutes"
    assert sum(row.figures["freezes"] for row in kept) == 500, "nothing is counted twice, nothing lost"
    assert {row.figures["fps"] for row in kept} == {20}


async def test_they_go_with_age_and_with_their_session(store: Store) -> None:
    session, over = await with_session(store), await with_session(store, SessionState.ENDED)
    await store.quality.add([a_row(session, 1000), a_row(session, 9000), a_row(over, 9000)])
    assert await store.quality.prune(before=9000) == 1
    assert [row.at for row in await store.quality.of(session, since=0, limit=10)] == [9000]
    await store.delete_session(over)
    assert await store.quality.of(over, since=0, limit=10) == []
    assert len(await store.quality.of(session, since=0, limit=10)) == 1
