from __future__ import annotations

import subprocess
from pathlib import Path

from transom_guest.desktop.shell import write_session, write_startup


def shell(home: Path) -> str:
    done = subprocess.run(
        ["bash", "-i", "-c", "echo session=$SESSION_ID"],
        env={"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "SESSION_ID": "", "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_a_shell_after_the_claim_knows_the_session(tmp_path: Path) -> None:
    write_startup(tmp_path)
    assert shell(tmp_path) == "session=\n"
    write_session("ses_a", {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert shell(tmp_path) == "session=ses_a\n"


def test_a_startup_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("mine\n")
    write_startup(tmp_path)
    assert (tmp_path / ".bashrc").read_text() == "mine\n"
