"""What the stream server does first when a viewer comes: its answer leaves, then the screen is read. And that each
viewer's SCTP association is its own."""

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
    from transom_guest.stream.ending import Ending

    grab, send = Capture._grab, Link.send

    def told_grab(self, key):
        print("grabs", flush=True)
        grab(self, key)

    async def told_send(self, message):
        await send(self, message)
        print("sent", type(message).__name__, flush=True)

    async def told_bring(self, pipeline, webrtc):
        parts = self._decoders + self._encoders
        print("associations", *(part.get_property("sctp-association-id") for part in parts), flush=True)
        await bring(self, pipeline, webrtc)

    bring = Ending.bring
    Capture._grab, Link.send, Ending.bring = told_grab, told_send, told_bring
END
export PYTHONPATH=/tmp/told:$PYTHONPATH
"""
"""The stream server says when it reads the screen, when something of its is on the link, and as a viewer goes by which
numbers its SCTP went."""


async def test_a_viewer_s_answer_is_on_the_link_before_the_screen_is_read(golden_image: GoldenImage) -> None:
    async with stream_lab(golden_image.root(golden_image.digest), TOLD) as lab:
        for epoch in (1, 2):
            before = len(lab.felt)
            viewer = await Viewer(lab, "first", epoch).connect()
            await viewer.close()
            await lab.until(lambda before=before: "grabs" in lab.felt[before:])
            said = [line for line in lab.felt[before:] if line in ("grabs", "sent PeerAnswer")]
            assert said[:2] == ["sent PeerAnswer", "grabs"]
        await lab.until(lambda: len(associations(lab.felt)) >= 3)
        told = associations(lab.felt)
        assert all(len(each) == 2 and each[0] == each[1] for each in told)
        assert len({number for number, _ in told}) == len(told)


def associations(felt: list[str]) -> list[list[str]]:
    """Of each peer that went, the one of nobody that warms the server up among them: its decoder's and encoder's."""
    return [line.split()[1:] for line in felt if line.startswith("associations ")]
