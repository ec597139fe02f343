"""A desktop that is resized all day: the display keeps no more modes and no more memory than at first."""

from __future__ import annotations

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.stream_lab import stream_lab

__all__ = ["golden_image"]
pytestmark = pytest.mark.machine

SIZES, WARM, RESIZES = 50, 70, 200
"""Memory is looked at first when all sizes have been there once: the display's heap is what the largest needs."""
MOST_KIB = 256
RESIZER = f"""
(python3 - <<'END'
import asyncio, os, subprocess
from pathlib import Path
from transom_guest.desktop import display

async def main():
    await display.wait_up(os.environ["DISPLAY"])
    [folder] = [one.parent for one in Path("/proc").glob("[0-9]*/comm") if one.read_text() in ("Xorg\\n", "Xvnc\\n")]
    for turn in range({WARM + RESIZES + 1}):
        size = await display.set_size(600 + 2 * (turn % {SIZES}), 500)
        if turn % {RESIZES} == {WARM}:
            listed = subprocess.run(["xrandr", "--query"], capture_output=True, text=True, check=True).stdout
            rows = (folder / "smaps_rollup").read_text().splitlines()
            held = next(row.split()[1] for row in rows if row.startswith("Anonymous:"))
            right = f"current {{size[0]}} x {{size[1]}}," in listed
            print("resized", right, len(listed.splitlines()), held, flush=True)

asyncio.run(main())
END
) &
"""


async def test_two_hundred_sizes_leave_the_displays_modes_and_memory_as_they_were(
    golden_image: GoldenImage,
) -> None:
    async with stream_lab(golden_image.root(golden_image.digest), RESIZER) as lab:
        await lab.until(lambda: sum(line.startswith("resized") for line in lab.felt) == 2, seconds=90)
        before, after = (line.split()[1:] for line in lab.felt if line.startswith("resized"))
    assert before[0] == after[0] == "True", "it has the size that was wanted last"
    assert int(after[1]) == int(before[1]) < 60, "lines of its modes"
    assert int(after[2]) - int(before[2]) < MOST_KIB, (before, after)
