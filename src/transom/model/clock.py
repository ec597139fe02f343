"""Time as the product counts it: Unix milliseconds, from one replaceable place."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds."""


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds of a clock that nobody sets and that stands while the host sleeps: for silence and deadlines that no
    restart has to know."""
    return time.monotonic_ns() // 1_000_000
