from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, stage_standin, state_folder

__all__ = ["golden_image"]


@pytest.fixture(scope="session")
def standin() -> Iterator[Path]:
    """Guest code whose boot has no desktop, staged once."""
    import shutil

    state = state_folder()
    yield stage_standin(state)
    shutil.rmtree(state)


@pytest.fixture
async def lab(golden_image: GoldenImage, standin: Path) -> AsyncIterator[Lab]:
    """A driver with a folder of its own; whatever a test leaves running is ended."""
    made = Lab(state_folder(), golden_image, standin)
    yield made
    await made.close()
