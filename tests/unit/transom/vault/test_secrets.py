from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from transom.model.errors import VaultError
from transom.vault import envelope
from transom.vault.keys import KeyFile
from transom.vault.secrets import SECRET_LIMIT, SecretRecords


class Keys:
    """A vault with one key, and the store that holds it."""

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self.rows: list[tuple[str, bytes, bytes]] = []

    async def public_key(self) -> tuple[str, bytes]:
        if not self.rows:
            private = envelope.new_private_key()
            public = envelope.public_key(private)
            id = envelope.key_id(public)
            self.rows = [(id, public, envelope.wrap(await self.file.make(), private, id))]
        return self.rows[0][0], self.rows[0][1]

    async def vault_keys(self) -> Sequence[tuple[str, bytes, bytes]]:
        return self.rows


@pytest.fixture
def records(tmp_path: Path) -> SecretRecords:
    file = KeyFile(tmp_path / "kek")
    keys = Keys(file)
    return SecretRecords(keys, file, keys)


async def test_a_secret_comes_back_under_its_own_name_only(records: SecretRecords) -> None:
    record = await records.seal_secret("ext_a", b"hunter2")
    assert b"hunter2" not in record
    assert await records.open_secrets({"ext_a": record}) == {"ext_a": b"hunter2"}
    assert await records.open_secrets({"ext_b": record}) == {}
    assert await records.open_secrets({}) == {}


async def test_damaged_records_are_left_out_and_the_others_open(records: SecretRecords) -> None:
    good = await records.seal_secret("ext_a", b"one")
    bent = good[:-1] + bytes([good[-1] ^ 1])
    found = await records.open_secrets({"ext_a": good, "x": b"", "y": b"vk_none\0" + good[26:], "z": bent})
    assert found == {"ext_a": b"one"}


async def test_two_records_of_one_secret_differ(records: SecretRecords) -> None:
    assert await records.seal_secret("ext_a", b"one") != await records.seal_secret("ext_a", b"one")


async def test_a_missing_key_and_an_endless_secret_are_refused(
    records: SecretRecords, tmp_path: Path
) -> None:
    record = await records.seal_secret("ext_a", b"one")
    with pytest.raises(VaultError):
        await records.seal_secret("ext_a", b"x" * (SECRET_LIMIT + 1))
    (tmp_path / "kek").unlink()
    with pytest.raises(VaultError):
        await records.open_secrets({"ext_a": record})


async def test_another_key_encryption_key_leaves_records_as_they_are(tmp_path: Path) -> None:
    old, new = KeyFile(tmp_path / "kek"), KeyFile(tmp_path / "new")
    keys = Keys(old)
    record = await SecretRecords(keys, old, keys).seal_secret("ext_a", b"hunter2")
    ((id, public, wrapped),) = keys.rows
    private = envelope.unwrap(await old.load(), wrapped, id)
    keys.rows = [(id, public, envelope.wrap(await new.make(), private, id))]
    assert await SecretRecords(keys, new, keys).open_secrets({"ext_a": record}) == {"ext_a": b"hunter2"}
    with pytest.raises(VaultError):
        await SecretRecords(keys, old, keys).open_secrets({"ext_a": record})
