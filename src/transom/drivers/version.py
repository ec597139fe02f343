"""What an outside program says of its version."""

from __future__ import annotations

import subprocess
from pathlib import Path

SECONDS = 10.0
"""For it to say so."""
LIMIT = 4096
"""Characters of it that are read."""


def version_text(program: Path) -> str | None:
    """All that `--version` prints; None when it does not run. Blocking."""
    try:
        done = subprocess.run(
            [str(program), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            env={},
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:LIMIT] if done.returncode == 0 else None


def version_line(program: Path) -> str | None:
    """The first line of it; None when it does not run. Blocking."""
    said = version_text(program)
    return said.strip().partition("\n")[0][:200] if said is not None else None
