from __future__ import annotations

from pathlib import Path

import pytest

from transom.drivers import version
from transom.drivers.version import version_line, version_text


def a_program(folder: Path, script: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_what_a_program_says_of_its_version(tmp_path: Path) -> None:
    program = a_program(tmp_path, "echo 'QEMU emulator version 9.1.0'; echo more")
    assert version_text(program) == "QEMU emulator version 9.1.0\nmore\n"
    assert version_line(program) == "QEMU emulator version 9.1.0"


@pytest.mark.parametrize("script", ["echo 'program 1.2.3'; exit 1", "exit 1"])
def test_one_that_fails_has_said_nothing(tmp_path: Path, script: str) -> None:
    program = a_program(tmp_path, script)
    assert version_text(program) is None and version_line(program) is None


def test_one_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert version_text(tmp_path / "none") is None and version_line(tmp_path / "none") is None


def test_bytes_that_are_no_text_are_borne(tmp_path: Path) -> None:
    assert version_line(a_program(tmp_path, r"printf '1.2 \377'")) == "1.2 \ufffd"


def test_a_program_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "SECONDS", 0.2)
    assert version_line(a_program(tmp_path, "exec sleep 60")) is None
