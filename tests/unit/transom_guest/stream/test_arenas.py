"""glibc's heaps, held to a number in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from transom_guest.stream.arenas import ARENAS

BUSY = """
import ctypes, threading
from transom_guest.stream import arenas
libc = ctypes.CDLL(None)
{limit}
def allocate(together):
    together.wait()
    libc.malloc.restype = ctypes.c_void_p
    for size in range(2000, 4000):
        libc.malloc(size)
    together.wait()
together = threading.Barrier(9)
for _ in range(8):
    threading.Thread(target=allocate, args=(together,)).start()
together.wait()
together.wait()
libc.malloc_stats()
"""


def heaps(limit: str) -> int:
    command = [sys.executable, "-c", BUSY.format(limit=limit)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr
    return sum(line.startswith("Arena ") for line in said.splitlines())


def test_threads_share_two_heaps() -> None:
    assert heaps("assert arenas.limit()") <= ARENAS == 2 < heaps("")
