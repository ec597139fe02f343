from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from fastapi import FastAPI

from transom.serve import OPEN_FILES, open_lock, server_config
from transom.settings import Settings


def test_other_users_cannot_hold_the_controllers_lock(tmp_path: Path) -> None:
    """A lock wants a descriptor that can read, no more: whoever holds it keeps the server from starting."""
    left = tmp_path / "controller.lock"
    left.touch(mode=0o644)
    with open_lock(tmp_path):
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
    left.unlink()
    with open_lock(tmp_path):
        assert stat.S_IMODE(left.stat().st_mode) == 0o600


def test_the_soft_limit_of_open_files_rises_to_the_hard_one() -> None:
    code = """
import json, resource
from transom.serve import raise_open_files
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
raise_open_files()
print(json.dumps([*resource.getrlimit(resource.RLIMIT_NOFILE), hard]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    soft, hard, before = json.loads(done.stdout)
    assert soft == (OPEN_FILES if before < 0 else min(before, OPEN_FILES))
    assert hard == before


def test_an_idle_connection_is_kept_longer_than_by_a_proxy(tmp_path: Path) -> None:
    """Who closes first is who sends requests: else one is sent into a connection that is closed, and lost."""
    assert server_config(Settings(state=tmp_path), FastAPI()).timeout_keep_alive > 60
