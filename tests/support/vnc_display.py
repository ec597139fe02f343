"""A VNC server of this host, with nothing on its display."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def vnc_display() -> Iterator[tuple[str, Path]]:
    """A display, and where it is seen by VNC, while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="transom-display-"))
    with open(folder / "number", "wb") as number:
        how = ("-displayfd", str(number.fileno()), "-rfbport", "-1", "-rfbunixpath", str(folder / "vnc"))
        more = ("-nolisten", "tcp", "-SecurityTypes", "None", "-geometry", "640x480")
        server = subprocess.Popen(
            ["Xvnc", *how, *more], pass_fds=[number.fileno()], stderr=subprocess.DEVNULL
        )
    try:
        while not (folder / "number").read_text().endswith("\n"):
            assert server.poll() is None, "Xvnc did not start"
            time.sleep(0.01)
        yield f":{(folder / 'number').read_text().strip()}", folder / "vnc"
    finally:
        server.terminate()
        server.wait(timeout=10)
        shutil.rmtree(folder)
