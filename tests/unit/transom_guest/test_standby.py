"""A service that waits, as the supervisor holds it and as it is itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from transom_guest import standby
from transom_guest.standby import TELL, WAIT, Leash

SERVICE = """
import os, random, sys
from transom_guest import standby
random.seed(1)
standby.settled(sys.argv)
standby.wait(sys.argv)
print(os.environ.get("SESSION_ID"), random.random(), flush=True)
"""


def service(leash: Leash | None, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, *arguments],
        stdin=leash.theirs if leash else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SESSION_ID": ""},
    )


async def said(process: subprocess.Popen[str]) -> list[str]:
    out, _ = await asyncio.to_thread(process.communicate, timeout=30)
    return out.split()


async def waiting(*arguments: str) -> tuple[Leash, subprocess.Popen[str]]:
    """One that has settled."""
    settled = asyncio.Event()
    leash = Leash(settled.set)
    process = service(leash, *arguments)
    leash.theirs.close()
    async with asyncio.timeout(30):
        await settled.wait()
    return leash, process


async def test_it_waits_and_goes_on_with_a_session_and_numbers_of_its_own() -> None:
    leash, process = await waiting(WAIT)
    assert process.poll() is None
    leash.go({"SESSION_ID": "ses_a"})
    session, number = await said(process)
    leash.close()
    assert session == "ses_a"
    leash, process = await waiting(WAIT)
    leash.go({"SESSION_ID": "ses_b"})
    assert (await said(process))[1] != number
    leash.close()
    leash.close()


async def test_it_ends_with_its_supervisor() -> None:
    leash, process = await waiting(WAIT)
    leash.close()
    assert await said(process) == []
    assert process.wait(10) == 0


async def test_one_that_only_tells_runs_on() -> None:
    leash, process = await waiting(TELL)
    assert len(await said(process)) == 1
    leash.close()


async def test_nobody_asked_nobody_is_told() -> None:
    assert len(await said(service(None))) == 1


async def test_a_dead_service_can_be_told_anything() -> None:
    leash = Leash(lambda: pytest.fail("it never settled"))
    leash.theirs.close()
    await asyncio.sleep(0)
    leash.go({"SESSION_ID": "x"})
    leash.close()


@pytest.mark.parametrize("words", [b"hello\n", b"settled\nsettled\n", b"\xff" * 64])
async def test_only_the_one_word_settles(words: bytes) -> None:
    leash = Leash(lambda: pytest.fail("that was not the word"))
    leash.theirs.send(words)
    await asyncio.sleep(0.01)
    leash.close()


def test_freshening_leaves_nothing_of_the_old_stream() -> None:
    import random

    random.seed(1)
    expected = random.random()
    random.seed(1)
    standby.freshen()
    assert random.random() != expected
