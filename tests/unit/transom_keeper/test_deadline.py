from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from transom_keeper.deadline import ALARM_SLACK_SECONDS, Deadline, now_ms


@pytest.fixture(autouse=True)
def no_alarm() -> Iterator[None]:
    yield
    signal.alarm(0)


def test_a_process_whose_loop_hangs_is_ended_by_the_kernel() -> None:
    Deadline(now_ms() + 100_000).arm()
    assert 150 <= signal.alarm(0) <= 160
    Deadline(0).arm()
    assert signal.alarm(0) == ALARM_SLACK_SECONDS
    Deadline(2**53).arm()
    assert signal.alarm(0) > 0


async def test_it_passes_where_it_has_moved_to() -> None:
    deadline = Deadline(now_ms() + 3_600_000)
    passed = asyncio.ensure_future(deadline.passed())
    await asyncio.sleep(0)
    deadline.move(now_ms() + 7_200_000)
    await asyncio.sleep(0.01)
    assert not passed.done()
    deadline.move(now_ms() - 1)
    await asyncio.wait_for(passed, 10)
    assert 0 < signal.alarm(0) <= ALARM_SLACK_SECONDS
    deadline.arm()
    deadline.disarm()
    assert signal.alarm(0) == 0


async def test_one_that_has_passed_already_is_not_waited_for() -> None:
    await asyncio.wait_for(Deadline(0).passed(), 10)
