"""Programs in bubblewrap, with a script that stands in for it where its own lies are the point."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from transom_keeper import confined
from transom_keeper.cgroups import Groups
from transom_keeper.log import BoundedFile, GuestOutput


async def started(folder: Path, script: str) -> confined.Confined:
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    output = GuestOutput(BoundedFile(folder / "guest.log"))
    return await confined.start(str(program), "name", ["--x"], ["command"], [], Groups(), output)


async def test_what_it_prints_is_kept_and_how_it_ends_is_told(tmp_path: Path) -> None:
    inside = await started(tmp_path, "echo out; echo err >&2; exit 3")
    assert await inside.wait() == 3
    assert (tmp_path / "guest.log").read_text().split() == ["out", "err"]


async def test_lines_without_end_and_without_number_are_bounded(tmp_path: Path) -> None:
    inside = await started(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; yes | head -n 100000")
    assert await asyncio.wait_for(inside.wait(), 60) == 0
    assert (tmp_path / "guest.log").stat().st_size < 400_000


async def test_it_is_ended_with_what_it_started(tmp_path: Path) -> None:
    inside = await started(tmp_path, "exec sleep 600")
    await asyncio.wait_for(inside.kill(), 10)
    assert inside.process.returncode == -9
    await inside.kill()


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, None), (1, None), (-9, "killed by signal 9"), (137, "killed by signal 9"), (255, None)],
)
def test_words_for_a_signal(code: int, words: str | None) -> None:
    assert confined.ended_by_signal(code) == words


def test_what_is_passed_can_only_be_read() -> None:
    descriptor = confined.memory("file", b"content" * 100_000)
    assert os.read(descriptor, 7) == b"content"
    assert os.fstat(descriptor).st_size == 700_000
    with pytest.raises(OSError):
        os.write(descriptor, b"x")
    os.close(descriptor)


async def test_bubblewrap_s_word_is_waited_for_to_its_end() -> None:
    """It writes in pieces; who closes the pipe in between kills it, and leaves what it had started."""
    reader, writer = os.pipe()
    pieces = iter([b"{\n", f'    "child-pid": {os.getpid()}'.encode(), b',\n    "net": 1', b"\n}\n"])

    async def write() -> None:
        for piece in pieces:
            os.write(writer, piece)
            await asyncio.sleep(0.01)

    writing = asyncio.ensure_future(write())
    pidfd = await confined.pidfd_of_init(reader, 10)
    assert next(pieces, None) is None and pidfd is not None
    await writing
    for descriptor in (reader, writer, pidfd):
        os.close(descriptor)


@pytest.mark.parametrize(
    "said", [b"", b"nonsense}\n", b'{"child-pid": "x"}\n', b"{" * 9000, b'{"other": 1}\n']
)
async def test_a_word_that_is_none_names_nobody(said: bytes) -> None:
    reader, writer = os.pipe()
    os.write(writer, said)
    os.close(writer)
    assert await confined.pidfd_of_init(reader, 10) is None
    os.close(reader)


async def test_silence_has_a_deadline() -> None:
    reader, writer = os.pipe()
    with pytest.raises(TimeoutError):
        await confined.pidfd_of_init(reader, 0.05)
    os.close(reader)
    os.close(writer)
