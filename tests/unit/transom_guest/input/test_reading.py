"""When a program has come to what was done before."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.waiting import until
from transom_guest.input import reading as module
from transom_guest.input.reading import ROUNDS, Reading
from transom_guest.x11.events import XEvent


class Programs:
    """Of the windows, `focused` has the focus; an event says in its type which question it answers."""

    def __init__(self) -> None:
        self.focused: int | None = 7
        self.asked: list[int] = []
        self.at_once = False
        """An answer is there when the question is sent, and nobody is told."""
        self.queue: list[XEvent] = []

    def window(self) -> int | None:
        return self.focused

    def ask(self, window: int) -> int:
        self.asked.append(window)
        if self.at_once:
            self.queue.append(answer(len(self.asked)))
        return len(self.asked)

    def answered(self, event: XEvent) -> int | None:
        return event.type or None


def answer(number: int) -> XEvent:
    event = XEvent()
    event.type = number
    return event


@pytest.fixture
def programs() -> Programs:
    return Programs()


def reading_of(programs: Programs) -> Reading:
    def read() -> None:
        while programs.queue:
            reading.handle(programs.queue.pop(0))

    reading = Reading(programs, read)
    return reading


async def begun(reading: Reading) -> asyncio.Task[None]:
    waiting = asyncio.create_task(reading.caught_up())
    await asyncio.sleep(0)
    return waiting


async def test_it_waits_for_one_answer_after_the_other(programs: Programs) -> None:
    reading = reading_of(programs)
    waiting = await begun(reading)
    for number in range(1, ROUNDS + 1):
        assert programs.asked == [7] * number
        reading.handle(answer(99))
        reading.handle(XEvent())
        await asyncio.sleep(0.01)
        assert not waiting.done() and len(programs.asked) == number
        reading.handle(answer(number))
        await asyncio.sleep(0.01)
    await asyncio.wait_for(waiting, 1)


@pytest.mark.parametrize("focused", [None, 7])
async def test_who_is_not_asked_or_does_not_answer_is_waited_for_so_long(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, focused: int | None
) -> None:
    monkeypatch.setattr(module, "SETTLES", 0.05)
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    programs.focused = focused
    began = asyncio.get_running_loop().time()
    await reading_of(programs).caught_up()
    assert asyncio.get_running_loop().time() - began >= 0.04
    assert len(programs.asked) == (focused is not None)


async def test_who_did_not_answer_is_not_asked_again_before_it_did(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLES", 0)
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    reading = reading_of(programs)
    for _ in range(3):
        await reading.caught_up()
    assert programs.asked == [7]
    reading.handle(answer(1))
    await reading.caught_up()
    assert programs.asked == [7, 7]
    programs.focused = 8
    await reading.caught_up()
    assert programs.asked == [7, 7, 8]


async def test_an_answer_that_was_read_with_the_question_is_not_waited_for(programs: Programs) -> None:
    programs.at_once = True
    await asyncio.wait_for(reading_of(programs).caught_up(), 1)
    assert programs.asked == [7] * ROUNDS


async def test_an_answer_that_nobody_tells_of_is_found_soon(programs: Programs) -> None:
    waiting = await begun(reading_of(programs))
    for number in range(1, ROUNDS + 1):
        assert programs.asked == [7] * number
        programs.queue.append(answer(number))
        await until(
            lambda number=number: waiting.done() or len(programs.asked) > number, seconds=module.PATIENCE / 2
        )
    await waiting


async def test_who_answered_late_is_asked_again_though_nobody_told_of_it(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    reading = reading_of(programs)
    await reading.caught_up()
    programs.queue.append(answer(1))
    await reading.caught_up()
    assert programs.asked == [7, 7]
