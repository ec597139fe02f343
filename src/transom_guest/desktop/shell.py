"""What an interactive shell of the desktop begins with: on a warm machine the session comes after the desktop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NAME = "transom-session"
STARTUP = f"""\
[ -r "$XDG_RUNTIME_DIR/{NAME}" ] && . "$XDG_RUNTIME_DIR/{NAME}"
PS1='\\w\\$ '
"""


def write_startup(home: Path) -> None:
    """Give the user's bash a startup file, unless there is one. Raises OSError."""
    path = home / ".bashrc"
    if not path.exists():
        path.write_text(STARTUP)


def write_session(session: str, environment: Mapping[str, str]) -> None:
    """Tell shells that are started from now on whose machine this is. Raises OSError."""
    path = Path(environment["XDG_RUNTIME_DIR"], NAME)
    path.write_text(f"export SESSION_ID={session}\n")
