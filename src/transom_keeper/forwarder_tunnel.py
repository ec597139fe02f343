"""A tunnel between two legs: it ends when both sides have, when one breaks, or when it idles."""

from __future__ import annotations

import asyncio
import time

from transom_keeper.forwarder_leg import Count, Joined, Leg


async def tunnel(
    guest: Leg, site: Leg, *, up: Count, down: Count, idle_s: float, half_closed_s: float
) -> str:
    """Carry bytes both ways until both sides have ended, and say how it ended: done, idle or broken.

    A side that ends keeps receiving. `up` and `down` are told of each piece's bytes. `idle_s` bounds a
    silence, `half_closed_s` one after a side has ended. The caller closes the legs.
    """
    joined = Joined(guest, site, up=up, down=down)
    while not joined.done.done():
        limit = half_closed_s if joined.half else idle_s
        left = limit - (time.monotonic() - joined.moved_at)
        if left <= 0:
            return "idle"
        await asyncio.wait((joined.done,), timeout=min(left, half_closed_s))
    return joined.done.result()
