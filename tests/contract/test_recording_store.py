"""Recordings' rows, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from transom.model.recording import Recording
from transom.store.database import Store

ROW = Recording("ses_a", "usr_a", started_at=2**41)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = Store(url)
    await opened.open()
    yield opened
    await opened.close()


async def test_rows_are_written_again_listed_and_forgotten(store: Store) -> None:
    rows = store.recordings
    later = replace(ROW, session="ses_b", user="usr_b", started_at=2**41 + 5)
    for row in (ROW, later, replace(ROW, ended_at=2**41 + 9, bytes=2**40, segments=7)):
        await rows.save_recording(row)
    changed = await rows.get_recording("ses_a")
    assert changed is not None and (changed.bytes, changed.segments, changed.ended_at) == (
        2**40,
        7,
        2**41 + 9,
    )
    assert await rows.list_recordings(user=None) == [later, changed]
    assert await rows.list_recordings(user="usr_a") == [changed]
    await rows.delete_recording("ses_a")
    await rows.delete_recording("ses_none")
    assert await rows.get_recording("ses_a") is None
