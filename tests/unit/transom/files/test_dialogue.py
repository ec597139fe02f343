"""A guest that keeps to no protocol ends its own transfer, in time, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.guest_files import scripted
from transom.files import dialogue as module
from transom.files.dialogue import Dialogue, Garbage, refusal
from transom.model.errors import Full, TooLarge, TransomError
from transom_wire.codec import encode
from transom_wire.files import (
    FileDone,
    FileEntry,
    FileFound,
    FileGet,
    FileGo,
    FilePut,
    FileRefused,
    FilesListed,
    chunk,
)
from transom_wire.framing import pack

PUT = FilePut("a", None, 10**9, 10)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 1.0)
    monkeypatch.setattr(module, "STALL_S", 1.0)


async def guest(*said: bytes, then: float = 0) -> Dialogue:
    """A guest that says this whatever it is asked, and waits before it closes."""

    async def act(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in said:
            writer.write(each)
        await writer.drain()
        await asyncio.sleep(then)

    return Dialogue(*await scripted(act)())


async def many(chunks: int) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield bytes(60_000)


async def got(dialogue: Dialogue) -> bytes:
    size = await dialogue.get(FileGet("a", 100))
    return b"".join([data async for data in dialogue.content(size)])


async def test_a_list_is_shown_without_names_that_no_file_has() -> None:
    entries = tuple(FileEntry(name, 1, 1) for name in ("b", "a", ".x", "u\u0308", "a"))
    files, more = await (await guest(pack(encode(FilesListed(entries, False))))).listing()
    assert [each.name for each in files] == ["a", "b"] and more


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\2{}",
        pack(b"not json"),
        pack(encode(FileGo())),
        pack(b'{"type":"files_listed","files":[{"name":"a/b","size":1,"modified_at":1}],"more":false}'),
        pack(b'{"type":"files_listed","files":[],"more":false,"x":1}'),
        pack(b'{"type":"file_refused","code":"<b>","message":""}'),
    ],
)
async def test_garbage(said: bytes) -> None:
    with pytest.raises(Garbage):
        await (await guest(said)).listing()


async def test_silence() -> None:
    with pytest.raises(Garbage):
        await (await guest(then=5)).listing()


async def test_a_file_whole() -> None:
    assert (
        await got(await guest(pack(encode(FileFound(5))), chunk(b"abc"), chunk(b"de"), chunk(b"")))
        == b"abcde"
    )


@pytest.mark.parametrize(
    "said",
    [
        (chunk(b"abc"), chunk(b"")),
        (chunk(b"abc"),),
        (chunk(b"abcdef"), chunk(b"")),
        (b"\x7f\xff\xff\xff",),
        (chunk(b"abcde"),),
    ],
)
async def test_a_file_that_is_not_what_was_announced(said: tuple[bytes, ...]) -> None:
    with pytest.raises(Garbage):
        await got(await guest(pack(encode(FileFound(5))), *said))


@pytest.mark.parametrize(
    "more", [(chunk(b"abcdef"), chunk(b"")), (chunk(b"abcde"), *(chunk(bytes(60_000)),) * 40)]
)
async def test_of_a_file_that_goes_on_no_byte_is_taken_beyond_what_was_announced(
    more: tuple[bytes, ...],
) -> None:
    dialogue = await guest(pack(encode(FileFound(5))), *more, then=5)
    size, taken = await dialogue.get(FileGet("a", 100)), 0
    with pytest.raises(Garbage):
        async for data in dialogue.content(size):
            taken += len(data)
    assert taken <= 5


async def test_a_larger_file_than_was_allowed() -> None:
    with pytest.raises(TooLarge):
        await got(await guest(pack(encode(FileFound(101)))))


async def test_a_disk_that_fills_while_a_file_comes() -> None:
    said = pack(encode(FileGo())) + pack(encode(FileRefused("full", "<script>")))
    with pytest.raises(Full) as caught:
        await (await guest(said, then=5)).put(PUT, many(10_000))
    assert "<" not in caught.value.message


async def test_a_guest_that_takes_nothing_is_given_up() -> None:
    with pytest.raises(Garbage):
        await (await guest(pack(encode(FileGo())), then=20)).put(PUT, many(10_000))


async def test_a_guest_that_says_it_took_less() -> None:
    with pytest.raises(Garbage):
        await (await guest(pack(encode(FileGo())), pack(encode(FileDone(1))), then=2)).put(PUT, many(1))


async def test_a_viewer_that_goes_is_told_to_nobody_as_success() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise TooLarge("the viewer sent more than it said")

    with pytest.raises(TooLarge):
        await (await guest(pack(encode(FileGo())), then=5)).put(PUT, broken())


@pytest.mark.parametrize("code", ["missing", "name", "exists", "too_large", "too_many", "full", "failed"])
def test_a_refusal_is_said_in_our_own_words(code: str) -> None:
    assert isinstance(refusal(code), TransomError)
