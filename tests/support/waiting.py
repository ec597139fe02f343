"""Waits for what comes true by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `holds()`; AssertionError when it never does."""
    try:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError("it did not come true in time") from None
