"""The microphone's button, in Chromium: whatever is clicked before the answer, nothing stays open unseen."""

from __future__ import annotations

import pytest

from tests.support.browser import Page, wait_rung
from tests.unit.web.conftest import open_session
from tests.unit.web.fake_controller import FakeController

pytestmark = pytest.mark.browser

ASKED = """
Object.defineProperty(RTCRtpTransceiver.prototype, 'currentDirection', {get: () => 'sendrecv'});
window.answers = [];
window.tracks = [];
navigator.mediaDevices.getUserMedia = () => new Promise((resolve) => window.answers.push(() => {
  const {stream} = new AudioContext().createMediaStreamDestination();
  window.tracks.push(...stream.getTracks());
  resolve(stream);
}));"""
"""A desktop that takes a microphone, and a person who answers when the test does."""
LIVING = "window.tracks.filter(({readyState}) => readyState === 'live').length"


def asked(page: Page, controller: FakeController) -> None:
    """The session's page with its picture."""
    page.add_init_script(ASKED)
    controller.ready()
    open_session(page, controller)
    wait_rung(page, "webrtc")
    page.get_by_role("button", name="Microphone is off").click(timeout=15_000)


def answer(page: Page, number: int) -> None:
    page.evaluate(f"window.answers[{number}]()")


def test_clicks_before_the_answer_leave_one_microphone_and_off_shuts_it(
    page: Page, controller: FakeController
) -> None:
    asked(page, controller)
    page.get_by_role("button", name="Microphone is asked for").click()
    page.get_by_role("button", name="Microphone is off").click()
    answer(page, 0)
    answer(page, 1)
    page.get_by_role("button", name="Microphone is on").wait_for()
    assert page.evaluate(LIVING) == 1
    page.get_by_role("button", name="Microphone is on").click()
    page.get_by_role("button", name="Microphone is off").wait_for()
    assert page.evaluate(LIVING) == 0


def test_an_answer_that_comes_once_novnc_was_chosen_or_the_page_left_opens_nothing(
    page: Page, controller: FakeController
) -> None:
    asked(page, controller)
    page.get_by_role("button", name="Use noVNC").click()
    wait_rung(page, "vnc")
    answer(page, 0)
    page.get_by_role("button", name="Open VM Desktop (WebRTC)").click()
    wait_rung(page, "webrtc")
    page.get_by_role("button", name="Microphone is off").click()
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    answer(page, 1)
    assert page.evaluate("new Promise((done) => setTimeout(done, 100))") is None
    assert page.evaluate(LIVING) == 0
