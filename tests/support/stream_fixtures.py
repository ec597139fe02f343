"""What a test of the stream server over the golden image begins with: import these where they are used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.stream_lab import StreamLab, stream_lab
from tests.support.stream_viewer import Viewer, loopback_only

__all__ = ["golden_image", "join", "lab", "loopback_only", "viewer", "viewers"]


@pytest.fixture
async def lab(golden_image: GoldenImage) -> AsyncIterator[StreamLab]:
    """The stream server, in a sandbox."""
    async with stream_lab(golden_image.root(golden_image.digest)) as running:
        yield running


@pytest.fixture
async def viewers(lab: StreamLab) -> AsyncIterator[AsyncExitStack]:
    """Closes those who joined."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def viewer(lab: StreamLab, viewers: AsyncExitStack) -> Viewer:
    """The first."""
    return await join(lab, viewers, "first")


async def join(lab: StreamLab, viewers: AsyncExitStack, name: str, epoch: int = 1) -> Viewer:
    """A viewer that sees the desktop."""
    made = Viewer(lab, name, epoch)
    viewers.push_async_callback(made.close)
    return await made.connect()
