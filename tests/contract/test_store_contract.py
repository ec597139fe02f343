"""What every database must do alike: the same tests on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import Pool

from tests.support.postgres import Postgres
from transom.model.credential import Credential
from transom.model.errors import Conflict, NotFound, Unavailable
from transom.model.ids import new_id
from transom.model.session import EndReason, Session, SessionState, Signin, SigninStage
from transom.model.user import Role, User
from transom.store.credentials import KEPT_GENERATIONS, KEPT_LINES
from transom.store.database import Store
from transom.store.engine import read_url
from transom.store.tables import metadata
from transom_wire.sealing import Sealed

NASTY = "a'b\"; DROP TABLE sessions; -- \u202e 🦉 %s :x {0} \\ \n\t"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = Store(url, wait_ms=1500)
    await opened.open()
    yield opened
    await opened.close()


def a_session(**changes: Any) -> Session:
    session = Session(
        id=new_id("ses"),
        user=new_id("usr"),
        state=SessionState.REQUESTED,
        driver="namespace",
        image="sha256-0",
        created_at=1_000,
        state_since=1_000,
        expires_at=2**41,
        idle_seconds=1800,
        last_seen_at=1_000,
        width=1280,
        height=720,
        start_url="about:blank",
        machine=new_id("mch"),
    )
    return replace(session, **changes)


def a_credential(user: str, n: int = 1, **changes: Any) -> Credential:
    credential = Credential(
        id=new_id("crd"),
        user=user,
        provider="demo",
        session="ses_a",
        generation=0,
        created_at=1_000 + n,
        expires_at=2**41,
        names=("a.json", "b/c.json"),
        vault_key_id="vk_1",
        sealed=Sealed(b"wrapped", b"nonce", f"sealed {n}".encode()),
        flow="flw_a",
        serial=n,
    )
    return replace(credential, **changes)


async def a_user(store: Store, name: str = "ada", role: Role = Role.USER) -> User:
    user = User(new_id("usr"), name, role, 1_000)
    await store.add_user(user)
    return user


async def with_key(store: Store, name: str = "ada") -> str:
    user = await a_user(store, name)
    if not await store.vault_keys():
        await store.add_vault_key(id="vk_1", public=b"p" * 32, wrapped_private=b"w", at=1)
    return user.id


# Sessions


async def test_a_session_comes_back_as_it_was_written(store: Store) -> None:
    signin = Signin("flw_x", "demo", SigninStage.WAITING, "http://x", "AB-CD", NASTY, ("a", "b"), 2**41)
    session = a_session(
        start_url=NASTY,
        provider="demo",
        wanted_end=EndReason.IDLE,
        end_detail=NASTY,
        ended_at=2**41,
        kept_until=2**41,
        timeline={"accepted": 0, "machine": 12},
        signin=signin,
        warnings=(NASTY, ""),
    )
    assert await store.add_session(session, None) == session
    assert await store.get_session(session.id) == session
    assert await store.list_sessions() == [session]


async def test_what_a_database_cannot_hold_becomes_a_mark(store: Store) -> None:
    session = a_session(end_detail="nul \0 surrogate \ud800", warnings=("\0\ud800",))
    await store.add_session(session, None)
    found = await store.get_session(session.id)
    assert found is not None
    assert found.end_detail == "nul \ufffd surrogate \ufffd"
    assert found.warnings == ("\0\ud800",)


async def test_unknown_ids_are_none(store: Store) -> None:
    assert await store.get_session("ses_none") is None
    assert await store.get_user("usr_none") is None
    assert await store.find_user("nobody") is None
    assert await store.newest_credential("usr_none", "demo") is None
    assert await store.list_credentials("usr_none") == []
    assert await store.delete_credentials("usr_none", "demo") == 0
    assert not await store.delete_secret(id="tok_none", user=None)
    await store.touch_session("ses_none", 5)
    await store.delete_session("ses_none")
    await store.delete_user("usr_none")


async def test_a_key_writes_one_session_however_often_it_is_sent(store: Store) -> None:
    wanted = a_session()
    tries = [replace(wanted, id=new_id("ses"), machine=new_id("mch")) for _ in range(12)]
    answers = await asyncio.gather(*(store.add_session(each, "key") for each in tries))
    assert len({answer.id for answer in answers}) == 1
    assert [session.id for session in await store.list_sessions()] == [answers[0].id]


async def test_the_same_key_of_two_users_is_two_sessions(store: Store) -> None:
    one, two = a_session(), a_session()
    assert (await store.add_session(one, "key")).id == one.id
    assert (await store.add_session(two, "key")).id == two.id
    again = replace(one, id=new_id("ses"), machine=new_id("mch"))
    assert (await store.add_session(again, None)).id == again.id


async def test_a_machine_is_one_sessions(store: Store) -> None:
    first = await store.add_session(a_session(), None)
    with pytest.raises(Conflict) as refused:
        await store.add_session(a_session(machine=first.machine), None)
    assert refused.value.code == "session_exists"


async def test_one_of_many_writers_wins(store: Store) -> None:
    seen = await store.add_session(a_session(), None)
    moves = [replace(seen, state=SessionState.CREATING, state_since=n) for n in range(12)]
    won = await asyncio.gather(*(store.save_session(move, seen=seen) for move in moves))
    assert sum(won) == 1
    found = await store.get_session(seen.id)
    assert found == moves[won.index(True)]


async def test_a_save_needs_the_end_it_has_seen(store: Store) -> None:
    seen = await store.add_session(a_session(), None)
    ending = replace(seen, wanted_end=EndReason.STOPPED)
    assert await store.save_session(ending, seen=seen)
    assert not await store.save_session(replace(seen, state=SessionState.CREATING), seen=seen)
    assert await store.save_session(replace(ending, state=SessionState.STOPPING), seen=ending)
    assert await store.save_session(seen, seen=seen) is False
    other = a_session()
    assert not await store.save_session(other, seen=other)


async def test_a_save_needs_the_machine_it_has_seen(store: Store) -> None:
    seen = await store.add_session(a_session(), None)
    assert await store.save_session(replace(seen, machine=new_id("mch")), seen=seen)
    assert not await store.save_session(replace(seen, state=SessionState.CREATING), seen=seen)


async def test_a_save_leaves_alone_what_it_did_not_change(store: Store) -> None:
    seen = await store.add_session(a_session(), None)
    assert await store.save_session(replace(seen, timeline={"machine": 3}), seen=seen)
    await store.touch_session(seen.id, 9_000)
    assert await store.save_session(replace(seen, warnings=("slow",), last_seen_at=8_000), seen=seen)
    found = await store.get_session(seen.id)
    assert found is not None
    assert (found.timeline, found.warnings, found.last_seen_at) == ({"machine": 3}, ("slow",), 9_000)


async def test_a_save_cannot_give_a_session_away(store: Store) -> None:
    seen = await store.add_session(a_session(), None)
    with pytest.raises(ValueError, match="for life"):
        await store.save_session(replace(seen, user=new_id("usr")), seen=seen)


async def test_a_heartbeat_never_goes_back_nor_wakes_the_dead(store: Store) -> None:
    session = await store.add_session(a_session(), None)
    await asyncio.gather(*(store.touch_session(session.id, at) for at in (5_000, 3_000, 4_000)))
    found = await store.get_session(session.id)
    assert found is not None
    assert found.last_seen_at == 5_000
    ended = replace(found, state=SessionState.ENDED)
    assert await store.save_session(ended, seen=found)
    await store.touch_session(session.id, 9_000)
    assert await store.get_session(session.id) == ended


async def test_lists_are_by_owner_and_life_newest_first(store: Store) -> None:
    mine = a_session(created_at=1)
    newer = a_session(user=mine.user, created_at=2)
    other = a_session(created_at=3, state=SessionState.FAILED)
    for session in (mine, newer, other):
        await store.add_session(session, None)
    assert await store.list_sessions(user=mine.user) == [newer, mine]
    assert await store.list_sessions(living=True) == [newer, mine]
    assert await store.list_sessions() == [other, newer, mine]


async def test_only_what_is_over_can_be_forgotten(store: Store) -> None:
    session = await store.add_session(a_session(), None)
    with pytest.raises(Conflict):
        await store.delete_session(session.id)
    assert await store.save_session(replace(session, state=SessionState.FAILED), seen=session)
    await store.delete_session(session.id)
    assert await store.get_session(session.id) is None


# Users


async def test_users_are_found_by_id_name_and_role(store: Store) -> None:
    ada = await a_user(store, "ada", Role.ADMINISTRATOR)
    bob = await a_user(store, "bob")
    assert await store.get_user(ada.id) == ada
    assert await store.find_user("bob") == bob
    assert await store.list_users() in ([ada, bob], [bob, ada])
    assert await store.list_users(Role.ADMINISTRATOR) == [ada]
    with pytest.raises(Conflict):
        await a_user(store, "ada")


async def test_a_removed_user_leaves_nothing_that_signs_in_or_runs(store: Store) -> None:
    user = await with_key(store)
    await add_secret(store, user, b"d" * 32)
    await store.add_credential(a_credential(user))
    session = await store.add_session(a_session(user=user), None)
    await store.delete_user(user)
    assert await store.use_secret(kind="token", digest=b"d" * 32, at=5, once=False) is None
    assert await store.newest_credential(user, "demo") is None
    found = await store.get_session(session.id)
    assert found is not None
    assert found.wanted_end is EndReason.STOPPED


async def add_secret(store: Store, user: str, digest: bytes, **changes: Any) -> None:
    fields: dict[str, Any] = {"id": new_id("tok"), "kind": "token", "label": "l", "at": 1, "expires_at": None}
    await store.add_secret(digest=digest, user=user, **(fields | changes))


async def test_a_secret_is_spent_by_one_of_many(store: Store) -> None:
    user = await a_user(store)
    await add_secret(store, user.id, b"k" * 32, id="tok_1", kind="key", expires_at=100)
    uses = [store.use_secret(kind="key", digest=b"k" * 32, at=50, once=True) for _ in range(12)]
    spent = [use for use in await asyncio.gather(*uses) if use is not None]
    assert spent == [("tok_1", user)]


async def test_a_secret_lives_until_it_expires_and_for_its_kind_only(store: Store) -> None:
    user = await a_user(store)
    await add_secret(store, user.id, b"c" * 32, kind="cookie", expires_at=100)

    async def used(kind: str, at: int) -> bool:
        return await store.use_secret(kind=kind, digest=b"c" * 32, at=at, once=False) is not None

    assert await used("cookie", 99)
    assert not await used("cookie", 100)
    assert not await used("token", 50)
    assert not await used("key", 50)


async def test_expired_secrets_are_swept(store: Store) -> None:
    user = await a_user(store)
    await add_secret(store, user.id, b"1" * 32, expires_at=100)
    await add_secret(store, user.id, b"2" * 32, at=100)
    assert len(await store.list_secrets(kind="token", user=user.id)) == 1


async def test_the_list_of_secrets_signs_nobody_in(store: Store) -> None:
    user = await a_user(store)
    await add_secret(store, user.id, b"s" * 32, id="tok_1", label=NASTY)
    (row,) = await store.list_secrets(kind="token", user=user.id)
    assert dict(row) == {
        "id": "tok_1",
        "label": NASTY,
        "created_at": 1,
        "expires_at": None,
        "last_used_at": None,
    }
    assert await store.list_secrets(kind="token", user="usr_other") == []
    assert not await store.delete_secret(id="tok_1", user="usr_other")
    assert await store.delete_secret(id="tok_1", user=user.id)


async def test_a_use_is_remembered_to_the_minute(store: Store) -> None:
    user = await a_user(store)
    await add_secret(store, user.id, b"s" * 32)

    async def remembered(at: int) -> None:
        async with asyncio.timeout(10):
            while (await store.list_secrets(kind="token", user=user.id))[0]["last_used_at"] != at:
                await asyncio.sleep(0.01)
                await use(at)  # while one is being written down another is not

    async def use(at: int) -> None:
        assert await store.use_secret(kind="token", digest=b"s" * 32, at=at, once=False)

    await use(90_000)
    await remembered(90_000)
    await use(149_000)
    await use(150_000)
    await remembered(150_000)


async def test_a_secret_belongs_to_somebody(store: Store) -> None:
    with pytest.raises(NotFound):
        await add_secret(store, "usr_none", b"s" * 32)


# Credentials


async def test_generations_rise_and_the_newest_is_given(store: Store) -> None:
    user = await with_key(store)
    first = await store.add_credential(a_credential(user, 1))
    second = await store.add_credential(a_credential(user, 2))
    other = await store.add_credential(a_credential(user, 1, provider="codex"))
    assert (first.generation, second.generation, other.generation) == (1, 2, 1)
    assert await store.newest_credential(user, "demo") == second
    assert await store.list_credentials(user) == [other, second]


async def test_the_same_bytes_are_one_generation(store: Store) -> None:
    user = await with_key(store)
    first = await store.add_credential(a_credential(user, 1))
    await store.add_credential(a_credential(user, 2))
    again = await store.add_credential(a_credential(user, 1))
    assert again == first
    assert (await store.list_credentials(user))[0].generation == 2


async def test_concurrent_commits_each_get_a_generation(store: Store) -> None:
    user = await with_key(store)
    offered = [a_credential(user, n, flow=f"flw_{n}") for n in range(10)]
    saved = await asyncio.gather(*(store.add_credential(each) for each in offered))
    assert sorted(each.generation for each in saved) == list(range(1, 11))


async def test_an_older_file_never_replaces_a_newer(store: Store) -> None:
    user = await with_key(store)
    await store.add_credential(a_credential(user, 5))
    with pytest.raises(Conflict) as older:
        await store.add_credential(a_credential(user, 4))
    assert older.value.code == "older"
    await store.add_credential(a_credential(user, 1, session="ses_b", flow="flw_b"))
    with pytest.raises(Conflict) as superseded:
        await store.add_credential(a_credential(user, 6))
    assert superseded.value.code == "superseded"
    newest = await store.newest_credential(user, "demo")
    assert newest is not None
    assert newest.session == "ses_b"


async def test_old_generations_lose_their_bytes(store: Store) -> None:
    user = await with_key(store)
    count = KEPT_GENERATIONS + 2
    for n in range(1, count + 1):
        await store.add_credential(a_credential(user, n))
    newest = await store.newest_credential(user, "demo")
    assert newest is not None
    assert newest.sealed.ciphertext == f"sealed {count}".encode()
    resent = await store.add_credential(a_credential(user, count - KEPT_GENERATIONS + 1))
    assert resent.generation == count - KEPT_GENERATIONS + 1
    with pytest.raises(Conflict):
        await store.add_credential(a_credential(user, 1))
    assert await store.delete_credentials(user, "demo") == count


async def test_the_lines_of_generations_long_gone_go_too(store: Store) -> None:
    user = await with_key(store)
    await store.add_credential(a_credential(user, 1, provider="codex"))
    for n in range(1, KEPT_LINES + 4):
        await store.add_credential(a_credential(user, n))
    assert [each.generation for each in await store.list_credentials(user)] == [1, KEPT_LINES + 3]
    assert await store.delete_credentials(user, "demo") == KEPT_LINES
    assert await store.delete_credentials(user, "codex") == 1


async def test_a_credential_belongs_to_a_user_and_a_key(store: Store) -> None:
    user = await with_key(store)
    with pytest.raises(NotFound):
        await store.add_credential(a_credential("usr_none"))
    with pytest.raises(NotFound):
        await store.add_credential(a_credential(user, vault_key_id="vk_none"))


async def test_vault_keys_are_exchanged_all_or_none(store: Store) -> None:
    await store.add_vault_key(id="vk_1", public=b"1", wrapped_private=b"a", at=1)
    await store.add_vault_key(id="vk_2", public=b"2", wrapped_private=b"b", at=2)
    assert not await store.rewrap_vault_keys([("vk_1", b"a", b"A"), ("vk_2", b"other", b"B")])
    assert await store.vault_keys() == [("vk_2", b"2", b"b"), ("vk_1", b"1", b"a")]
    assert await store.rewrap_vault_keys([("vk_1", b"a", b"A"), ("vk_2", b"b", b"B")])
    assert await store.vault_keys() == [("vk_2", b"2", b"B"), ("vk_1", b"1", b"A")]
    with pytest.raises(Conflict):
        await store.add_vault_key(id="vk_1", public=b"1", wrapped_private=b"a", at=1)


async def test_the_trail_is_newest_first_and_by_user(store: Store) -> None:
    for n, user in enumerate(("usr_a", "usr_b", "usr_a")):
        line = {"action": "credential.open", "subject": NASTY, "outcome": "done", "detail": {"n": str(n)}}
        await store.add_audit(at=n, user=user, **line)  # type: ignore[arg-type]
    assert [line["at"] for line in await store.list_audit(user=None, limit=10)] == [2, 1, 0]
    assert [line["at"] for line in await store.list_audit(user="usr_a", limit=1)] == [2]
    (found,) = await store.list_audit(user="usr_b", limit=10)
    assert found == {
        "at": 1,
        "user": "usr_b",
        "action": "credential.open",
        "subject": NASTY,
        "outcome": "done",
        "detail": {"n": "1"},
    }


async def test_old_lines_of_the_trail_go(store: Store) -> None:
    for at in (1, 2, 3):
        await store.add_audit(at=at, user="usr_a", action="x", subject="", outcome="done", detail={})
    assert await store.prune_audit(before=3) == 2
    assert [line["at"] for line in await store.list_audit(user=None, limit=10)] == [3]
    assert await store.prune_audit(before=3) == 0


# Life of the database


async def test_everything_is_there_after_a_restart(store: Store, url: str) -> None:
    session = await store.add_session(a_session(), "key")
    user = await with_key(store)
    saved = await store.add_credential(a_credential(user))
    await store.close()
    await store.close()
    again = Store(url)
    await again.open()
    assert await again.get_session(session.id) == session
    assert (await again.add_session(a_session(user=session.user), "key")).id == session.id
    assert await again.newest_credential(user, "demo") == saved
    await again.close()


KILLED = """
import asyncio, os, signal, sys
from tests.contract.test_store_contract import a_session
from transom.store.database import Store
async def main():
    store = Store(sys.argv[1])
    await store.open()
    print((await store.add_session(a_session(), None)).id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_what_was_answered_survives_a_kill(url: str) -> None:
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, url], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.startswith("ses_"), ran.stderr
    store = Store(url)
    await store.open()
    assert await store.get_session(ran.stdout.strip()) is not None
    await store.close()


