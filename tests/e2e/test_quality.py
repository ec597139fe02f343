"""What a real machine's picture was like: a still desktop is no freeze, and the API tells how it was."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.test_connect import FLIP, open_page
from tests.support.browser import BrowserContext
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]
SOON_S = 30


def rows_of(server: Server, session: str) -> list[dict[str, Any]]:
    with server.client() as client:
        viewers = client.get(f"/api/sessions/{session}/quality").json()["viewers"]
    return [row for viewer in viewers for row in viewer["rows"]]


def test_a_real_session_has_figures_while_it_lives_and_after(viewer: BrowserContext, server: Server) -> None:
    session = server.create(start_url=FLIP)["id"]
    server.wait_for(session, "ready")
    page = open_page(viewer, server, session)
    page.locator("#screen").click(position={"x": 300, "y": 400})
    for key in "grgr":
        page.keyboard.press(key)
        page.wait_for_timeout(400)
    page.wait_for_timeout(5000)
    stats = page.evaluate("window.transom.stats()")
    assert stats["freezes"] == 0, "a desktop that stands still is no freeze"
    assert (stats["remote"], stats["transport"]) == ("host", "udp")
    until = time.monotonic() + SOON_S
    while not (rows := rows_of(server, session)):
        assert time.monotonic() < until, "no row came"
        time.sleep(0.5)
    figures = rows[0]["figures"]
    assert rows[0]["rung"] == "webrtc"
    assert figures["fps_most"] > 0 and figures["kbps_most"] > 0 and figures["loss"] < 0.5
    assert 0 < figures["latency_ms"] <= figures["latency_p95_ms"] < 5000, "keys were seen in the picture"
    assert rows[0]["words"]["remote"] == "host"
    page.close()
    with server.client() as client:
        told = client.get("/metrics").text
        assert float(told.split('transom_stream_reports_total{cause="start"} ')[1].split("\n")[0]) > 0
        for why in ("malformed", "floods", "rtcp", "forged"):
            assert f'transom_viewer_messages_dropped_total{{why="{why}"}} 0.0' in told, (
                "a browser means no harm"
            )
        client.delete(f"/api/sessions/{session}")
    server.wait_for(session, "ended")
    assert rows_of(server, session)[0] == rows[0]
