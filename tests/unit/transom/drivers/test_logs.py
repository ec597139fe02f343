"""What machines wrote, read from folders that belong to whom nobody trusts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transom.drivers.logs import TAIL_BYTES, FolderLogs
from transom.model.ids import new_id

MACHINE = new_id("mch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / MACHINE).mkdir()
    return tmp_path / MACHINE


async def test_the_ends_of_all_logs_each_under_its_name(folder: Path) -> None:
    (folder / "keeper.log").write_text("first\n" + "x" * TAIL_BYTES + "\nthe end\n")
    (folder / "guest.log").write_bytes(b"\xff\xfe told by the guest")
    text = await FolderLogs(folder.parent).read(MACHINE)
    assert text.startswith("== keeper.log ==\n")
    assert "first" not in text
    assert "the end\n== guest.log ==\n\ufffd\ufffd told by the guest" in text
    assert len(text) < TAIL_BYTES + 200


async def test_no_folder_and_no_machine_is_nothing(folder: Path) -> None:
    logs = FolderLogs(folder.parent)
    assert await logs.read(new_id("mch")) == ""
    assert await logs.read("../etc") == ""
    assert await logs.read(MACHINE) == ""


async def test_what_is_no_plain_file_is_not_read(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    (folder / "keeper.log").symlink_to(secret)
    os.link(secret, folder / "guest.log")
    os.mkfifo(folder / "console.log")
    (folder / "vmm.log").mkdir()
    assert await FolderLogs(tmp_path).read(MACHINE) == ""


async def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    other = new_id("mch")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "keeper.log").write_text("another's")
    (tmp_path / other).symlink_to(tmp_path / "elsewhere")
    assert await FolderLogs(tmp_path).read(other) == ""
