from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from transom.files.scan import Scanner, first_line
from transom.model.errors import Refused, TransomError, Unavailable


def script(folder: Path, text: str) -> str:
    path = folder / "scan"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


async def outcome(command: str, path: Path, seconds: float = 20) -> TransomError | None:
    try:
        await Scanner(command, seconds).check(path)
    except TransomError as error:
        return error
    return None


async def test_exit_codes(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("EICAR")
    command = script(tmp_path, 'grep -q EICAR "$2" && { echo "$1: \tEICAR"; echo more; exit 1; }; exit 0')
    found = await outcome(f"{command} 'two words'", file)
    assert isinstance(found, Refused) and found.code == "scan_refused"
    assert found.message == "two words:  EICAR"
    file.write_text("nothing")
    assert await outcome(f"{command} x", file) is None


@pytest.mark.parametrize("text", ["exit 2", "kill -9 $$", "exit 127"])
async def test_what_cannot_look_lets_nothing_pass(tmp_path: Path, text: str) -> None:
    found = await outcome(script(tmp_path, text), tmp_path)
    assert isinstance(found, Unavailable) and found.code == "scan_unavailable"


@pytest.mark.parametrize("command", ["/nonexistent/scanner", " "])
async def test_a_command_that_is_not_there(tmp_path: Path, command: str) -> None:
    assert not Scanner(command, 1).there() and Scanner("sh -c true", 1).there()
    assert isinstance(await outcome(command, tmp_path), Unavailable)


async def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    began = time.monotonic()
    command = script(tmp_path, 'sleep 600 & echo $! > "$1.pid"; wait')
    found = await outcome(command, tmp_path / "f", seconds=1)
    assert isinstance(found, Unavailable) and time.monotonic() - began < 15
    child = int((tmp_path / "f.pid").read_text())
    async with asyncio.timeout(5):
        while (
            Path(f"/proc/{child}/status").exists()
            and "Z (zombie)" not in Path(f"/proc/{child}/status").read_text()
        ):
            await asyncio.sleep(0.02)


async def test_much_output_and_no_secret_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSOM_SECRET", "s")
    found = await outcome(
        script(tmp_path, 'echo "[$TRANSOM_SECRET]"; head -c 9000000 /dev/zero; exit 1'), tmp_path
    )
    assert isinstance(found, Refused) and found.message == "[]"
    assert "TRANSOM_SECRET" in os.environ


def test_the_first_line_is_what_can_be_read() -> None:
    assert first_line(b"\n\x1b[31mbad\xff\x00\nmore") == "[31mbad�"
    assert len(first_line(b"x" * 9999)) == 200
