"""The picture's figures: the panel while it lives, what heartbeats carry, and the charts once it is over."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Page, wait_rung
from tests.unit.web.conftest import open_session, wait_until
from tests.unit.web.fake_controller import SESSION, FakeController
from transom.api.quality import row_of
from transom.api.quality_bodies import QualityView, Summary
from transom.model.quality import QualityRow, candidates

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("TRANSOM_TEST_PICTURES")
"""A folder for pictures of what was seen, for people. Unset: none are taken."""


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def summaries(controller: FakeController) -> list[Summary]:
    """What heartbeats carried, held to what the API takes."""
    said = [beat["quality"] for beat in controller.heartbeats if "quality" in beat]
    return [Summary.model_validate(one) for one in said]


def test_the_panel_and_what_is_told_of_it(page: Page, controller: FakeController) -> None:
    controller.ready()
    open_session(page, controller)
    wait_rung(page, "webrtc")
    panel = page.locator("#quality")
    panel.get_by_text("Good", exact=True).wait_for(timeout=15_000)
    assert panel.locator("path[d^=M]").count() == 0, "nothing is drawn while it is closed"
    panel.locator("summary").focus()
    page.keyboard.press("Enter")
    wait_until(lambda: panel.locator("path.spark-line[d^=M]").count() >= 4, "lines")
    frames = panel.get_by_role("img", name="Frames, last two minutes")
    assert "fps" in str(frames.get_attribute("aria-label"))
    assert panel.locator(".figure").filter(has_text="Bitrate").inner_text().endswith("kbit/s")
    assert "host" in panel.locator(".facts").inner_text()
    controller.guest.say(["rate", 640, 20, 100, "delay"])
    panel.get_by_text("The network is slow: 640 kbit/s").wait_for(timeout=10_000)
    page.evaluate("window.transom.use('vnc')")
    wait_rung(page, "vnc")
    panel.get_by_text("By noVNC, as you chose").wait_for(timeout=10_000)
    wait_until(lambda: "noVNC" in panel.locator("p").inner_text(), "the mark's word")
    wait_until(lambda: summaries(controller), "a summary")
    first = summaries(controller)[0]
    assert first.rung == "webrtc", "told as the rung changed"
    assert first.fps is not None and first.fps > 5
    assert (first.remote, first.transport, first.freezes) == ("host", "udp", 0)
    wait_until(lambda: any(one.rung == "vnc" for one in summaries(controller)), "the next rung's", 15)
    picture(page, "quality-panel")
    page.set_viewport_size({"width": 390, "height": 1500})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    picture(page, "quality-panel-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_inputs_way_to_the_picture_is_measured(page: Page, controller: FakeController) -> None:
    guest = controller.guest
    controller.ready()
    open_session(page, controller)
    wait_rung(page, "webrtc")
    page.locator("#quality .verdict").wait_for(timeout=15_000)
    page.locator("#screen").focus()
    page.keyboard.press("g")
    wait_until(lambda: guest.got("k"), "the key")
    guest.say(["mark", guest.got("k")[0][1], guest.rtp_time() + 4500, 3.5, 1, 2])
    wait_until(lambda: page.evaluate("window.transom.stats()")["latency_ms"], "a latency")
    stats = page.evaluate("window.transom.stats()")
    assert 6.5 <= stats["latency_ms"] < 5000
    assert (stats["latency"]["act_ms"], stats["latency"]["grab_ms"], stats["latency"]["send_ms"]) == (
        3.5,
        1,
        2,
    )
    page.locator("#quality summary").click()
    page.locator("#quality").get_by_role("img", name="Input to picture").wait_for(timeout=10_000)
    wait_until(lambda: any(one.latencies_ms for one in summaries(controller)), "it is told", 15)
    assert sum(len(one.latencies_ms) for one in summaries(controller)) == 1, "each once"


def test_a_picture_that_stands_still_though_frames_are_due(page: Page, controller: FakeController) -> None:
    controller.ready()
    open_session(page, controller)
    wait_rung(page, "webrtc")
    wait_until(lambda: page.evaluate("window.transom.stats()")["frames"] > 20, "frames")
    assert page.evaluate("window.transom.stats()")["freezes"] == 0
    controller.guest.frozen = True
    page.wait_for_timeout(2000)
    controller.guest.say(["mark", 1, 2, 3, 4, 5])
    wait_until(lambda: page.evaluate("window.transom.stats()")["freezes"] == 1, "the freeze")
    controller.guest.frozen = False
    assert page.evaluate("window.transom.stats()")["frozen_ms"] > 400


def the_way(n: int, *, by_relay: bool) -> dict[str, Any]:
    """What WebRTC alone knows of the network."""
    rtt = (70 if by_relay else 18) + n % 7
    far = {"local": "relay", "transport": "tls"} if by_relay else {"local": "prflx", "transport": "udp"}
    figures = {"rtt_ms": rtt, "rtt_most_ms": 2 * rtt, "jitter_ms": 2 + n % 3, "jitter_most_ms": 9}
    return {**far, **figures, "remote": "host", "loss": 0.06 if 50 < n < 60 else 0.001}


def a_life() -> dict[str, Any]:
    """Half an hour of two viewers, one of them down the ladder and up again."""
    begun = int(time.time() * 1000) - 1_800_000
    viewers = []
    for name, minutes in (("one", 30), ("two", 12)):
        rows, kept = list[dict[str, Any]](), list[QualityRow]()
        for n in range(minutes * 6):
            rung = "vnc" if 60 < n < 80 else "webrtc-relay" if 80 <= n < 100 else "webrtc"
            fps = 8 if rung == "vnc" else 28 + n % 5
            summary = Summary(
                seconds=10,
                rung=rung,
                fps=fps,
                fps_least=1,
                fps_most=fps + 6,
                kbps=700 + 40 * (n % 17),
                kbps_most=1900 + n,
                freezes=int(n == 60),
                frozen_ms=900,
                **({} if rung == "vnc" else the_way(n, by_relay=rung == "webrtc-relay")),
                latencies_ms=()
                if rung == "vnc"
                else tuple(float(25 + n % 9 + extra) for extra in (0, 3, 30)),
            )
            row = row_of(SESSION, name, summary, begun + (n + 1) * 10_000)
            kept.append(row)
            rows.append(
                {"at": row.at, "seconds": 10, "rung": rung, "figures": row.figures, "words": row.words}
            )
        viewers.append({"viewer": name, "rows": rows, "changes": [], "candidates": candidates(kept)})
    view = QualityView.model_validate({"session": SESSION, "viewers": viewers})
    return view.model_dump()


def test_how_it_was_once_it_is_over(page: Page, controller: FakeController) -> None:
    controller.quality = a_life()
    controller.change(state="ended", reason="stopped")
    page.goto(f"{controller.url}/dashboard/remote-cli")
    page.get_by_role("link", name="How it was").click()
    charts = page.locator("#charts")
    charts.get_by_role("heading", name="How the picture was").wait_for(timeout=15_000)
    assert charts.get_by_role("heading", name="Viewer 2").is_visible()
    one = charts.get_by_role("region", name="Viewer 1")
    for chart in ("Input to picture", "Frames a second", "Bitrate", "Loss", "Jitter", "Round trip"):
        label = one.get_by_role("img", name=chart).get_attribute("aria-label")
        assert label and "median" in label
    assert one.get_by_role("img", name="WebRTC, then noVNC, then WebRTC by relay, then WebRTC").count() == 1
    assert "Watched for 30 min" in one.inner_text()
    assert "Candidates: prflx to host, UDP (88 %); relay to host, TLS (12 %)" in one.inner_text()
    assert page.get_by_role("heading", name="The session has ended").is_visible()
    picture(page, "quality-charts")
    page.set_viewport_size({"width": 390, "height": 1400})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    picture(page, "quality-charts-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_session_that_nobody_watched(page: Page, controller: FakeController) -> None:
    controller.change(state="ended", reason="idle")
    open_session(page, controller)
    page.get_by_text("Nobody watched long enough to tell.").wait_for(timeout=15_000)
    assert page.locator("#quality").is_hidden()
