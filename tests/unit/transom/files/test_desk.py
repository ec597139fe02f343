"""So many files travel at once, and nobody takes all the places."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.fakes import FakeClock, a_session
from tests.support.guest_files import scripted
from transom.files.desk import ALL_PLACES, SESSION_PLACES, USER_PLACES, FilesDesk
from transom.model.clock import now_ms
from transom.model.errors import TooLarge, TooMany, Unavailable
from transom.settings import Settings
from transom_wire.codec import encode
from transom_wire.files import FileGo
from transom_wire.framing import pack

MIB = 2**20


def test_one_user_leaves_places_to_others_whatever_sessions_they_have(tmp_path: Path) -> None:
    desk = FilesDesk(cast("Any", None), Settings(), cast("Any", None), FakeClock(), tmp_path)
    session = a_session()
    with ExitStack() as held:
        for user in range(ALL_PLACES // USER_PLACES):
            for number in range(USER_PLACES):
                own = replace(session, id=f"ses_{user}_{number // SESSION_PLACES}", user=f"usr_{user}")
                held.enter_context(desk._place(own))
            one_more = replace(session, id=f"ses_{user}_more", user=f"usr_{user}")
            with pytest.raises(TooMany), desk._place(one_more):
                pass
        with pytest.raises(TooMany), desk._place(replace(session, id="ses_other", user="usr_other")):
            pass
    with desk._place(session), pytest.raises(TooMany), ExitStack() as held:
        for _ in range(SESSION_PLACES):
            held.enter_context(desk._place(session))
    assert not desk._taken


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


async def test_requests_at_once_are_four_of_a_session_and_so_many_of_all(tmp_path: Path) -> None:
    away = Away()
    desk, session = desk_of(away, tmp_path), a_session()
    waiting = [asyncio.create_task(desk.listing(session)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await desk.listing(session)
    waiting += [asyncio.create_task(desk.listing(a_session(user=f"usr_{n}"))) for n in range(28)]
    await asyncio.sleep(0)
    assert away.asked == 32
    with pytest.raises(TooMany):
        await desk.listing(a_session(user="usr_other"))
    away.go.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in ended)
    with pytest.raises(Unavailable):
        await desk.listing(a_session(user="usr_other"))


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
