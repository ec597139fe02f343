"""The page that plays a recording, in Chromium: what went, what comes, and what happened in it."""

from __future__ import annotations

import io
import time
from typing import Any

import av
import pytest

from tests.support.browser import Page
from tests.unit.web.conftest import wait_until
from tests.unit.web.fake_controller import SESSION, FakeController
from tests.unit.web.test_quality import picture

pytestmark = pytest.mark.browser
BEGUN = int(time.time() * 1000) - 60_000


def a_video(seconds: float) -> bytes:
    """H.264 in MP4, ten frames a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame(64, 64, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number * 8 % 256]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def a_segment(number: int, second: float, duration_ms: int) -> dict[str, Any]:
    at = BEGUN + round(second * 1000)
    return {
        "number": number,
        "at": at,
        "duration_ms": duration_ms,
        "width": 64,
        "height": 64,
        "bytes": 900_000,
    }


def record(controller: FakeController, state: str, *segments: dict[str, Any]) -> None:
    controller.recorded = {
        "session": SESSION,
        "policy": "ask",
        "state": state,
        "why": None,
        "unwatched": False,
        "started_at": BEGUN,
        "ended_at": None,
        "bytes": 900_000 * len(segments),
        "most_bytes": 10**9,
        "segments": list(segments),
    }


def a_timeline() -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [
        {"at_ms": BEGUN - 9000, "kind": "segment", "number": 1, "duration_ms": 4000, "bytes": 9},
        {"at_ms": BEGUN, "kind": "dropped", "why": "size", "first": 1, "last": 2},
        {"at_ms": BEGUN, "kind": "rung", "viewer": "a", "rung": "webrtc"},
        {"at_ms": BEGUN + 9000, "kind": "pause", "why": "shown"},
        {"at_ms": BEGUN + 12_000, "kind": "start"},
        {"at_ms": BEGUN + 2000, "kind": "lost", "why": "crashed", "until_ms": BEGUN + 7000},
        {"at_ms": BEGUN + 20_000, "kind": "full"},
    ]
    for second in range(20):
        counts = {"keys": second % 5, "buttons": int(second % 4 == 0), "wheel": 3 * (second > 12)}
        figures = {"kbps": 400 + 90 * (second % 6), "fps": 30 - second}
        lines.append({"at_ms": BEGUN + 1000 * second, "kind": "input", **counts})
        lines.append({"at_ms": BEGUN + 1000 * second, "kind": "quality", "viewer": "a", **figures})
    froze = {"kind": "freeze", "viewer": "a", "freezes": 2, "frozen_ms": 3000, "span_ms": 4000}
    lines.append({"at_ms": BEGUN + 18_000, **froze})
    return lines


def open_recording(page: Page, controller: FakeController) -> None:
    page.goto(f"{controller.url}/session/{SESSION}/recording")
    page.wait_for_function("() => document.getElementById('video').duration > 0", timeout=15_000)


def coloured(page: Page, ms: int, row: int) -> bool:
    """The drawing has something `ms` after the beginning, of 20 s, in a row's lower half."""
    return bool(
        page.evaluate(
            """([share, row]) => {
                const canvas = document.getElementById('line');
                const ratio = canvas.width / canvas.clientWidth;
                const x = (66 + share * (canvas.clientWidth - 66)) * ratio;
                return canvas.getContext('2d').getImageData(x, (row + 3) * ratio, 1, 1).data[3] > 0;
            }""",
            [ms / 20_000, row],
        )
    )


def shown(page: Page) -> int:
    """The number of the segment that is shown."""
    return int(page.evaluate("document.getElementById('video').src.split('/').at(-1)"))


def test_a_segment_that_went_is_said_and_the_next_is_played(page: Page, controller: FakeController) -> None:
    all_of_it = [a_segment(3, 0, 400), a_segment(4, 1, 9000), a_segment(5, 12, 8000)]
    record(controller, "off", *all_of_it)
    controller.timeline = a_timeline()
    controller.segments = {3: a_video(0.4), 5: a_video(1)}
    open_recording(page, controller)
    page.get_by_role("button", name="0:00, under 1 s").wait_for(timeout=5000)
    gaps = page.locator("#pauses").inner_text()
    assert "Segments 1 to 2" in gaps and "went for newer ones: the recording had its most bytes" in gaps
    assert "0:09, paused, 3 s: a page to sign in at was shown" in gaps
    assert "0:02, lost, 5 s at most: the desktop's stream server had to be started again" in gaps
    assert "0:20: from here on nothing is told" in gaps
    picture(page, "recording")
    assert coloured(page, 16_500, 179) and not coloured(page, 12_500, 179), "frozen, where it was"
    record(controller, "off", all_of_it[0], all_of_it[2])
    page.evaluate("void document.getElementById('video').play()")
    page.locator("#gone").get_by_text("0:01, 9 s: this is gone, for newer segments.").wait_for(timeout=15_000)
    wait_until(lambda: shown(page) == 5, "the next that is there")
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.2", timeout=10_000)
    page.set_viewport_size({"width": 390, "height": 1200})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    picture(page, "recording-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_recording_that_goes_on_is_listed_anew_and_what_plays_stays(
    page: Page, controller: FakeController
) -> None:
    first, second = a_segment(1, 0, 9000), a_segment(2, 9, 2000)
    record(controller, "on", first)
    controller.segments = {1: a_video(9), 2: a_video(2)}
    open_recording(page, controller)
    page.get_by_role("button", name="0:00, 9 s").focus()
    page.evaluate(
        """() => {
            const video = document.getElementById('video');
            const stirred = (event) => (window.stirred = event.type);
            for (const kind of ['loadstart', 'pause', 'seeking']) video.addEventListener(kind, stirred);
            void video.play();
        }"""
    )
    record(controller, "on", first, second)
    page.get_by_role("button", name="0:09, 2 s").wait_for(timeout=15_000)
    assert shown(page) == 1 and page.evaluate("document.getElementById('video').currentTime") > 0.5
    assert page.evaluate("window.stirred ?? ''") == "", "what plays was left alone"
    assert page.evaluate("document.activeElement.textContent") == "0:00, 9 s"
