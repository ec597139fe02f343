from __future__ import annotations

import re
from pathlib import Path

import pytest

from transom_keeper.machine_id import MachineIdFile


def test_it_is_written_anew_in_place(tmp_path: Path) -> None:
    made = MachineIdFile.make(tmp_path)
    with open(made.path) as inside:
        first = inside.read()
        assert re.fullmatch(r"[0-9a-f]{32}\n", first)
        made.write("c" * 32)
        inside.seek(0)
        assert inside.read() == "c" * 32 + "\n"
    assert made.path.stat().st_mode & 0o777 == 0o444
    made.close()
    made.close()


def test_whoever_holds_it_may_take_its_name_away(tmp_path: Path) -> None:
    made = MachineIdFile.make(tmp_path)
    with open(made.path) as inside:
        made.hide()
        made.hide()
        made.write("d" * 32)
        assert inside.read() == "d" * 32 + "\n" and not list(tmp_path.iterdir())
    made.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        made.write("e" * 32)


def test_what_is_there_already_is_never_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "machine-id").symlink_to("/etc/hostname")
    with pytest.raises(FileExistsError):
        MachineIdFile.make(tmp_path)
