"""What takes a place at the desk, and how much of a body it reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.fakes import a_session
from tests.support.guest_files import scripted
from transom.files.desk import FilesDesk
from transom.model.clock import now_ms
from transom.model.errors import TooLarge, TooMany, Unavailable
from transom.model.session import Session
from transom_wire.codec import encode
from transom_wire.files import FileGo
from transom_wire.framing import pack

MIB = 2**20


class Away:
    """A driver whose streams open when `go` is set, and then fail; and a trail."""

    def __init__(self) -> None:
        self.go, self.asked = asyncio.Event(), 0
        self.outcomes: list[str] = []

    async def open_stream(self, machine: str, kind: str) -> Any:
        self.asked += 1
        await self.go.wait()
        raise Unavailable("the machine is away")

    async def add_audit(self, *, outcome: str, **_: object) -> None:
        self.outcomes.append(outcome)


def desk_of(away: Away, folder: Path, scan: str | None = None) -> FilesDesk:
    rules = SimpleNamespace(files="both", files_mib=1, files_most=3, files_scan=scan, files_scan_seconds=5)
    return FilesDesk(away, rules, away, now_ms, folder / "spool")  # type: ignore[arg-type]


async def asks(desk: FilesDesk, session: Session, what: str) -> None:
    await (desk.listing(session) if what == "listing" else desk.remove(session, "a"))


@pytest.mark.parametrize(("what", "each", "most"), [("listing", 2, 16), ("remove", 4, 32)])
async def test_requests_at_once_are_so_many_of_a_session_and_so_many_of_all(
    tmp_path: Path, what: str, each: int, most: int
) -> None:
    away = Away()
    desk, session, other = desk_of(away, tmp_path), a_session(), a_session(user="usr_other")
    waiting = [asyncio.create_task(asks(desk, session, what)) for _ in range(each)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await asks(desk, session, what)
    users = [a_session(user=f"usr_{n}") for n in range(most - each)]
    waiting += [asyncio.create_task(asks(desk, user, what)) for user in users]
    await asyncio.sleep(0)
    assert away.asked == most
    with pytest.raises(TooMany):
        await asks(desk, other, what)
    away.go.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in ended)
    with pytest.raises(Unavailable):
        await asks(desk, other, what)


@pytest.mark.parametrize(("first", "most", "then"), [("listing", 2, "remove"), ("remove", 4, "listing")])
async def test_who_looks_at_the_files_has_no_transfer_s_place(
    tmp_path: Path, first: str, most: int, then: str
) -> None:
    away = Away()
    desk, session = desk_of(away, tmp_path), a_session()
    waiting = [asyncio.create_task(asks(desk, session, first)) for _ in range(most)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await asks(desk, session, first)
    waiting.append(asyncio.create_task(asks(desk, session, then)))
    await asyncio.sleep(0)
    assert away.asked == most + 1
    away.go.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in ended)


@pytest.mark.parametrize("scan", [None, "true"])
async def test_of_a_body_without_a_length_no_more_is_taken_than_a_file_may_have(
    tmp_path: Path, scan: str | None
) -> None:
    """With a scan it waits on our own disk before any machine sees it; without, a machine may take whatever comes."""
    away, sent = Away(), 0
    desk = desk_of(away, tmp_path, scan)

    async def content() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 64 * 1024
            yield bytes(64 * 1024)

    if scan is None:

        async def takes_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(pack(encode(FileGo())))
            while await reader.read(MIB):
                pass

        stream = scripted(takes_all)

        async def opened(machine: str, kind: str) -> Any:
            return await stream()

        away.open_stream = opened  # type: ignore[method-assign]
    with pytest.raises(TooLarge):
        await desk.put(a_session(), "a", None, content())
    assert MIB < sent <= MIB + 64 * 1024
    assert (away.asked, away.outcomes) == (0, ["too_large"])
