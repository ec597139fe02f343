"""What the desktop plays is heard in the viewer's browser, a still desktop sends no sound, and a microphone is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from tests.support.browser import Browser, Page, chromium, signed_in, wait_rung
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.machine, pytest.mark.browser]

ORGAN = "data:text/html," + quote(
    "<title>organ</title><body style='margin:0;background:rgb(200,30,30)'><script>"
    "onmousedown = () => { const a = new AudioContext(), o = a.createOscillator(); o.connect(a.destination);"
    "o.start(); o.stop(a.currentTime + 3); o.onended = () => a.close(); }</script>"
)
KEEP = """const Own = RTCPeerConnection; window.made = [];
window.RTCPeerConnection = class extends Own { constructor(...a) { super(...a); window.made.push(this); } };"""
HEARD = """async () => {
  const found = {packets: 0, energy: 0};
  for (const each of window.made) for (const s of (await each.getStats()).values())
    if (s.type === 'inbound-rtp' && s.kind === 'audio') {
      found.packets += s.packetsReceived; found.energy += s.totalAudioEnergy ?? 0; }
  return found; }"""


FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A microphone that beeps, and a person who allows it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*FAKE) as started:
        yield started


def heard(page: Page) -> dict[str, float]:
    found: dict[str, float] = page.evaluate(HEARD)
    return found


@contextmanager
def watched(browser: Browser, server: Server, **session: str) -> Iterator[Page]:
    """The page of a new session, with its picture there; `window.made` has its connections."""
    made = server.create(**session)["id"]
    server.wait_for(made, "ready")
    with signed_in(browser, server) as viewer:
        page = viewer.new_page()
        page.add_init_script(KEEP)
        page.goto(f"{server.url}/session/{made}")
        wait_rung(page, "webrtc")
        yield page


@contextmanager
def watcher(browser: Browser, server: Server, page: Page) -> Iterator[Page]:
    """The page of somebody who came by a link and may only watch."""
    session = page.url.rsplit("/", 1)[-1]
    with server.client() as client:
        url = client.post(f"/api/sessions/{session}/links", json={"kind": "view"}).json()["url"]
    context = browser.new_context()
    try:
        guest = context.new_page()
        guest.add_init_script(KEEP)
        guest.goto(server.url + url)
        guest.get_by_role("button", name="Sound is on").wait_for()
        # a browser plays nothing before that
        guest.mouse.click(200, 300)
        yield guest
    finally:
        context.close()


def test_a_tone_is_heard_and_then_nothing_is_sent(browser: Browser, server: Server) -> None:
    with watched(browser, server, start_url=ORGAN) as page:
        page.get_by_role("button", name="Sound is on").wait_for()
        assert heard(page)["packets"] == 0
        with watcher(browser, server, page) as guest:
            page.locator("#screen").click(position={"x": 300, "y": 400})
            for _ in range(100):
                if heard(page)["energy"] > 0.001 and heard(guest)["energy"] > 0.001:
                    break
                page.wait_for_timeout(100)
            assert heard(page)["energy"] > 0.001, heard(page)
            assert heard(guest)["energy"] > 0.001, heard(guest)
            assert guest.get_by_role("button", name="Paste").count() == 0, "who only watches has sound alone"
        assert page.get_by_role("button", name="Microphone").count() == 0
        for _ in range(20):
            before = heard(page)["packets"]
            page.wait_for_timeout(1000)
            if heard(page)["packets"] == before:
                break
        assert heard(page)["packets"] == before
        page.get_by_role("button", name="Sound is on").click()
        page.get_by_role("button", name="Sound is off").wait_for()


SPOKEN = """async () => {
  let packets = 0;
  for (const each of window.made) for (const s of (await each.getStats()).values())
    if (s.type === 'outbound-rtp' && s.kind === 'audio') packets += s.packetsSent;
  return packets; }"""


def test_a_microphone_is_opened_by_its_button_and_sent(browser: Browser) -> None:
    with running_server({"TRANSOM_MICROPHONE": "true"}) as server:
        with watched(browser, server) as page:
            page.get_by_role("button", name="Microphone is off").click()
            page.get_by_role("button", name="Microphone is on").click(trial=True)
            for _ in range(50):
                if page.evaluate(SPOKEN) > 10:
                    break
                page.wait_for_timeout(100)
            assert page.evaluate(SPOKEN) > 10
            page.get_by_role("button", name="Microphone is on").click()
            page.get_by_role("button", name="Microphone is off").click(trial=True)
        server.end_all()
