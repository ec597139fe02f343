"""How dense the desktop's pixels are: programs that follow the XSETTINGS `Xft/DPI` draw larger at once.

xsettingsd(1) tells them; it reads its file anew on SIGHUP. Chromium takes `Xft/DPI` over 96 as its device scale factor.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from transom_guest.environment import RUNTIME_DIR

PROGRAM = "xsettingsd"
DPI = 96
"""Dots per inch at a density of 100 per cent."""
UNITS = 1024
"""`Xft/DPI` is in 1024ths of a dot per inch (XSETTINGS registry)."""
TELL_DEADLINE = 3.0
"""Seconds."""


def file_of(environment: Mapping[str, str]) -> Path:
    """Where the settings lie."""
    return Path(environment.get("XDG_RUNTIME_DIR") or RUNTIME_DIR) / "xsettings"


def command(environment: Mapping[str, str]) -> list[str]:
    """The argv of what tells programs."""
    return [PROGRAM, "-c", str(file_of(environment))]


def has_density(environment: Mapping[str, str]) -> bool:
    """Whether this machine's programs can be told."""
    return "TRANSOM_EMULATED" not in environment and shutil.which(PROGRAM) is not None


def prepare(environment: Mapping[str, str]) -> None:
    """Write the settings unless they are there: a program that died finds what was wanted last. Raises OSError."""
    if not file_of(environment).exists():
        _write(file_of(environment), 100)


async def set_density(percent: int) -> None:
    """Have programs draw for pixels of `percent` density. Raises OSError, TimeoutError; nothing where nobody tells."""
    _write(file_of(os.environ), percent)
    process = await asyncio.create_subprocess_exec(
        "pkill", "-HUP", "-x", PROGRAM, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(TELL_DEADLINE):
        await process.wait()


def _write(path: Path, percent: int) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(f"Xft/DPI {DPI * UNITS * percent // 100}\n")
    fresh.replace(path)
