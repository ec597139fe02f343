"""The vault on a real store: in sealed, out to its own user, and nowhere in clear."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from transom.model.credential import Credential
from transom.model.errors import NotFound, TransomError, Unavailable, VaultError
from transom.model.ids import new_id
from transom.model.ports import Vault
from transom.model.user import Role, User
from transom.store.database import Store
from transom.vault.bundle import pack
from transom.vault.keys import KeyFile
from transom.vault.rotate import rewrap
from transom.vault.service import VaultService
from transom_wire.link import CredentialSealed
from transom_wire.sealing import identity, seal

CANARY = b"canary-7f3a9d-refresh-token"
FILES = {"auth.json": b'{"token": "' + CANARY + b'"}', ".config/x.yml": b"a: " + CANARY}
NOW = 1_800_000_000_000


@dataclass
class Desk:
    """A vault, its store and one user."""

    folder: Path
    store: Store
    vault: VaultService
    user: str = ""
    session: str = "ses_a"

    async def sealed(
        self, files: Mapping[str, bytes] = FILES, serial: int = 1, **changes: Any
    ) -> CredentialSealed:
        """What a guest would send; it sees the public key and the identity, and no more."""
        id, public = await self.vault.public_key()
        owner = identity(user=self.user, provider="demo", session=self.session)
        record = seal(public, pack(files), owner.encode())
        message = CredentialSealed(
            flow="flw_a",
            serial=serial,
            vault_key_id=id,
            names=tuple(files),
            expires_at=NOW + 3_600_000,
            wrapped_key=record.wrapped_key,
            nonce=record.nonce,
            ciphertext=record.ciphertext,
        )
        return replace(message, **changes)

    async def accept(self, message: CredentialSealed, **changes: str) -> Credential:
        fields = {"user": self.user, "provider": "demo", "session": self.session} | changes
        return await self.vault.accept(message=message, **fields)

    async def open(self) -> dict[str, bytes]:
        return {file.path: file.content for file in await self.vault.open(user=self.user, provider="demo")}

    async def trail(self) -> list[tuple[object, object]]:
        lines = await self.store.list_audit(user=None, limit=100)
        return [(line["action"], line["outcome"]) for line in reversed(lines)]

    @property
    def kek(self) -> Path:
        return self.folder / "kek"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = Store(f"sqlite:///{tmp_path / 'transom.db'}")
    await store.open()
    user = User(new_id("usr"), "ada", Role.USER, 1)
    await store.add_user(user)
    yield Desk(tmp_path, store, VaultService(store, KeyFile(tmp_path / "kek"), lambda: NOW), user.id)
    await store.close()


async def test_what_a_guest_seals_comes_back_to_its_user(desk: Desk) -> None:
    vault: Vault = desk.vault
    saved = await desk.accept(await desk.sealed())
    assert (saved.generation, saved.names, saved.expires_at) == (1, tuple(FILES), NOW + 3_600_000)
    assert await vault.listing(desk.user) == [saved]
    assert await desk.open() == FILES
    assert await desk.vault.forget(user=desk.user, provider="demo") == 1
    with pytest.raises(NotFound):
        await desk.open()


async def test_every_read_and_write_is_in_the_trail(desk: Desk) -> None:
    message = await desk.sealed()
    await desk.accept(message)
    await desk.accept(message)
    with pytest.raises(VaultError):
        await desk.accept(replace(message, ciphertext=b""))
    await desk.open()
    await desk.vault.forget(user=desk.user, provider="demo")
    with pytest.raises(NotFound):
        await desk.open()
    await desk.vault.forget(user=desk.user, provider="demo")
    assert await desk.trail() == [
        ("key.create", "done"),
        ("credential.store", "done"),
        ("credential.store", "repeated"),
        ("credential.store", "malformed"),
        ("credential.open", "done"),
        ("credential.forget", "done"),
        ("credential.open", "not_found"),
        ("credential.forget", "not_found"),
    ]


async def test_the_controller_takes_in_what_it_cannot_read(desk: Desk) -> None:
    """Without the key-encryption key everything but opening works on."""
    message = await desk.sealed()
    desk.kek.unlink()
    await desk.accept(message)
    assert await desk.vault.listing(desk.user)
    with pytest.raises(VaultError, match="missing"):
        await desk.open()
    assert (await desk.trail())[-1] == ("credential.open", "vault")


async def test_a_record_opens_for_its_own_identity_only(desk: Desk) -> None:
    other = User(new_id("usr"), "bob", Role.USER, 1)
    await desk.store.add_user(other)
    message = await desk.sealed()
    await desk.accept(message, user=other.id)
    await desk.accept(message, provider="codex")
    await desk.accept(message, session="ses_b")
    for user, provider in ((other.id, "demo"), (desk.user, "codex"), (desk.user, "demo")):
        with pytest.raises(VaultError, match="sign in again"):
            await desk.vault.open(user=user, provider=provider)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"wrapped_key": b"x" * 79}, "malformed"),
        ({"wrapped_key": b""}, "malformed"),
        ({"nonce": b"x" * 11}, "malformed"),
        ({"ciphertext": b"x" * 34}, "malformed"),
        ({"ciphertext": b"x" * (128 * 1024 + 1)}, "malformed"),
        ({"names": ()}, "malformed"),
        ({"names": ("../x",)}, "malformed"),
        ({"names": ("a", "a/b")}, "malformed"),
        ({"vault_key_id": "vk_other"}, "unknown_key"),
    ],
)
async def test_what_is_malformed_is_refused_and_noted(desk: Desk, changes: dict[str, Any], code: str) -> None:
    good = await desk.accept(await desk.sealed())
    with pytest.raises(VaultError) as refused:
        await desk.accept(await desk.sealed(serial=2, **changes))
    assert refused.value.code == code
    assert (await desk.trail())[-1] == ("credential.store", code)
    assert await desk.vault.listing(desk.user) == [good]


async def test_an_older_serial_does_not_replace_a_newer(desk: Desk) -> None:
    await desk.accept(await desk.sealed({"a.json": b"new"}, serial=2))
    with pytest.raises(VaultError) as refused:
        await desk.accept(await desk.sealed({"a.json": b"old"}, serial=1))
    assert refused.value.code == "older"
    assert await desk.open() == {"a.json": b"new"}


async def test_a_superseded_machine_does_not_log_the_user_out(desk: Desk) -> None:
    await desk.accept(await desk.sealed({"a.json": b"first"}))
    desk.session = "ses_b"
    await desk.accept(await desk.sealed({"a.json": b"second"}, flow="flw_b"))
    desk.session = "ses_a"
    with pytest.raises(VaultError) as refused:
        await desk.accept(await desk.sealed({"a.json": b"refreshed first"}, serial=2))
    assert refused.value.code == "superseded"
    assert await desk.open() == {"a.json": b"second"}


@pytest.mark.parametrize("expires_at", [0, -1, 1_800_000_000, 2**53, NOW + 60 * 365 * 86_400_000])
async def test_an_expiry_that_cannot_be_costs_its_display_only(desk: Desk, expires_at: int) -> None:
    saved = await desk.accept(await desk.sealed(expires_at=expires_at))
    assert saved.expires_at is None
    assert await desk.open() == FILES


async def test_an_expiry_that_has_passed_is_kept(desk: Desk) -> None:
    assert (await desk.accept(await desk.sealed(expires_at=NOW - 1))).expires_at == NOW - 1


async def test_names_that_lie_are_noticed(desk: Desk) -> None:
    await desk.accept(await desk.sealed(names=("other.json",)))
    with pytest.raises(VaultError, match="row says"):
        await desk.open()


async def test_a_sealed_bundle_that_attacks_is_refused(desk: Desk) -> None:
    id, public = await desk.vault.public_key()
    owner = identity(user=desk.user, provider="demo", session=desk.session)
    for body in (b"[" * 9000, json.dumps({"v": 1, "files": {"../../x": "QQ=="}}).encode(), b"\xff" * 40):
        record = seal(public, body, owner.encode())
        message = CredentialSealed(
            "flw_x", 1, id, ("x",), None, record.wrapped_key, record.nonce, record.ciphertext
        )
        await desk.accept(message, session=desk.session)
        with pytest.raises(VaultError):
            await desk.open()


async def test_the_first_key_is_made_once(desk: Desk) -> None:
    made = await asyncio.gather(*(desk.vault.public_key() for _ in range(8)))
    assert len(set(made)) == 1
    assert len(await desk.store.vault_keys()) == 1
    again = VaultService(desk.store, KeyFile(desk.kek), lambda: NOW)
    assert await again.public_key() == made[0]


async def test_nothing_is_sealed_to_a_key_that_cannot_be_opened(desk: Desk) -> None:
    await desk.vault.public_key()
    desk.kek.unlink()
    lost = VaultService(desk.store, KeyFile(desk.kek), lambda: NOW)
    with pytest.raises(VaultError, match="missing"):
        await lost.public_key()
    assert not desk.kek.exists()
    wrong = VaultService(desk.store, KeyFile(desk.folder / "other"), lambda: NOW)
    await KeyFile(desk.folder / "other").make()
    with pytest.raises(VaultError) as refused:
        await wrong.public_key()
    assert refused.value.code == "wrong_kek"


async def test_a_public_key_that_was_exchanged_is_noticed(desk: Desk) -> None:
    await desk.vault.public_key()
    await desk.store.close()
    with sqlite3.connect(desk.folder / "transom.db") as connection:
        connection.execute("UPDATE vault_keys SET public = ?", (b"p" * 32,))
    connection.close()
    await desk.store.open()
    with pytest.raises(VaultError, match="was changed"):
        await VaultService(desk.store, KeyFile(desk.kek), lambda: NOW).public_key()


async def test_a_vault_is_put_under_another_key(desk: Desk) -> None:
    await desk.accept(await desk.sealed())
    new = KeyFile(desk.folder / "new")
    assert await rewrap(desk.store, KeyFile(desk.kek), new, lambda: NOW) == 1
    with pytest.raises(VaultError) as refused:
        await desk.open()
    assert refused.value.code == "wrong_kek"
    desk.vault = VaultService(desk.store, new, lambda: NOW)
    assert await desk.open() == FILES
    assert ("key.rewrap", "done") in await desk.trail()


async def test_a_rewrap_with_the_wrong_old_key_changes_nothing(desk: Desk) -> None:
    await desk.accept(await desk.sealed())
    await KeyFile(desk.folder / "wrong").make()
    with pytest.raises(VaultError):
        await rewrap(desk.store, KeyFile(desk.folder / "wrong"), KeyFile(desk.folder / "new"), lambda: NOW)
    assert not (desk.folder / "new").exists()
    assert await desk.open() == FILES


class Muted(Store):
    """A store whose audit trail cannot be written."""

    async def add_audit(
        self, *, at: int, user: str, action: str, subject: str, outcome: str, detail: Mapping[str, str]
    ) -> None:
        raise Unavailable("the disk is full", retry_after=2)


async def test_nothing_is_handed_out_that_cannot_be_noted(desk: Desk) -> None:
    await desk.accept(await desk.sealed())
    muted = Muted(f"sqlite:///{desk.folder / 'transom.db'}")
    await muted.open()
    vault = VaultService(muted, KeyFile(desk.kek), lambda: NOW)
    with pytest.raises(Unavailable):
        await vault.open(user=desk.user, provider="demo")
    with pytest.raises(NotFound):
        await vault.open(user=desk.user, provider="none")
    await muted.close()


def words(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


async def test_a_secret_is_nowhere_in_clear(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The canary is in no file, log, error, repr or audit line; nor is a private key or the KEK."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    saved = await desk.accept(await desk.sealed())
    opened: Sequence[object] = await desk.vault.open(user=desk.user, provider="demo")
    seen += [repr(saved), repr(opened), str(opened)]
    await desk.accept(await desk.sealed(serial=2, names=("other",)))
    for act in (desk.open(), desk.accept(await desk.sealed(serial=3, nonce=b""))):
        try:
            await act
        except TransomError as error:
            seen.append(words(error))
    seen.append(str(await desk.store.list_audit(user=None, limit=100)))
    seen.append(caplog.text)
    files = {path.name: path.read_bytes() for path in desk.folder.iterdir()}
    assert {"transom.db", "transom.db-wal"} <= files.keys()
    kek = files.pop("kek")
    for secret in (CANARY, CANARY[:12], kek):
        assert not [name for name, body in files.items() if secret in body]
        assert not [text for text in seen if secret in text.encode("utf-8", "surrogateescape")]
        assert not [text for text in seen if repr(secret)[2:-1] in text]
