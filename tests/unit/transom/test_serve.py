from __future__ import annotations

import stat
from pathlib import Path

from transom.serve import open_lock


def test_other_users_cannot_hold_the_controllers_lock(tmp_path: Path) -> None:
    """A lock wants a descriptor that can read, no more: whoever holds it keeps the server from starting."""
    left = tmp_path / "controller.lock"
    left.touch(mode=0o644)
    with open_lock(tmp_path):
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
    left.unlink()
    with open_lock(tmp_path):
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
