"""Signing in, on a real store in memory and a clock moved by hand."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transom.auth.service import COOKIE_MS, KEY_MS, TOKENS_PER_USER, AuthService
from transom.model.errors import Conflict, Invalid, NotFound, Unauthenticated
from transom.model.user import Principal, Role, User
from transom.store.database import Store


class Hand:
    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = Store("sqlite://")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def auth(store: Store, clock: Hand) -> AuthService:
    return AuthService(store, clock)


@pytest.fixture
async def ada(auth: AuthService) -> User:
    return await auth.add_user("ada", Role.USER)


async def test_the_administrator_is_made_once(auth: AuthService, store: Store) -> None:
    keys = [await auth.issue_key((await auth.administrator()).id) for _ in range(2)]
    assert keys[0] != keys[1]
    (admin,) = await store.list_users()
    assert (admin.name, admin.role) == ("admin", Role.ADMINISTRATOR)
    for key in keys:
        assert (await auth.sign_in(key))[1] == admin


async def test_an_administrator_is_made_beside_a_user_of_that_name(auth: AuthService) -> None:
    await auth.add_user("admin", Role.USER)
    assert (await auth.administrator()).name == "admin2"
    assert (await auth.administrator()).name == "admin2"


async def test_a_key_signs_in_once(auth: AuthService, ada: User) -> None:
    key = await auth.issue_key(ada.id)
    cookie, user = await auth.sign_in(key)
    assert user == ada
    assert await auth.by_cookie(cookie) == Principal(ada, "cookie")
    with pytest.raises(Unauthenticated) as refused:
        await auth.sign_in(key)
    assert key not in str(refused.value)


async def test_of_many_with_one_key_one_gets_in(auth: AuthService, ada: User) -> None:
    key = await auth.issue_key(ada.id)
    tries = await asyncio.gather(*(auth.sign_in(key) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(each, tuple) for each in tries) == 1


async def test_keys_and_cookies_expire(auth: AuthService, ada: User, clock: Hand) -> None:
    late = await auth.issue_key(ada.id)
    cookie, _ = await auth.sign_in(await auth.issue_key(ada.id))
    clock.now += KEY_MS
    with pytest.raises(Unauthenticated):
        await auth.sign_in(late)
    clock.now += COOKIE_MS - KEY_MS - 1
    assert await auth.by_cookie(cookie)
    clock.now += 1
    assert await auth.by_cookie(cookie) is None


async def test_one_kind_is_no_other(auth: AuthService, ada: User) -> None:
    key = await auth.issue_key(ada.id)
    _, token = await auth.issue_token(ada.id, "t")
    assert await auth.by_cookie(key) is None
    assert await auth.by_token(key) is None
    assert await auth.by_cookie(token) is None
    with pytest.raises(Unauthenticated):
        await auth.sign_in(token)
    cookie, _ = await auth.sign_in(key)
    assert await auth.by_token(cookie) is None


@pytest.mark.parametrize("wrong", ["", "x", "a" * 43, "é" * 43, "a" * 100_000, "' OR 1=1 --"])
async def test_nonsense_signs_nobody_in(auth: AuthService, ada: User, wrong: str) -> None:
    assert await auth.by_cookie(wrong) is None
    assert await auth.by_token(wrong) is None
    await auth.sign_out(wrong)
    with pytest.raises(Unauthenticated):
        await auth.sign_in(wrong)


async def test_signing_out_ends_this_cookie_only(auth: AuthService, ada: User) -> None:
    cookies = [(await auth.sign_in(await auth.issue_key(ada.id)))[0] for _ in range(2)]
    await auth.sign_out(cookies[0])
    await auth.sign_out(cookies[0])
    assert await auth.by_cookie(cookies[0]) is None
    assert await auth.by_cookie(cookies[1])


async def test_tokens_are_their_owners(auth: AuthService, ada: User) -> None:
    bob = await auth.add_user("bob", Role.USER)
    id, token = await auth.issue_token(ada.id, " laptop ")
    assert await auth.by_token(token) == Principal(ada, "token")
    (row,) = await auth.tokens(ada.id)
    assert (row["id"], row["label"]) == (id, "laptop")
    assert token not in str(row)
    assert await auth.tokens(bob.id) == []
    assert not await auth.delete_token(id, bob.id)
    assert await auth.delete_token(id, ada.id)
    assert not await auth.delete_token(id, ada.id)
    assert await auth.by_token(token) is None


async def test_tokens_are_limited_in_number_and_label(auth: AuthService, ada: User) -> None:
    for label in ("x" * 101, "a\x1b[2J", "a\nb"):
        with pytest.raises(Invalid):
            await auth.issue_token(ada.id, label)
    for number in range(TOKENS_PER_USER):
        await auth.issue_token(ada.id, str(number))
    with pytest.raises(Conflict):
        await auth.issue_token(ada.id, "one more")


async def test_a_known_token_is_kept_while_it_works(auth: AuthService, ada: User) -> None:
    bob = await auth.add_user("bob", Role.USER)
    token = await auth.keep_token(ada.id, "serve", None)
    assert await auth.keep_token(ada.id, "serve", token) == token
    theirs = await auth.keep_token(bob.id, "serve", token)
    assert theirs != token
    renewed = await auth.keep_token(ada.id, "serve", "lost")
    assert await auth.by_token(token) is None
    assert await auth.by_token(renewed)
    assert len(await auth.tokens(ada.id)) == 1


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a" * 65, "é", "a\nb", "../x", "<b>"])
async def test_names_are_plain(auth: AuthService, name: str) -> None:
    with pytest.raises(Invalid):
        await auth.add_user(name, Role.USER)


async def test_names_are_one_whatever_their_case(auth: AuthService, ada: User) -> None:
    with pytest.raises(Conflict):
        await auth.add_user(" ADA ", Role.USER)


async def test_nothing_is_issued_to_nobody(auth: AuthService) -> None:
    with pytest.raises(NotFound):
        await auth.issue_key("usr_none")
    with pytest.raises(NotFound):
        await auth.issue_token("usr_none", "x")
    with pytest.raises(NotFound):
        await auth.remove_user("usr_none")


async def test_a_removed_user_is_out_and_the_last_administrator_stays(auth: AuthService, ada: User) -> None:
    admin = await auth.administrator()
    _, token = await auth.issue_token(ada.id, "t")
    cookie, _ = await auth.sign_in(await auth.issue_key(ada.id))
    await auth.remove_user(ada.id)
    assert await auth.by_token(token) is None
    assert await auth.by_cookie(cookie) is None
    with pytest.raises(Conflict):
        await auth.remove_user(admin.id)


async def test_no_secret_is_in_the_database(tmp_path: Path, clock: Hand) -> None:
    path = tmp_path / "transom.db"
    store = Store(f"sqlite:///{path}")
    await store.open()
    auth = AuthService(store, clock)
    key = await auth.issue_key((await auth.administrator()).id)
    unused = await auth.issue_key((await auth.administrator()).id)
    cookie, admin = await auth.sign_in(key)
    _, token = await auth.issue_token(admin.id, "t")
    everything = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    for secret in (key, unused, cookie, token):
        assert secret.encode() not in everything
    await store.close()
    assert sqlite3.connect(path).execute("SELECT count(*) FROM secrets").fetchone() == (3,)


async def test_what_gives_or_takes_a_way_in_is_in_the_trail(
    auth: AuthService, store: Store, clock: Hand
) -> None:
    root = await auth.administrator()
    ada = await auth.add_user("ada", Role.USER, by=root.id)
    key = await auth.issue_key(ada.id, by=root.id)
    cookie, _ = await auth.sign_in(key)
    id, token = await auth.issue_token(ada.id, "laptop")
    assert await auth.delete_token(id, ada.id) and not await auth.delete_token(id, ada.id)
    await auth.sign_out(cookie)
    await auth.sign_out(cookie)
    await auth.remove_user(ada.id, by=root.id)
    lines = list(reversed(await store.list_audit(user=None, limit=100)))
    assert [(line["user"], line["action"], line["subject"]) for line in lines] == [
        ("system", "user_add", root.id),
        (root.id, "user_add", ada.id),
        (root.id, "key_issue", ada.id),
        (ada.id, "sign_in", ada.id),
        (ada.id, "token_create", id),
        (ada.id, "token_remove", id),
        (ada.id, "sign_out", ada.id),
        (root.id, "user_remove", ada.id),
    ]
    assert {(line["at"], line["outcome"]) for line in lines} == {(clock.now, "done")}
    assert not any(secret in str(lines) for secret in (key, cookie, token))
