"""Where the key-encryption key comes from, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.errors import VaultError
from transom.vault.keys import KeyCommand, KeyFile, key_source, read_key

KEY = bytes(range(224, 256))


async def test_a_file_is_made_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kek"
    made = await KeyFile(path).make()
    assert len(made) == 32
    assert path.stat().st_mode & 0o7777 == 0o600
    assert await KeyFile(path).make() == made
    assert await KeyFile(path).load() == made
    assert [each.name for each in path.parent.iterdir()] == ["kek"]


async def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await KeyFile(tmp_path / "kek").make()
    finally:
        os.umask(before)
    assert (tmp_path / "kek").stat().st_mode & 0o777 == 0o600


async def test_many_makers_agree(tmp_path: Path) -> None:
    made = await asyncio.gather(*(KeyFile(tmp_path / "kek").make() for _ in range(8)))
    assert len(set(made)) == 1


async def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="missing"):
        await KeyFile(tmp_path / "kek").load()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601, 0o620])
async def test_a_laxer_mode_is_refused_with_its_mend(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek"
    path.write_bytes(KEY)
    path.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        await KeyFile(path).load()
    path.chmod(0o400)
    assert await KeyFile(path).load() == KEY


@pytest.mark.parametrize(
    "content", [b"", KEY[:31], KEY + b"\n", b"0" * 32, b"correct horse battery staple, 32"]
)
async def test_a_key_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kek"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(VaultError, match="32 random bytes"):
        await KeyFile(path).make()


async def test_links_pipes_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(KEY)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("link", "dangling", "pipe", "folder"):
        with pytest.raises(VaultError):
            await KeyFile(tmp_path / name).make()
    assert not (tmp_path / "nothing").exists()


def command(code: str, deadline_s: float = 20) -> KeyCommand:
    return KeyCommand([sys.executable, "-c", f"import sys, time, os; {code}"], deadline_s=deadline_s)


@pytest.mark.parametrize(
    "text", [KEY, KEY.hex().encode(), base64.b64encode(KEY) + b"\n", base64.urlsafe_b64encode(KEY) + b"\r\n"]
)
async def test_a_command_prints_the_key(text: bytes) -> None:
    assert await command(f"sys.stdout.buffer.write({text!r})").load() == KEY


async def test_a_commands_failures_are_sentences_without_its_words() -> None:
    for code in ("print('s3cret'); sys.exit(3)", "print('s3cret')", "print('s3cret' * 10_000)", "pass"):
        with pytest.raises(VaultError) as refused:
            await command(code).load()
        assert "s3cret" not in repr(refused.value)
    with pytest.raises(VaultError, match="installed"):
        await KeyCommand(["/nonexistent/program", "s3cret"]).load()


async def test_a_command_has_a_deadline_and_leaves_nothing(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    start = time.monotonic()
    code = f"child = os.fork()\nif child: open({str(pids)!r}, 'w').write(str(child))\ntime.sleep(60)"
    slow = KeyCommand([sys.executable, "-c", f"import os, time\n{code}"], deadline_s=1.5)
    with pytest.raises(VaultError, match=r"longer than 1\.5 s"):
        await slow.load()
    assert time.monotonic() - start < 20
    child = int(pids.read_text())
    async with asyncio.timeout(10):
        while _alive(child):
            await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_no_shell_sees_the_command(tmp_path: Path) -> None:
    source = key_source(
        tmp_path / "kek", f"{sys.executable} -c 'print(\"{KEY.hex()}\")' ; touch {tmp_path}/x"
    )
    assert await source.load() == KEY
    assert not (tmp_path / "x").exists()


def test_sources_by_setting(tmp_path: Path) -> None:
    assert isinstance(key_source(tmp_path / "kek", None), KeyFile)
    assert isinstance(key_source(tmp_path / "kek", "pass show kek"), KeyCommand)
    for wrong in ("", "  ", "a 'b"):
        with pytest.raises(VaultError):
            key_source(tmp_path / "kek", wrong)


@given(st.binary(max_size=80))
def test_no_output_breaks_the_reader(text: bytes) -> None:
    try:
        assert len(read_key(text)) == 32
    except VaultError as error:
        assert text not in str(error).encode() or len(text) < 4
