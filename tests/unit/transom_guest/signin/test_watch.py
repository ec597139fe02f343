"""Debouncing, without a clock."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from transom_guest.signin.credential import Holding
from transom_guest.signin.watch import SETTLED_AFTER, Settling, Watch
from transom_wire.link import CredentialFile

A, B, C = ((1, 1, 1, 1),), ((2, 2, 2, 2),), ((3, 3, 3, 3),)
SPEC = (CredentialFile("auth.json", must_have=("token",)),)


def test_nothing_changes_nothing_is_said() -> None:
    settling = Settling(A)
    assert not any(settling.settled(now, A) for now in range(10))


def test_a_change_is_said_once_when_it_rests() -> None:
    settling = Settling(A)
    assert not settling.settled(0, B)
    assert not settling.settled(SETTLED_AFTER / 2, B)
    assert settling.settled(SETTLED_AFTER, B)
    assert not settling.settled(100, B)


def test_writes_in_a_row_are_one_change() -> None:
    settling = Settling(A)
    assert not settling.settled(0, B)
    assert not settling.settled(0.4, C)
    assert not settling.settled(0.8, C)
    assert settling.settled(0.4 + SETTLED_AFTER, C)


async def test_half_written_and_lock_files_are_passed_over(tmp_path: Path) -> None:
    found: asyncio.Queue[Holding] = asyncio.Queue()
    watch = Watch(tmp_path, SPEC, found.put_nowait)
    watch.pause = 0.01
    task = asyncio.create_task(watch.run())
    try:
        (tmp_path / "auth.json.lock").touch()
        (tmp_path / "auth.json").write_text('{"token": ')
        fresh = tmp_path / "auth.json.1234"
        fresh.write_text(json.dumps({"token": "t"}))
        fresh.replace(tmp_path / "auth.json")
        async with asyncio.timeout(30):
            assert (await found.get()).files == {"auth.json": b'{"token": "t"}'}
        (tmp_path / "auth.json").write_text("")
        (tmp_path / "auth.json").write_text(json.dumps({"token": "u"}))
        async with asyncio.timeout(30):
            assert (await found.get()).files == {"auth.json": b'{"token": "u"}'}
    finally:
        task.cancel()
    assert found.empty()


def test_what_was_there_before_is_no_change_until_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text('{"token": "t"}')
    os.utime(path, ns=(1, 1))
    watch = Watch(tmp_path, SPEC, lambda _: None)
    assert not watch.changed(watch.look_now())
    os.utime(path, ns=(2, 2))
    assert watch.changed(watch.look_now())
