"""An owner, and somebody who came by a link, in two browsers: one drives, and neither page decides which."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.test_connect import FLIP, near, open_page, wait_colour
from tests.support.browser import Browser, BrowserContext, Error, Page, expect, picture_colour, wait_rung
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]

RED, GREEN = (200, 30, 30), (30, 160, 60)
BRIEF_S = 16
"""Seconds of a link: for a second guest to come on a busy host, and a while more."""
CHANNELS = """
    window.channels = [];
    const make = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (...how) {
        const channel = make.apply(this, how);
        window.channels.push(channel);
        return channel;
    };
"""
BY_CHANNEL = """() => {
    const open = window.channels.filter(({ readyState }) => readyState === 'open');
    for (const channel of open)
        for (const [seq, down] of [[1e6, 1], [1e6 + 1, 0]]) channel.send(JSON.stringify(['k', seq, 0x67, down]));
    return open.length;
}"""
LINGERS = """
    window.keptOpen = new Set();
    const make = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (...how) {
        window.keptOpen.add(this);
        return make.apply(this, how);
    };
"""
LEAVES = """(peer) => {
    // a page that lets go of no connection, and tells the server of nothing else
    RTCPeerConnection.prototype.close = WebSocket.prototype.send = () => undefined;
    return fetch(`/api${location.pathname}/seats`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ do: 'leave', peer }),
    }).then(({ status }) => status);
}"""
FRAMES = """async () => {
    let frames = 0;
    for (const connection of window.keptOpen)
        for (const one of (await connection.getStats()).values())
            if (one.type === 'inbound-rtp' && one.kind === 'video') frames += one.framesReceived || 0;
    return frames;
}"""
BY_RFB = """() => new Promise((done) => {
    const url = `${location.origin.replace('http', 'ws')}/api${location.pathname}/vnc?peer=evil`;
    const socket = new WebSocket(url, ['binary']);
    socket.binaryType = 'arraybuffer';
    const key = (down) => [4, down, 0, 0, 0, 0, 0, 0x67];
    const hello = [...new TextEncoder().encode('RFB 003.008\\n'), 1, 1];
    let heard = 0;
    socket.onmessage = ({ data }) => {
        if (!heard) socket.send(new Uint8Array([...hello, ...key(1), ...key(0)]));
        heard += data.byteLength;
        // the greeting, one security type, its result, and what the display is like
        if (heard > 40) setTimeout(() => socket.send(new Uint8Array([7, 7])), 300);
    };
    socket.onclose = ({ code, reason }) => done([code, reason]);
})"""


@contextmanager
def guest_of(browser: Browser, url: str, script: str = CHANNELS) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    try:
        context.add_init_script(script)
        page = context.new_page()
        page.goto(url)
        yield page
    finally:
        context.close()


def press(page: Page, key: str) -> None:
    """Of a picture that is changed for another just now there is none for a moment."""
    end = time.monotonic() + 20
    while True:
        try:
            page.locator("#screen").click(position={"x": 300, "y": 400}, force=True)
            break
        except Error as error:
            if "not visible" not in error.message or time.monotonic() > end:
                raise
            page.wait_for_timeout(50)
    page.keyboard.press(key)


FOCUSED = "document.activeElement.id"


def has_what_who_drives_needs(guest: Page) -> None:
    """Its own clipboard, sound, and ways past a desktop that takes the keyboard; the desktop is red."""
    expect(guest.locator("#clipboard")).to_be_visible()
    expect(guest.locator("#sound")).to_be_visible()
    guest.evaluate("navigator.clipboard.writeText('g')")
    guest.get_by_role("button", name="Paste", exact=True).click()
    wait_colour(guest, GREEN)
    press(guest, "r")
    wait_colour(guest, RED)
    guest.keyboard.press("Control+Alt+Shift")
    assert guest.evaluate(FOCUSED) == "use-vnc", "the keyboard is the page's again"
    for _ in range(12):
        if guest.evaluate(FOCUSED) == "skip":
            break
        guest.keyboard.press("Tab")
    guest.keyboard.press("Enter")
    assert guest.evaluate(FOCUSED) == "side", "past the desktop, which takes each Tab"


def stays(page: Page, colour: tuple[int, int, int]) -> None:
    page.wait_for_timeout(400)
    assert near(picture_colour(page, 0.5, 0.7), colour)


def test_a_guest_watches_asks_drives_and_is_sent_away(
    browser: Browser, viewer: BrowserContext, server: Server
) -> None:
    session = server.create(start_url=FLIP)["id"]
    server.wait_for(session, "ready")
    owner = open_page(viewer, server, session)
    wait_colour(owner, RED)
    owner.get_by_text("Invite somebody").click()
    owner.get_by_label("Name", exact=True).fill("Bob")
    owner.get_by_label("May", exact=True).select_option("ask")
    owner.get_by_role("button", name="Make a link").click()
    url = owner.get_by_label("The link", exact=True).input_value()

    with guest_of(browser, url) as guest:
        wait_rung(guest, "webrtc")
        expect(guest.locator("#quality .verdict")).to_be_visible(timeout=20_000)
        assert "#" not in guest.url
        wait_colour(guest, RED)
        expect(guest.get_by_text("You are watching.")).to_be_visible()

        # neither its keys nor what a page of its own making sends moves anything
        press(guest, "g")
        assert guest.evaluate(BY_CHANNEL) >= 2
        assert guest.evaluate(BY_RFB) == [4400, "a watcher does not say that: an unknown message"]
        stays(owner, RED)
        press(owner, "g")
        wait_colour(owner, GREEN)
        wait_colour(guest, GREEN)

        # asked, given
        guest.locator("#banner").get_by_role("button", name="Ask to drive").click()
        expect(owner.get_by_text("Bob asks to drive.")).to_be_visible()
        owner.locator("#banner").get_by_role("button", name="Give").click()
        expect(guest.locator("#banner")).to_be_hidden()
        press(guest, "r")
        wait_colour(guest, RED)
        press(owner, "g")
        stays(owner, RED)
        has_what_who_drives_needs(guest)

        # taken back, and by noVNC it is the same
        guest.get_by_role("button", name="Use noVNC").click()
        wait_rung(guest, "vnc")
        press(guest, "g")
        wait_colour(guest, GREEN)
        owner.locator("#banner").get_by_role("button", name="Take the keyboard").click()
        expect(guest.get_by_text("You are watching.")).to_be_visible()
        press(guest, "r")
        stays(guest, GREEN)
        press(owner, "r")
        wait_colour(owner, RED)
        wait_colour(guest, RED)

        # sent away
        owner.get_by_role("button", name="Withdraw").click()
        expect(guest.get_by_text("This link was withdrawn.")).to_be_visible()
        expect(owner.get_by_text("Bob", exact=True)).to_have_count(0)

    sees_no_more_once_it_left(browser, server, session, owner)
    with server.client() as client:
        made = client.post(f"/api/sessions/{session}/links", json={"kind": "view", "seconds": 5}).json()
    with guest_of(browser, server.url + made["url"]) as guest:
        wait_rung(guest, "webrtc")
        expect(guest.get_by_text(re.compile("This link has expired"))).to_be_visible(timeout=8000)
        guest.goto(server.url + made["url"])
        expect(guest.get_by_text(re.compile("This link has expired"))).to_be_visible()
    press(owner, "g")
    wait_colour(owner, GREEN)


def sees_no_more_once_it_left(browser: Browser, server: Server, session: str, owner: Page) -> None:
    """Somebody who came by a link leaves the list, whose page goes on watching as far as it can."""
    with server.client() as client:
        made = client.post(f"/api/sessions/{session}/links", json={"kind": "view"}).json()
        with guest_of(browser, server.url + made["url"], LINGERS) as guest:
            wait_rung(guest, "webrtc")
            there = client.get(f"/api/sessions/{session}/seats").json()["viewers"]
            (peer,) = (viewer["peer"] for viewer in there if viewer["kind"] == "view")
            for path in ("**/heartbeat", "**/offer"):
                guest.route(path, lambda route: route.abort())
            before = guest.evaluate(FRAMES)
            press(owner, "g")
            wait_colour(owner, GREEN)
            owner.wait_for_timeout(300)
            assert guest.evaluate(FRAMES) > before
            assert guest.evaluate(LEAVES, peer) == 200
            assert client.delete(f"/api/sessions/{session}/links/{made['id']}").status_code == 204
            owner.wait_for_timeout(300)
            before = guest.evaluate(FRAMES)
            press(owner, "r")
            wait_colour(owner, RED)
            owner.wait_for_timeout(300)
            assert guest.evaluate(FRAMES) == before


def test_who_drives_and_which_links_are_over_outlive_a_killed_controller(
    browser: Browser, viewer: BrowserContext, server: Server
) -> None:
    session = server.create(start_url=FLIP)["id"]
    server.wait_for(session, "ready")
    owner = open_page(viewer, server, session)
    with server.client() as client:
        links = f"/api/sessions/{session}/links"
        asking = client.post(links, json={"kind": "ask", "label": "Bob"}).json()["url"]
        brief = client.post(links, json={"kind": "view", "label": "Eve", "seconds": BRIEF_S}).json()["url"]
        over = time.monotonic() + BRIEF_S + 1
    with guest_of(browser, server.url + asking) as guest, guest_of(browser, server.url + brief) as other:
        wait_rung(guest, "webrtc")
        wait_rung(other, "webrtc")
        owner.locator("#viewers li", has_text="Bob").get_by_role("button", name="Let drive").click()
        expect(guest.locator("#banner")).to_be_hidden()
        press(guest, "g")
        wait_colour(owner, GREEN)
        server.kill()
        press(owner, "r")
        stays(owner, GREEN)
        press(guest, "r")
        wait_colour(owner, RED)
        # the second link expires meanwhile, and nobody is there to say so
        other.wait_for_timeout(max(0, over - time.monotonic()) * 1000)
        server.start()
        expect(other.get_by_text("This link has expired.")).to_be_visible(timeout=20_000)
        guest.wait_for_function("window.transom.state === 'live'")
        expect(owner.locator("#viewers > .viewers li", has_text="Eve")).to_have_count(0, timeout=20_000)
        press(owner, "g")
        stays(owner, RED)
        press(guest, "g")
        wait_colour(owner, GREEN)
        owner.locator("#banner").get_by_role("button", name="Take the keyboard").click()
        expect(guest.get_by_text("You are watching.")).to_be_visible()
        press(owner, "r")
        wait_colour(owner, RED)


def test_two_links_in_one_browser_are_two_viewers_each_by_its_own_terms(
    browser: Browser, viewer: BrowserContext, server: Server
) -> None:
    session = server.create(start_url=FLIP)["id"]
    server.wait_for(session, "ready")
    owner = open_page(viewer, server, session)
    wait_colour(owner, RED)
    links = f"/api/sessions/{session}/links"
    with server.client() as client:
        made = [
            client.post(links, json={"kind": kind, "label": label}).json()
            for kind, label in (("view", "Eve"), ("ask", "Bob"))
        ]
        with guest_of(browser, server.url + made[0]["url"]) as first:
            wait_rung(first, "webrtc")
            second = first.context.new_page()
            second.goto(server.url + made[1]["url"])
            wait_rung(second, "webrtc")

            # the page that came first falls, comes back by its address, and may still only watch
            first.bring_to_front()
            first.get_by_role("button", name="Use noVNC").click()
            wait_rung(first, "vnc")
            first.reload()
            wait_rung(first, "webrtc")
            expect(first.get_by_text("You are watching.")).to_be_visible()
            expect(first.get_by_role("button", name="Ask to drive")).to_have_count(0)
            kinds = {
                viewer["name"]: viewer["kind"]
                for viewer in client.get(f"/api/sessions/{session}/seats").json()["viewers"]
            }
            assert (kinds["Eve"], kinds["Bob"]) == ("view", "ask")

            # the same link once more is the same guest anew: the page of before goes on by another name
            again = first.context.new_page()
            again.goto(server.url + made[1]["url"])
            wait_rung(again, "webrtc")
            second.bring_to_front()
            second.get_by_role("button", name="Use noVNC").click()
            wait_rung(second, "vnc")

            # each is ended by its own link's end
            client.delete(f"{links}/{made[0]['id']}").raise_for_status()
            expect(first.get_by_text("This link was withdrawn.")).to_be_visible()
            second.get_by_role("button", name="Use WebRTC").click()
            wait_rung(second, "webrtc")
            assert second.get_by_text("This link was withdrawn.").count() == 0
            client.delete(f"{links}/{made[1]['id']}").raise_for_status()
            expect(second.get_by_text("This link was withdrawn.")).to_be_visible()
