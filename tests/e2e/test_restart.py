"""The controller is killed in the middle: machines, streams and keepers live on, and nobody is told otherwise."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.browser import BrowserContext, Page, wait_rung
from tests.support.processes import keeper_of
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]


def frames(page: Page) -> int:
    count: int = page.evaluate("async () => (await window.transom.stats()).frames")
    return count


def open_session(viewer: BrowserContext, server: Server) -> tuple[Page, str]:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc")
    return page, session


def test_the_picture_lives_through_a_killed_controller(viewer: BrowserContext, server: Server) -> None:
    page, session = open_session(viewer, server)
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    epoch = page.evaluate("window.transom.epoch")
    server.kill()
    before = frames(page)
    page.locator("#screen").hover(position={"x": 200, "y": 200})
    for step in range(10):
        page.mouse.move(300 + 20 * step, 300)
        page.keyboard.press("F6")
        page.wait_for_timeout(500)
    assert frames(page) > before
    assert "not found" not in page.content().lower()
    server.start()
    page.wait_for_timeout(3000)
    assert server.session(session)["state"] == "ready"
    assert page.evaluate("window.transom.epoch") == epoch, "the peer was not rebuilt"
    assert page.evaluate("window.transom.rung") == "webrtc"
    assert "not found" not in " ".join([page.content(), *seen]).lower()
    page.get_by_role("button", name="Use noVNC").click()
    wait_rung(page, "vnc")


def test_a_new_controller_serves_new_viewers_of_an_old_session(
    viewer: BrowserContext, server: Server
) -> None:
    page, session = open_session(viewer, server)
    page.close()
    server.kill()
    server.start()
    again = viewer.new_page()
    again.goto(f"{server.url}/session/{session}")
    wait_rung(again, "webrtc")


def test_a_machine_that_dies_while_the_controller_is_down_is_seen_as_gone(server: Server) -> None:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    machine = server.machine(session)
    server.kill()
    os.kill(keeper_of(machine), signal.SIGKILL)
    time.sleep(0.5)
    server.start()
    found = server.wait_for(session, "failed", "ended")
    assert found["reason"] == "machine_gone"
    with server.client() as client:
        gone = client.get(f"/api/webrtc/session/{session}/answer?peer=p&epoch=1")
    assert gone.status_code == 410
    assert gone.json()["error"]["reason"] == "machine_gone"


def test_the_keeper_ends_its_machine_when_no_controller_returns(server: Server) -> None:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    machine = server.machine(session)
    server.kill()
    keeper = keeper_of(machine)
    os.kill(keeper, signal.SIGTERM)
    end = time.monotonic() + 15
    while Path(f"/proc/{keeper}").exists():
        assert time.monotonic() < end, "the keeper did not end"
        time.sleep(0.1)
    server.start()
    server.wait_for(session, "failed", "ended")