async def test_many_may_open_a_fresh_database_at_once(url: str) -> None:
    stores = [Store(url, wait_ms=10_000) for _ in range(5)]
    await asyncio.gather(*(each.open() for each in stores))
    await stores[0].add_session(session := a_session(), None)
    assert await stores[4].get_session(session.id) == session
    await asyncio.gather(*(each.close() for each in stores))


async def test_a_newer_schema_is_refused_in_a_sentence(store: Store, url: str) -> None:
    await store.close()
    engine = create_engine(read_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Unavailable, match=r"newer version; start that one") as refused:
        await store.open()
    assert refused.value.code == "schema_newer"
    with pytest.raises(Unavailable):
        await store.get_session("ses_x")


async def test_the_migrations_make_the_tables_that_the_code_expects(store: Store, url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = create_engine(read_url(url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


# Trouble


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program holds the lock that a write of a session needs."""
    parsed = read_url(url)
    if parsed.get_backend_name() == "sqlite":
        other = sqlite3.connect(str(parsed.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.close()
        return
    engine = create_engine(parsed)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
        yield
    engine.dispose()


async def test_a_locked_database_is_unavailable_and_then_serves_again(store: Store, url: str) -> None:
    impatient = Store(url, wait_ms=100)
    await impatient.open()
    held = await impatient.add_session(a_session(), None)
    with locked(url), pytest.raises(Unavailable, match="locked") as refused:
        await impatient.add_session(a_session(), None)
    assert refused.value.retry_after
    assert await impatient.get_session(held.id) == held
    await impatient.add_session(a_session(), None)
    await impatient.close()


async def test_a_locked_database_signs_nobody_out(store: Store, url: str) -> None:
    user = await a_user(store)
    await add_secret(store, user.id, b"s" * 32)
    with locked(url):
        assert await store.use_secret(kind="token", digest=b"s" * 32, at=90_000, once=False)


async def test_a_closed_store_is_unavailable(store: Store) -> None:
    await store.close()
    with pytest.raises(Unavailable):
        await store.list_sessions()


async def test_a_lost_server_is_unavailable_and_then_serves_again(server: Postgres) -> None:
    store = Store(server.new_database(), wait_ms=500)
    await store.open()
    session = await store.add_session(a_session(), None)
    await asyncio.to_thread(server.stop)
    try:
        with pytest.raises(Unavailable) as refused:
            await store.list_sessions()
        assert refused.value.retry_after
    finally:
        await asyncio.to_thread(server.start)
    assert await store.get_session(session.id) == session
    await store.close()


async def fill(store: Store) -> tuple[list[Session], Unavailable]:
    """Add sessions until the store refuses; what it took, and how it refused."""
    taken: list[Session] = []
    while True:
        try:
            taken.append(await store.add_session(a_session(end_detail="x" * 4000), None))
        except Unavailable as error:
            return taken, error


async def test_a_full_database_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'full.db'}"

    def small(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    event.listen(Pool, "connect", small)
    store = Store(url)
    try:
        await store.open()
        taken, refused = await fill(store)
        assert "disk full" in str(refused)
        assert refused.retry_after
        assert {each.id for each in await store.list_sessions()} == {each.id for each in taken}
        await store.close()
    finally:
        event.remove(Pool, "connect", small)
    await store.open()
    await store.add_session(a_session(), None)
    assert len(await store.list_sessions()) == len(taken) + 1
    await store.close()


async def test_a_file_that_cannot_grow_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    """As a full disk, by the kernel: writes past the limit fail."""
    path = tmp_path / "limited.db"
    store = Store(f"sqlite:///{path}")
    await store.open()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 200_000, before[1]))
    try:
        taken, refused = await fill(store)
        assert "disk full" in str(refused)
        assert taken
        assert {each.id for each in await store.list_sessions()} == {each.id for each in taken}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    await store.add_session(a_session(), None)
    assert len(await store.list_sessions()) == len(taken) + 1
    await store.close()


async def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"this is not a database, and it is long enough to be read as one" * 40)
    with pytest.raises(Unavailable, match="not a database"):
        await Store(f"sqlite:///{path}").open()


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "transom.db"
    store = Store(f"sqlite:///{path}")
    await store.open()
    await store.add_session(a_session(), None)
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == dict.fromkeys(("transom.db", "transom.db-wal", "transom.db-shm"), 0o600)
    await store.close()
    os.chmod(path, 0o644)
    await store.open()
    assert path.stat().st_mode & 0o777 == 0o600
    await store.close()


async def test_sqlite_commits_are_durable(tmp_path: Path) -> None:
    path = tmp_path / "transom.db"
    store = Store(f"sqlite:///{path}")
    await store.open()
    engine = store._db.engine
    with engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 4000}
    await store.close()
