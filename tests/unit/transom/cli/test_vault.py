"""Another key-encryption key, from the command line."""

from __future__ import annotations

import asyncio
import fcntl
import json
from pathlib import Path

import pytest

from tests.unit.transom.cli.conftest import Run
from transom.model.errors import VaultError
from transom.store.database import Store
from transom.vault.keys import KeyFile
from transom.vault.service import VaultService


async def vault_key(state: Path, kek: Path) -> tuple[str, bytes]:
    store = Store(f"sqlite:///{state / 'transom.db'}")
    await store.open()
    try:
        return await VaultService(store, KeyFile(kek), lambda: 1).public_key()
    finally:
        await store.close()


def test_the_vault_moves_to_a_new_key(transom: Run, tmp_path: Path) -> None:
    made = asyncio.run(vault_key(tmp_path, tmp_path / "kek"))
    (tmp_path / "controller.lock").touch()
    new = ("--new-file", str(tmp_path / "new"), "--state", str(tmp_path))
    moved = transom("vault", "rewrap", *new, "--json")
    assert json.loads(moved.stdout) == {"vault_keys": 1}
    assert asyncio.run(vault_key(tmp_path, tmp_path / "new")) == made
    with pytest.raises(VaultError):
        asyncio.run(vault_key(tmp_path, tmp_path / "kek"))


def test_a_running_server_is_in_the_way(transom: Run, tmp_path: Path) -> None:
    asyncio.run(vault_key(tmp_path, tmp_path / "kek"))
    with (tmp_path / "controller.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = transom("vault", "rewrap", "--new-file", str(tmp_path / "new"), "--state", str(tmp_path))
    assert refused.exit_code == 1
    assert "mend: stop it" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_one_new_key_is_named(transom: Run, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    assert transom("vault", "rewrap", *state).exit_code == 2
    assert transom("vault", "rewrap", "--new-file", "a", "--new-command", "b", *state).exit_code == 2
    missing = transom("vault", "rewrap", "--new-file", "a", "--state", str(tmp_path / "none"))
    assert missing.exit_code == 5
