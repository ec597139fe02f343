"""A stream server that dies while a session is recorded: what was shown until shortly before is there, and plays."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import av
import httpx
import pytest

from tests.e2e.test_recording import kinds, type_for, until
from tests.support.browser import Browser, BrowserContext, Page, signed_in, wait_rung
from tests.support.machines import kill_guest_process
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.machine, pytest.mark.browser]
SEGMENT_S = 120
"""So long that no segment is finished meanwhile."""
RECORDED_S = 12
LOST_S = 3.5 + 6
"""Seconds of before that are gone, and what a host on which all wait may add."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    settings = {"TRANSOM_RECORDING": "always", "TRANSOM_RECORDING_SEGMENT_S": str(SEGMENT_S)}
    with running_server(settings) as started:
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]


def record(page: Page, client: httpx.Client, server: Server, session: str) -> tuple[int, float]:
    """Until shortly before now something changes on the desktop. How many segments were finished, as that took
    another size, and when its stream server died."""
    until(lambda: "start" in kinds(client, session), "the desktop's browser never said what it shows", 60)
    type_for(page, RECORDED_S)
    finished = len(client.get(f"/api/sessions/{session}/recording").json()["segments"])
    kill_guest_process(server.machine(session), "transom_guest.stream")
    return finished, time.time()


def frames(client: httpx.Client, session: str, number: int) -> list[float]:
    """Seconds of each that a decoder finds."""
    data = client.get(f"/api/sessions/{session}/recording/segments/{number}").content
    with av.open(io.BytesIO(data)) as container:
        return [frame.time for frame in container.decode(video=0)]


def plays(viewer: BrowserContext, server: Server, session: str, segment: dict[str, Any]) -> None:
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}/recording")
    number, seconds = segment["number"], segment["duration_ms"] / 1000
    page.locator("#segments button").nth(number - 1).click()
    video = "document.getElementById('video')"
    page.wait_for_function(
        f"() => {video}.src.endsWith('/segments/{number}') && {video}.duration > 0", timeout=15_000
    )
    assert abs(page.evaluate(f"() => {video}.duration") - seconds) < 0.1
    page.evaluate(f"at => {{ {video}.currentTime = at; }}", seconds / 2)
    page.wait_for_function(
        f"at => !{video}.seeking && {video}.readyState > 1 && {video}.currentTime >= at - 0.1",
        arg=seconds / 2,
        timeout=15_000,
    )
    page.close()


def test_a_crash_of_the_stream_server_leaves_what_was_recorded_until_shortly_before(
    browser: Browser, server: Server
) -> None:
    with signed_in(browser, server) as viewer, server.client() as client:
        session: str = server.create()["id"]
        base = f"/api/sessions/{session}/recording"
        page = viewer.new_page()
        page.goto(f"{server.url}/session/{session}")
        wait_rung(page, "webrtc", seconds=60)
        finished, died = record(page, client, server, session)
        wait_rung(page, "webrtc", seconds=60)
        left = until(lambda: client.get(base).json()["segments"][finished:], "nothing was left", 60)[0]
        ended = left["at"] + left["duration_ms"]
        assert died - LOST_S < ended / 1000 < died + 0.5, f"{died - ended / 1000} s are gone"
        shown = frames(client, session, left["number"])
        assert len(shown) > 2 * RECORDED_S and abs(shown[-1] * 1000 - left["duration_ms"]) < 100
        until(lambda: "lost" in kinds(client, session), "the timeline does not say so")
        lines = [json.loads(line) for line in client.get(f"{base}/timeline").text.splitlines()]
        (lost,) = [line for line in lines if line["kind"] == "lost"]
        assert abs(lost["at_ms"] - ended) < 500 and lost["why"] == "crashed"
        assert sum(line.get("keys", 0) for line in lines if line["at_ms"] < lost["at_ms"]) > 20
        plays(viewer, server, session, left)
        client.delete(f"/api/sessions/{session}")
        server.wait_for(session, "ended")
        assert len(client.get(base).json()["segments"]) > finished + 1, "it went on"
        page.close()
