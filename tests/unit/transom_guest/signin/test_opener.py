"""The scripts that stand where a browser would be."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transom_guest.signin.opener import MAX_LINE, MAX_WAITING, NAMES, Opener


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[tuple[Opener, asyncio.Queue[str]]]:
    urls: asyncio.Queue[str] = asyncio.Queue()
    opener = Opener(tmp_path / "bin with space", urls.put_nowait)
    opener.start()
    yield opener, urls
    opener.stop()
    opener.stop()


async def run(*argv: str) -> int:
    process = await asyncio.create_subprocess_exec(*argv)
    async with asyncio.timeout(30):
        return await process.wait()


async def test_every_name_hands_its_url_over(opened: tuple[Opener, asyncio.Queue[str]]) -> None:
    opener, urls = opened
    for number, name in enumerate(NAMES):
        url = f"https://id.example/{number}?a=$HOME&b='x'%0A"
        assert await run(str(opener.folder / name), url) == 0
        async with asyncio.timeout(30):
            assert await urls.get() == url


async def test_garbage_in_the_pipe_is_bounded(opened: tuple[Opener, asyncio.Queue[str]]) -> None:
    opener, urls = opened
    pipe = os.open(opener.folder / "pipe", os.O_WRONLY | os.O_NONBLOCK)
    try:
        for _ in range(2 * MAX_WAITING // 4096):
            os.write(pipe, b"x" * 4096)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        os.write(pipe, b"\n" + b"y" * (MAX_LINE + 1) + b"\n\n\xff\xfe\nhttps://good.example/\n")
        async with asyncio.timeout(30):
            while await urls.get() != "https://good.example/":
                pass
    finally:
        os.close(pipe)
    assert urls.empty()


async def test_only_the_owner_may_look_or_write(opened: tuple[Opener, asyncio.Queue[str]]) -> None:
    opener, _ = opened
    assert opener.folder.stat().st_mode & 0o077 == 0
    assert (opener.folder / "pipe").stat().st_mode & 0o077 == 0


def test_a_folder_of_an_earlier_agent_is_used_again(tmp_path: Path) -> None:
    async def twice() -> None:
        for _ in range(2):
            opener = Opener(tmp_path / "bin", lambda _: None)
            opener.start()
        opener.stop()

    asyncio.run(twice())
    assert subprocess.run(["ls", tmp_path / "bin"], capture_output=True, text=True).stdout.split() == sorted(
        NAMES
    )
