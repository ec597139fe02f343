"""How many heaps glibc keeps for this process's threads: memory that stays flat however many viewers come and go."""

from __future__ import annotations

import ctypes

ARENAS = 2
"""glibc would make eight for each core, and each viewer's twenty threads leave holes in others of them."""
_M_ARENA_MAX = -8


def limit() -> bool:
    """Hold this process to ARENAS, before its threads begin. False when its C library knows no such thing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, ARENAS))
