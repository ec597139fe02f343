"""What the stream server does first when a viewer comes: its answer leaves, then the screen is read."""

from __future__ import annotations

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.stream_lab import stream_lab
from tests.support.stream_viewer import Viewer, loopback_only

__all__ = ["golden_image", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

TOLD = """
mkdir /tmp/told
cat > /tmp/told/sitecustomize.py <<'END'
import sys

if sys.orig_argv[1:3] == ["-m", "transom_guest.stream"]:
    from transom_guest.link import Link
    from transom_guest.stream.capture import Capture

    grab, send = Capture._grab, Link.send

    def told_grab(self, key):
        print("grabs", flush=True)
        grab(self, key)

    async def told_send(self, message):
        await send(self, message)
        print("sent", type(message).__name__, flush=True)

    Capture._grab, Link.send = told_grab, told_send
END
export PYTHONPATH=/tmp/told:$PYTHONPATH
"""
"""The stream server says when it reads the screen, and when something of its is on the link."""


async def test_a_viewer_s_answer_is_on_the_link_before_the_screen_is_read(golden_image: GoldenImage) -> None:
    async with stream_lab(golden_image.root(golden_image.digest), TOLD) as lab:
        for epoch in (1, 2):
            before = len(lab.felt)
            viewer = await Viewer(lab, "first", epoch).connect()
            await viewer.close()
            await lab.until(lambda before=before: "grabs" in lab.felt[before:])
            said = [line for line in lab.felt[before:] if line in ("grabs", "sent PeerAnswer")]
            assert said[:2] == ["sent PeerAnswer", "grabs"]
