from __future__ import annotations

import asyncio

import pytest

from transom.model.works import first_over


class Work:
    """Works until it is let go or ended, and takes a moment to end."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.ended = False

    async def run(self) -> str:
        try:
            await self.go.wait()
            return "done"
        finally:
            await asyncio.sleep(0)
            self.ended = True


async def test_the_block_runs_with_what_is_over_and_the_rest_is_ended_after_it() -> None:
    one, other = Work(), Work()
    one.go.set()
    async with first_over(one.run(), other.run()) as done:
        assert [task.result() for task in done] == ["done"]
        assert not other.ended
    assert other.ended


async def test_a_block_that_raises_ends_the_rest_as_well() -> None:
    one, other = Work(), Work()
    one.go.set()
    with pytest.raises(ValueError, match="no"):
        async with first_over(one.run(), other.run()):
            raise ValueError("no")
    assert other.ended


async def test_who_is_cancelled_meanwhile_has_ended_all() -> None:
    one, other = Work(), Work()

    async def both() -> None:
        async with first_over(one.run(), other.run()):
            pass

    task = asyncio.create_task(both())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.ended and other.ended
