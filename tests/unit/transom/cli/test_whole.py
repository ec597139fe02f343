"""The command line in front of the real server, store and vault; no machine is needed for that."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tests.unit.transom.cli.conftest import Run
from transom.app import build
from transom.auth.service import AuthService
from transom.model.clock import now_ms
from transom.model.user import Role
from transom.settings import Settings
from transom.store.database import Store
from transom.vault.bundle import pack
from transom.vault.keys import KeyFile
from transom.vault.service import VaultService
from transom_wire.link import CredentialSealed
from transom_wire.sealing import identity, seal

FILES = {".codex/auth.json": b'{"refresh_token": "canary-of-the-test"}'}


async def seed(settings: Settings) -> dict[str, str]:
    """An administrator with a credential, a user without; returns their tokens by name."""
    store = Store(settings.database_url)
    await store.open()
    auth, vault = AuthService(store, now_ms), VaultService(store, KeyFile(settings.kek), now_ms)
    admin, bob = await auth.administrator(), await auth.add_user("bob", Role.USER)
    id, public = await vault.public_key()
    owner = identity(user=bob.id, provider="codex", session="ses_x")
    sealed = seal(public, pack(FILES), owner.encode())
    message = CredentialSealed(
        "flw_x", 1, id, tuple(FILES), now_ms() + 10**6, sealed.wrapped_key, sealed.nonce, sealed.ciphertext
    )
    await vault.accept(user=bob.id, provider="codex", session="ses_x", message=message)
    tokens = {user.name: (await auth.issue_token(user.id, "t"))[1] for user in (admin, bob)}
    await store.close()
    return tokens


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    settings = Settings(state=tmp_path / "state", images_dir=tmp_path / "images", port=0)
    made = asyncio.run(seed(settings))
    server = uvicorn.Server(uvicorn.Config(build(settings), port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.setenv("TRANSOM_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("TRANSOM_TOKEN", made["bob"])
    yield made
    server.should_exit = True
    thread.join(30)


def test_a_users_own_files_come_back_and_nobody_elses(
    transom: Run, tokens: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "to"
    (row,) = json.loads(transom("credential", "list", "--json").stdout)
    assert (row["provider"], row["names"], row["generation"]) == ("codex", list(FILES), 1)
    assert transom("credential", "pull", "codex", "--to", str(to)).exit_code == 0
    assert (to / ".codex/auth.json").read_bytes() == FILES[".codex/auth.json"]
    assert transom("credential", "pull", "demo", "--to", str(to)).exit_code == 5
    assert transom("user", "list").exit_code == 4

    monkeypatch.setenv("TRANSOM_TOKEN", tokens["admin"])
    assert json.loads(transom("credential", "list", "--json").stdout) == []
    assert transom("credential", "pull", "codex", "--to", str(tmp_path / "theirs")).exit_code == 5
    assert not (tmp_path / "theirs").exists()

    monkeypatch.setenv("TRANSOM_TOKEN", tokens["bob"])
    assert transom("credential", "forget", "codex", "--yes").exit_code == 0
    assert transom("credential", "pull", "codex", "--to", str(to)).exit_code == 5
    secret = b"canary-of-the-test"
    assert not [p for p in (tmp_path / "state").rglob("*") if p.is_file() and secret in p.read_bytes()]


def test_tokens_and_users_from_the_command_line(
    transom: Run, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = json.loads(transom("token", "create", "laptop", "--json").stdout)
    assert [row["label"] for row in json.loads(transom("token", "list", "--json").stdout)] == ["t", "laptop"]
    monkeypatch.setenv("TRANSOM_TOKEN", made["token"])
    assert transom("token", "remove", made["id"]).exit_code == 0
    assert transom("token", "list").exit_code == 4

    monkeypatch.setenv("TRANSOM_TOKEN", tokens["admin"])
    added = json.loads(transom("user", "add", "eve", "--json").stdout)
    assert "?key=" in added["url"]
    assert transom("user", "add", "eve").exit_code == 1
    assert transom("user", "key", "eve").exit_code == 0
    assert transom("user", "remove", "eve").exit_code == 0
    assert [user["name"] for user in json.loads(transom("user", "list", "--json").stdout)] == ["admin", "bob"]
