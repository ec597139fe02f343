"""Why did it not connect? The page and the command say so, in front of a real machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import Browser, expect, signed_in
from tests.support.cut import udp_cut
from tests.support.server import Server, running_server
from tests.support.turn_server import coturn

pytestmark = [pytest.mark.machine, pytest.mark.browser]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """With a relay whose secret is not the server's."""
    with coturn() as turn:
        secret = turn.secret_file.with_name("other")
        secret.touch(0o600)
        secret.write_text("not-the-secret-of-the-relay")
        settings = {
            "TRANSOM_TURN_URLS": f"turn:127.0.0.1:{turn.port}?transport=tcp",
            "TRANSOM_TURN_SECRET_FILE": str(secret),
        }
        with running_server(settings) as started:
            yield started


@pytest.fixture(scope="module")
def session(server: Server) -> str:
    made: str = server.create()["id"]
    server.wait_for(made, "ready")
    return made


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    """One machine for the whole file: the end of the server takes it away."""
    yield


def told(server: Server, session: str, **more: str) -> tuple[int, dict[str, Any]]:
    """What the command says, with `more` in its environment."""
    command = [sys.executable, "-m", "transom", "doctor", "connect", session, "--json"]
    environment = {**os.environ, "TRANSOM_URL": server.url, "TRANSOM_TOKEN": server.ready["token"]} | more
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def door_port(found: dict[str, Any]) -> int:
    (udp,) = [look for look in found["looks"] if look["what"] == "udp"]
    return int(udp["detail"].split(" -> ")[1].split(",")[0].rsplit(":", 1)[1])


def test_what_works_and_what_is_cut_is_named(browser: Browser, server: Server, session: str) -> None:
    code, found = told(server, session)
    assert (code, found["standing"]) == (0, "ok"), found
    works = {look["what"]: look["works"] for look in found["looks"]}
    assert works == {"h264": True, "udp": True, "turn-tcp": False, "websocket": True, "novnc": True}
    with signed_in(browser, server) as viewer:
        page = viewer.new_page()
        page.goto(f"{server.url}/session/{session}/connect")
        verdict = page.get_by_role("status")
        expect(verdict).to_contain_text("All well", timeout=30_000)
        novnc = page.get_by_role("listitem").filter(has_text="noVNC")
        expect(novnc).to_contain_text(re.compile(r"A screen of \d+x\d+"))
        # whoever looks has no seat, and so what it says reaches no desktop
        with server.client() as api:
            assert api.get(f"/api/sessions/{session}/seats").json()["viewers"] == []
        with udp_cut(door_port(found)):
            page.get_by_role("button", name="Look again").click()
            expect(verdict).to_contain_text("UDP to the machine is blocked", timeout=30_000)
            assert "secret differs" in page.locator("#advice").inner_text()
            code, found = told(server, session)
            assert (code, found["standing"]) == (0, "weak"), found
            assert "secret differs" in found["verdict"]
