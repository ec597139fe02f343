"""A viewer with Firefox: it draws with `<video>`, and has H.264 only once it has fetched it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.desktop import Desktop, display_of
from tests.support.firefox import Firefox, firefox, own_address
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.machine, pytest.mark.browser]

FIELD = "data:text/html,<title>field</title><textarea autofocus style='width:98%;height:95vh'></textarea>"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server({"TRANSOM_DOOR_ADDRESS": own_address()}) as started:
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]


@pytest.fixture(scope="module")
def session(server: Server) -> str:
    made: str = server.create(start_url=FIELD)["id"]
    server.wait_for(made, "ready")
    return made


@pytest.fixture
def no_session_is_left() -> None:
    """This file's tests share one; it ends with its server."""


def typed(page: Firefox, desktop: Desktop, text: str) -> None:
    page.click(400, 400)
    time.sleep(0.3)
    desktop.clear_field()
    page.type(text)
    page.select_all()  # on the way of the keys, so after them
    desktop.wait(text.encode())


def test_firefox_shows_types_falls_back_and_climbs(server: Server, session: str) -> None:
    with firefox() as page, display_of(server.machine(session)) as display:
        desktop = Desktop(display)
        page.sign_in(server)
        page.goto(f"{server.url}/session/{session}")
        page.wait_rung("webrtc")
        # no button of the browser's own over it, which would take the desktop's clicks
        assert page.evaluate("document.getElementById('screen').matches('video[disablepictureinpicture]')")
        typed(page, desktop, "Zwölf Boxkämpfer: 5 € (a@b) ~")
        page.press("Use noVNC")
        page.wait_rung("vnc")
        typed(page, desktop, "über noVNC: ÄÖÜ @ €")
        page.press("Open VM Desktop (WebRTC)")
        page.wait_rung("webrtc")
        typed(page, desktop, "und zurück")
        page.wait("/Good/.test(document.querySelector('.verdict')?.textContent ?? '')")
        assert not page.errors
    with server.client() as client:
        told = client.get("/metrics").text
    for why in ("malformed", "floods", "rtcp", "forged"):
        assert f'transom_viewer_messages_dropped_total{{why="{why}"}} 0.0' in told, "a browser means no harm"


def test_firefox_without_h264_says_so_on_novnc(server: Server, session: str) -> None:
    with firefox(h264=False) as page:
        page.sign_in(server)
        page.goto(f"{server.url}/session/{session}")
        page.wait_rung("vnc", seconds=10)
        page.wait("/this browser has no H.264/.test(document.querySelector('.verdict')?.textContent ?? '')")
        assert not page.errors
