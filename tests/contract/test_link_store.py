"""Links and seats on SQLite and on a real PostgreSQL alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.contract.test_store_contract import a_session
from transom.model.errors import Conflict, NotFound
from transom.model.ids import new_id
from transom.model.seat import Kind, Person, Seat, SessionLink
from transom.model.session import SessionState
from transom.store.database import Store
from transom.store.links import KEPT

NASTY = "a'b\"; DROP TABLE session_links; -- \u202e 🦉 %s :x {0}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = Store(url, wait_ms=4000)
    await opened.open()
    yield opened
    await opened.close()


def a_link(session: str, at: int = 1000, **changes: object) -> SessionLink:
    link = SessionLink(new_id("lnk"), session, Kind.VIEW, NASTY, at, 2**41)
    return replace(link, **changes)  # type: ignore[arg-type]


async def session_of(store: Store) -> str:
    return (await store.add_session(a_session(), None)).id


async def test_a_link_comes_back_as_it_was_written_and_by_its_digest(store: Store) -> None:
    session = await session_of(store)
    first, second = a_link(session), a_link(session, 1001, kind=Kind.ASK, expires_at=None)
    await store.links.add_link(first, b"1" * 32, most=2)
    await store.links.add_link(second, b"2" * 32, most=2)
    assert await store.links.list_links(session) == [first, second]
    assert await store.links.find_link(b"2" * 32) == second
    assert await store.links.find_link(b"3" * 32) is None
    with pytest.raises(NotFound):
        await store.links.add_link(a_link(new_id("ses")), b"4" * 32, most=2)


async def test_a_withdrawn_link_stays_withdrawn_at_its_first_moment(store: Store) -> None:
    session = await session_of(store)
    link = a_link(session)
    await store.links.add_link(link, b"1" * 32, most=2)
    assert not await store.links.revoke_link(await session_of(store), link.id, 5)
    assert await store.links.revoke_link(session, link.id, 6)
    assert await store.links.revoke_link(session, link.id, 7)
    found = await store.links.find_link(b"1" * 32)
    assert found is not None
    assert found.revoked_at == 6


async def test_so_many_links_live_and_so_many_rows_are_kept(store: Store) -> None:
    session = await session_of(store)
    await store.links.add_link(a_link(session), b"x" * 32, most=1)
    with pytest.raises(Conflict):
        await store.links.add_link(a_link(session), b"y" * 32, most=1)
    for number in range(KEPT + 5):
        link = a_link(session, number + 2, expires_at=number + 3)
        await store.links.add_link(link, number.to_bytes(32, "big"), most=2)
    kept = await store.links.list_links(session)
    assert len(kept) == KEPT
    assert 1000 in {link.created_at for link in kept}


async def test_seats_are_replaced_and_go_with_their_session(store: Store) -> None:
    row = await store.add_session(a_session(), None)
    session = row.id
    owner = Seat("a", Person("usr_a", NASTY, Kind.OWNER), 5, drives=True)
    guest = Seat("g", Person("lnk_a.1", "Bob", Kind.ASK, "lnk_a", 2**41), 6, asks=True)
    await store.links.save_seats(session, [owner, guest])
    await store.links.save_seats(session, [guest, owner])
    await store.links.save_seats(new_id("ses"), [owner])
    assert await store.links.all_seats() == {session: [guest, owner]}
    await store.links.save_seats(session, [])
    assert await store.links.all_seats() == {}
    await store.links.save_seats(session, [owner])
    await store.links.add_link(a_link(session), b"1" * 32, most=1)
    assert await store.save_session(replace(row, state=SessionState.ENDED), seen=row)
    await store.delete_session(session)
    assert await store.links.all_seats() == {}
    assert await store.links.list_links(session) == []


async def test_a_session_that_is_over_has_no_seats(store: Store) -> None:
    row = await store.add_session(a_session(), None)
    await store.links.save_seats(row.id, [Seat("a", Person("usr_a", "ada", Kind.OWNER), 5)])
    assert await store.save_session(replace(row, state=SessionState.ENDED), seen=row)
    assert await store.links.all_seats() == {}
