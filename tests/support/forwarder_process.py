"""A forwarder in a process of its own, as a keeper is: for figures, and for attacks that must not slow the test.

The program reads a route as JSON on standard input, serves on a port of loopback that it prints, and ends with
its standard input.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def pss_kib(pid: int) -> int:
    """Proportional set size."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


@dataclass(frozen=True)
class ForwarderProcess:
    """Where it serves, and what it weighed: a Python with asyncio alone, and once the forwarder served."""

    pid: int
    port: int
    bare_kib: int
    ready_kib: int


@contextmanager
def forwarder_process(route: Any) -> Iterator[ForwarderProcess]:
    """A forwarder by `route`."""
    words = [sys.executable, "-m", "tests.support.forwarder_process"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(route)).encode() + b"\n")
            process.stdin.flush()
            told = json.loads(process.stdout.readline())
            yield ForwarderProcess(process.pid, told["port"], told["bare_kib"], pss_kib(process.pid))
        finally:
            process.kill()


async def _serve(route: dict[str, Any]) -> None:
    import os

    bare = pss_kib(os.getpid())
    from transom_keeper.forwarder import Forwarder
    from transom_wire.exit import ExitRoute

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    forwarder = Forwarder(listener, ExitRoute(**route))
    await forwarder.start()
    print(json.dumps({"port": listener.getsockname()[1], "bare_kib": bare}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.stdin.readline())))
