"""A recording around a sign-in: what is in it, what is not, and how it plays."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import httpx
import pytest

from tests.e2e.test_sign_in import sign_in_as_a_person
from tests.support.browser import Browser, BrowserContext, Page, signed_in, wait_rung
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.machine, pytest.mark.browser]
ALLOW = (0x24, 0x57, 0xD6)
"""The colour of the sign-in page's button, which no other page has."""
NEAR = 24
GROUND, GROUND_NEAR = (0xEE, 0xF1, 0xF6), 4
"""Behind all pages of the demo's issuer, also that which says that the sign-in is done; a blank page is white."""
BY_HAND, BY_HAND_NEAR = (0xC0, 0x20, 0xC0), 24
"""Behind a page that somebody goes to without our sign-in."""
PAGE = b"""<!doctype html><title>somewhere</title><body style="background: #c020c0"><input type="password" autofocus>"""
SMALL = (160, 90)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server({"TRANSOM_RECORDING": "ask", "TRANSOM_RECORDING_SEGMENT_S": "2"}) as started:
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]


def has_allow(frame: Any) -> bool:
    """The sign-in page's button is in this frame."""
    return share(frame, ALLOW, NEAR) > 0.0014


def has_ground(frame: Any) -> bool:
    """Some page of the sign-in is."""
    return share(frame, GROUND, GROUND_NEAR) > 0.2


def has_page_by_hand(frame: Any) -> bool:
    return share(frame, BY_HAND, BY_HAND_NEAR) > 0.002


