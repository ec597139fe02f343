"""The main job, as a newcomer does it: a card, a streamed desktop, a sign-in, a credential back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import BrowserContext, Page, wait_rung
from tests.support.server import ROOT, Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]


def transom(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, pointed at the test's server by its environment."""
    environment = {**os.environ, "TRANSOM_URL": server.url, "TRANSOM_TOKEN": server.ready["token"]}
    return subprocess.run(
        [sys.executable, "-m", "transom", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def connect(viewer: BrowserContext, server: Server, card: str) -> tuple[Page, str]:
    """Click a card of the dashboard; return the session's page and id once a picture is live."""
    page = viewer.new_page()
    page.goto(f"{server.url}/dashboard/remote-cli")
    page.get_by_role("button", name=card, exact=True).click()
    page.wait_for_url("**/session/ses_*")
    session = page.url.rsplit("/", 1)[1]
    wait_rung(page, "webrtc", "vnc", seconds=30)
    return page, session


def sign_in_as_a_person(server: Server, page: Page, session: str, text: str) -> dict[str, Any]:
    """Type into the focused field of the desktop's page and press Enter, again if nothing came of it: a person
    looks whether the page has painted before they type, and sees whether the words arrived."""
    for _ in range(5):
        page.wait_for_timeout(1500)
        page.locator("#screen").focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(text, delay=40)
        page.keyboard.press("Enter")
        with suppress(AssertionError):
            return server.wait_signin(session, "done", "failed", seconds=12)
    return server.wait_signin(session, "done", "failed", seconds=1)


def pull(server: Server, provider: str, to: Path) -> None:
    answer = transom(server, "credential", "pull", provider, "--to", str(to))
    assert answer.returncode == 0, answer.stderr
    files = [path for path in to.rglob("*") if path.is_file()]
    assert files
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


def finish_demo(server: Server, page: Page, session: str, to: Path) -> None:
    signin = server.wait_signin(session, "waiting")
    assert signin["url"].startswith("http://127.0.0.1:")
    signin = sign_in_as_a_person(server, page, session, "Ada")
    assert signin["stage"] == "done", signin
    assert signin["saved"]["names"]
    assert signin["saved"]["expires_at"]
    page.get_by_text("credentials.json").first.wait_for(timeout=5000)
    listed = transom(server, "credential", "list", "--json")
    assert "demo" in [row["provider"] for row in json.loads(listed.stdout)]
    pull(server, "demo", to)


def test_demo_over_webrtc(viewer: BrowserContext, server: Server, tmp_path: Path) -> None:
    page, session = connect(viewer, server, "Connect Demo")
    wait_rung(page, "webrtc")
    finish_demo(server, page, session, tmp_path / "demo")


def test_demo_over_novnc(viewer: BrowserContext, server: Server, tmp_path: Path) -> None:
    page, session = connect(viewer, server, "Connect Demo")
    page.get_by_role("button", name="Use noVNC").click()
    wait_rung(page, "vnc")
    finish_demo(server, page, session, tmp_path / "demo")


def test_real_codex_by_its_device_code(viewer: BrowserContext, server: Server, tmp_path: Path) -> None:
    """The real binary, its own device flow, a code typed through the streamed desktop: no back door."""
    page, session = connect(viewer, server, "Connect Codex (local issuer)")
    wait_rung(page, "webrtc")
    signin = server.wait_signin(session, "waiting")
    code = signin["user_code"]
    assert code
    page.get_by_text(code).first.wait_for(timeout=5000)
    signin = sign_in_as_a_person(server, page, session, code)
    assert signin["stage"] == "done", signin
    provider = server.session(session)["provider"]
    pull(server, provider, tmp_path / "codex")
    (auth,) = list((tmp_path / "codex").rglob("auth.json"))
    assert json.loads(auth.read_text())["tokens"]["refresh_token"]


def test_the_credential_is_nowhere_in_clear(viewer: BrowserContext, server: Server, tmp_path: Path) -> None:
    page, session = connect(viewer, server, "Connect Demo")
    finish_demo(server, page, session, tmp_path / "demo")
    (path,) = list((tmp_path / "demo").rglob("credentials.json"))
    secret = json.loads(path.read_text())["refresh_token"].encode()
    held = [p for p in server.state.rglob("*") if p.is_file() and not p.is_symlink()]
    assert any(p.suffix in (".db", ".sqlite") or "db" in p.name for p in held)
    assert not [p for p in held if secret in p.read_bytes()]
