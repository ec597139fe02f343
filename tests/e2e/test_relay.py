"""A viewer whose network takes no UDP to the door: the same picture by a real TURN server over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, signed_in, wait_rung
from tests.support.server import Server, running_server
from tests.support.turn_server import coturn

pytestmark = [pytest.mark.machine, pytest.mark.browser]

ONLY_RELAY = """
const Real = RTCPeerConnection;
window.RTCPeerConnection = function (configuration, ...rest) {
    return new Real({...configuration, iceTransportPolicy: 'relay'}, ...rest);
};
window.RTCPeerConnection.prototype = Real.prototype;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with coturn() as turn:
        settings = {
            "TRANSOM_TURN_URLS": f"turn:127.0.0.1:{turn.port}?transport=tcp",
            "TRANSOM_TURN_SECRET_FILE": str(turn.secret_file),
        }
        with running_server(settings) as started:
            yield started


def test_a_viewer_behind_a_relay_sees_the_desktop(browser: Browser, server: Server) -> None:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    with server.client() as client:
        (relay,) = client.get("/api/webrtc/ice-servers").json()["ice_servers"]
    assert relay["username"].split(":")[0].isdigit()
    assert relay["credential"]
    with signed_in(browser, server) as viewer:
        page = viewer.new_page()
        page.add_init_script(ONLY_RELAY)
        page.goto(f"{server.url}/session/{session}")
        wait_rung(page, "webrtc-relay", seconds=30)
