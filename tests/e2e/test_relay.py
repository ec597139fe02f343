"""A viewer whose network takes no UDP to the door: the same picture by a real TURN server, and the way back from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import test_connect_check as command
from tests.e2e.test_ladder import (
    DESKTOP,
    HELD,
    LOOSE,
    MADE,
    MOST_MS,
    SLACK_MS,
    WATCH,
    door_port,
    see,
    stood,
)
from tests.support.browser import Browser, BrowserContext, Page, Route, chromium, signed_in, wait_rung
from tests.support.cut import udp_cut
from tests.support.server import Server, running_server
from tests.support.turn_server import TurnServer, coturn

pytestmark = [pytest.mark.machine, pytest.mark.browser]

ONLY_RELAY = """
const Real = RTCPeerConnection;
window.RTCPeerConnection = function (configuration, ...rest) {
    return window.made = new Real({...configuration, iceTransportPolicy: 'relay'}, ...rest);
};
window.RTCPeerConnection.prototype = Real.prototype;
"""
TRANSPORT = """async () => {
    const report = [...(await window.made.getStats()).values()];
    const find = id => report.find(one => one.id === id);
    const pair = find(report.find(one => one.type === 'transport').selectedCandidatePairId);
    return find(pair.localCandidateId).relayProtocol;
}"""
"""How the browser speaks to the relay it uses."""


@pytest.fixture(scope="module")
def turn() -> Iterator[TurnServer]:
    with coturn() as started:
        yield started


@pytest.fixture(scope="module")
def server(turn: TurnServer) -> Iterator[Server]:
    settings = {
        "TRANSOM_TURN_URLS": ",".join(turn.urls),
        "TRANSOM_TURN_SECRET_FILE": str(turn.secret_file),
    }
    with running_server(settings) as started:
        yield started


@pytest.fixture(scope="module")
def session(server: Server) -> str:
    made: str = server.create(start_url=DESKTOP)["id"]
    server.wait_for(made, "ready")
    return made


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    """One machine for the whole file: the end of the server takes it away."""
    yield


@pytest.fixture(scope="module")
def browser(turn: TurnServer) -> Iterator[Browser]:
    """One that trusts the relay's key."""
    with chromium(f"--ignore-certificate-errors-spki-list={turn.key_pin}") as started:
        yield started


@pytest.fixture
def viewer(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    with signed_in(browser, server) as context:
        yield context


def offer_only(page: Page, url: str) -> None:
    """Let the page know of no relay but this one."""

    def only(route: Route) -> None:
        found = route.fetch().json()
        for one in found["ice_servers"]:
            one["urls"] = [each for each in one["urls"] if each == url]
        route.fulfill(json=found)

    page.route("**/api/webrtc/ice-servers", only)


def by_relay(viewer: BrowserContext, server: Server, session: str, url: str) -> str:
    """See the desktop by the relay of `url` alone; how the browser speaks to it."""
    page: Page = viewer.new_page()
    page.add_init_script(ONLY_RELAY)
    offer_only(page, url)
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc-relay", seconds=30)
    spoken: str = page.evaluate(TRANSPORT)
    page.close()
    return spoken


def test_a_viewer_behind_a_relay_sees_the_desktop(
    viewer: BrowserContext, server: Server, session: str, turn: TurnServer
) -> None:
    with server.client() as client:
        (relay,) = client.get("/api/webrtc/ice-servers").json()["ice_servers"]
    assert relay["username"].split(":")[0].isdigit()
    assert relay["credential"]
    _, tcp, tls = turn.urls
    assert by_relay(viewer, server, session, tcp) == "tcp"
    assert by_relay(viewer, server, session, tls) == "tls"


def test_the_command_reaches_the_door_by_each_relay_and_names_the_addresses(
    server: Server, session: str, turn: TurnServer
) -> None:
    code, found = command.told(server, session, SSL_CERT_FILE=str(turn.authority))
    assert (code, found["standing"]) == (0, "ok"), found
    assert all(look["works"] for look in found["looks"]) and len(found["looks"]) == 7, found
    port = command.door_port(found)
    with udp_cut(port, spared=turn.relays):
        code, found = command.told(server, session, SSL_CERT_FILE=str(turn.authority))
    assert (code, found["standing"]) == (0, "weak"), found
    assert {look["what"] for look in found["looks"] if not look["works"]} == {"udp"}, found
    for look in found["looks"]:
        if look["what"].startswith("turn"):
            _relay, relayed, door = look["detail"].split(", ")[0].split(" -> ")
            assert int(relayed.rpartition(":")[2]) in turn.relays
            assert int(door.rpartition(":")[2]) == port
            assert look["detail"] in found["verdict"]


def test_udp_is_cut_a_relay_by_tcp_takes_over_and_is_left_when_udp_is_there_again(
    viewer: BrowserContext, server: Server, session: str, turn: TurnServer
) -> None:
    page = viewer.new_page()
    page.add_init_script(MADE)
    offer_only(page, turn.urls[1])
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc")
    page.evaluate(WATCH)
    page.locator("#screen").click(position={"x": 300, "y": 500})
    page.wait_for_timeout(1500)
    page.keyboard.down("Shift")
    see(page, HELD)
    page.evaluate("seen.longest = 0")
    with udp_cut(door_port(server, session), spared=turn.relays):
        wait_rung(page, "vnc")
        wait_rung(page, "webrtc-relay", seconds=30)
        assert stood(page) < MOST_MS + SLACK_MS
        assert page.evaluate(TRANSPORT) == "tcp"
        page.keyboard.up("Shift")
        see(page, LOOSE)
        page.evaluate("seen.longest = 0")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_rung(page, "webrtc", seconds=30)
    assert stood(page) < MOST_MS + SLACK_MS
    assert page.evaluate("window.seen !== undefined"), "the page was not reloaded"
    page.close()