def share(frame: Any, wanted: tuple[int, int, int], near: int) -> float:
    """How much of the desktop under a browser's bars has this colour."""
    small = frame.reformat(width=SMALL[0], height=SMALL[1], format="rgb24")
    plane = small.planes[0]
    data, line = bytes(plane), plane.line_size
    found = 0
    for y in range(SMALL[1] // 3, SMALL[1]):
        row = data[y * line : y * line + 3 * SMALL[0]]
        for x in range(0, 3 * SMALL[0], 3):
            found += all(abs(row[x + n] - wanted[n]) < near for n in range(3))
    return found / (SMALL[0] * SMALL[1])


def shown(page: Page, wanted: tuple[int, int, int], near: int) -> float:
    """The same, of what the viewer sees."""
    found: int = page.evaluate(
        """([wanted, near]) => {
            const shown = document.getElementById('screen');
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [160, 90];
            const context = canvas.getContext('2d');
            context.drawImage(shown, 0, 0, 160, 90);
            const data = context.getImageData(0, 30, 160, 60).data;
            let found = 0;
            for (let at = 0; at < data.length; at += 4)
                found += wanted.every((value, n) => Math.abs(data[at + n] - value) < near);
            return found;
        }""",
        [list(wanted), near],
    )
    return found / (SMALL[0] * SMALL[1])


def until(holds: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return found


def type_for(page: Page, seconds: float) -> None:
    """Something changes on the desktop: text in the browser's own line."""
    page.locator("#screen").focus()
    page.keyboard.press("Control+l")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.keyboard.type("secret words ", delay=30)
        page.keyboard.press("Control+a")


def sign_in_by_hand(page: Page, client: httpx.Client, session: str) -> None:
    """Nobody but the desktop's browser knows of it."""
    client.put(f"/api/sessions/{session}/files/page.html", content=PAGE).raise_for_status()
    go_to(page, "file:///home/user/Files/page.html")
    page.locator("header").get_by_text("Recording pauses while you sign in").wait_for()
    until(lambda: shown(page, BY_HAND, BY_HAND_NEAR) > 0.5, "the page was never seen")
    assert client.get(f"/api/sessions/{session}/recording?list=false").json()["why"] == "shown"
    page.keyboard.type("hunter2", delay=30)
    go_to(page, "about:blank")
    recorded = page.locator("header").get_by_text("This session is recorded")
    end = time.monotonic() + 30
    while not recorded.is_visible() and time.monotonic() < end:
        time.sleep(0.1)
    if not recorded.is_visible():
        go_to(page, "about:blank")  # a stroke that is lost, as on a host where all wait, is for other tests
    recorded.wait_for()
    type_for(page, 2)


def go_to(page: Page, url: str) -> None:
    page.locator("#screen").focus()
    page.keyboard.press("Control+l")
    page.keyboard.type(url, delay=15)
    page.keyboard.press("Enter")


def kinds(client: httpx.Client, session: str) -> list[str]:
    """Of the lines of the timeline until now."""
    answer = client.get(f"/api/sessions/{session}/recording/timeline")
    lines = answer.text.splitlines() if answer.status_code == 200 else []  # none before its first line
    return [json.loads(line)["kind"] for line in lines]


def record_around_a_sign_in(viewer: BrowserContext, server: Server, client: httpx.Client) -> str:
    session: str = server.create()["id"]
    base = f"/api/sessions/{session}/recording"
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc", seconds=60)
    assert client.get(base).json()["state"] == "off"
    page.get_by_role("button", name="Record this session").click()
    page.locator("header").get_by_text("This session is recorded").wait_for()
    until(lambda: "start" in kinds(client, session), "the desktop's browser never said what it shows", 60)
    link = client.post(f"/api/sessions/{session}/links", json={}).json()["url"]
    guest = viewer.new_page()
    guest.goto(f"{server.url}{link}")
    guest.locator("header").get_by_text("This session is recorded").wait_for()
    guest.close()
    page.bring_to_front()
    type_for(page, 5)
    sign_in_by_hand(page, client, session)
    client.post(f"/api/sessions/{session}/signin", json={"provider": "demo"}).raise_for_status()
    page.locator("header").get_by_text("Recording pauses while you sign in").wait_for()
    server.wait_signin(session, "waiting")
    until(lambda: shown(page, ALLOW, NEAR) > 0.0014, "the sign-in page was never seen")
    until(lambda: shown(page, GROUND, GROUND_NEAR) > 0.2, "it has another ground")
    assert client.get(base).json()["state"] == "paused"
    assert sign_in_as_a_person(server, page, session, "Ada")["stage"] == "done"
    page.locator("header").get_by_text("This session is recorded").wait_for(timeout=60_000)
    for _ in range(3):
        page.keyboard.press("Control+PageUp")  # the sign-in's tab is gone, and nobody comes back to it
        page.keyboard.press("Alt+ArrowLeft")
        time.sleep(0.3)
    time.sleep(1)  # the page by hand was shown again, and that is said
    until(lambda: client.get(base).json()["state"] == "on", "it never went on", 60)
    type_for(page, 4)
    client.delete(f"/api/sessions/{session}")
    server.wait_for(session, "ended")
    page.close()
    return session


def test_a_recording_has_all_but_the_sign_in_and_plays(browser: Browser, server: Server) -> None:
    with signed_in(browser, server) as viewer, server.client() as client:
        session = record_around_a_sign_in(viewer, server, client)
        base = f"/api/sessions/{session}/recording"
        recording = client.get(base).json()
        segments = recording["segments"]
        assert recording["ended_at"] and recording["state"] == "off" and len(segments) >= 3
        lines = [json.loads(line) for line in client.get(f"{base}/timeline").text.splitlines()]

        frames = 0
        for segment in segments:
            data = client.get(f"{base}/segments/{segment['number']}").content
            assert len(data) == segment["bytes"]
            with av.open(io.BytesIO(data)) as container:
                (stream,) = container.streams.video
                assert abs(float(stream.duration * stream.time_base) * 1000 - segment["duration_ms"]) < 50
                decoded = list(container.decode(stream))
            assert decoded[0].key_frame and not any(map(has_allow, decoded))
            assert not any(map(has_page_by_hand, decoded))
            assert not any(map(has_ground, decoded)), (
                "a page that says that the sign-in is done is one of its pages"
            )
            frames += len(decoded)
        assert frames > 20
        looks = [line for line in lines if line["kind"] in ("start", "pause", "stop")]
        told = [(line["kind"], line.get("why")) for line in looks]
        assert told[:5] == [
            ("start", None),
            ("pause", "shown"),
            ("start", None),
            ("pause", None),
            ("start", None),
        ]
        assert told[5:-1] in ([], [("pause", "shown"), ("start", None)]), (
            "who went back came to the page by hand"
        )
        assert told[-1] == ("stop", None)
        pause, again = looks[3]["at_ms"], looks[4]["at_ms"]
        slack = 1000  # what is said in a machine is written down later
        assert all(s["at"] + s["duration_ms"] < pause + slack or s["at"] > again - slack for s in segments)
        assert any(s["at"] < pause for s in segments) and any(s["at"] > again - slack for s in segments)
        assert sum(line.get("keys", 0) for line in lines) > 50
        assert any(line["kind"] == "rung" for line in lines)
        assert "secret" not in client.get(f"{base}/timeline").text
        part = client.get(f"{base}/segments/{segments[0]['number']}", headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        whole = client.get(f"{base}/archive").content
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            assert len(archive.getnames()) == len(segments) + 1

        plays(viewer, server, session, segments)
        assert client.delete(base).status_code == 204
        assert client.get(base).json()["segments"] == []


def plays(viewer: BrowserContext, server: Server, session: str, segments: list[dict[str, Any]]) -> None:
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}/recording")
    video = "document.getElementById('video')"
    page.wait_for_function(f"() => {video}.duration > 0", timeout=15_000)
    length = page.evaluate(f"() => {video}.duration")
    assert abs(length * 1000 - segments[0]["duration_ms"]) < 60
    assert page.evaluate(f"() => {video}.videoWidth") == segments[0]["width"]
    # a segment may be shorter than a look at it takes
    page.evaluate(
        f"() => {{ window.played = []; {video}.addEventListener('playing', () => played.push({video}.src)); }}"
    )
    page.evaluate(f"() => void {video}.play().catch(() => {{}})")  # a short segment ends it
    for number in (segments[0]["number"], segments[1]["number"]):
        page.wait_for_function(
            f"() => played.some((each) => each.endsWith('/segments/{number}'))", timeout=30_000
        )
    page.locator("#segments button").last.click()
    page.wait_for_function(
        f"() => {video}.src.endsWith('/segments/{segments[-1]['number']}')", timeout=10_000
    )
