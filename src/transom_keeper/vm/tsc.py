"""The host's time stamp counter: how fast it counts.

A guest under emulation reads the host's own counter, but cannot find out its rate: the timers it would compare
with are emulated too, and four boots of five hung in the attempt. So the kernel is told.
"""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Callable
from pathlib import Path

SAMPLE_SECONDS = 0.1
"""Ten clock readings of a microsecond's error each are a few millionths of it."""
TRIES = 9
_READ_COUNTER = bytes.fromhex("0f31 48c1e220 4809d0 c3")
"""x86_64: rdtsc; shl rdx, 32; or rax, rdx; ret."""


def measure_khz(cpuinfo: Path = Path("/proc/cpuinfo")) -> int:
    """Counts a millisecond, measured; where no code may be made at run time, what /proc/cpuinfo says.

    Raises OSError when neither can be had.
    """
    try:
        with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
            page.write(_READ_COUNTER)
            place = ctypes.c_char.from_buffer(page)
            read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(place))
            try:
                return _sample(read)
            finally:
                del read, place
    except OSError:
        return stated_khz(cpuinfo.read_text())


def _sample(read: Callable[[], int]) -> int:
    began, first = _reading(read)
    time.sleep(SAMPLE_SECONDS)
    ended, last = _reading(read)
    return (last - first) * 1_000_000 // (ended - began)


def _reading(read: Callable[[], int]) -> tuple[int, int]:
    """(nanoseconds, counts) of one moment: the try that was least interrupted."""
    tries = []
    for _ in range(TRIES):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        counts = read()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        tries.append((after - before, (before + after) // 2, counts))
    _, moment, counts = min(tries)
    return moment, counts


def stated_khz(cpuinfo: str) -> int:
    """The first `cpu MHz` in /proc/cpuinfo's text. Raises OSError when there is none."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "cpu MHz":
            return int(float(value) * 1000)
    raise OSError("the host does not say how fast its time stamp counter counts")
