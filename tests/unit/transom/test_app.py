"""The composition root in a process of its own: one line when ready, one line that names the mend when not."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from transom.app import Composition
from transom.drivers.virtual import VirtualDriver
from transom.settings import Settings

SERVE = """
import sys
from pathlib import Path
from transom.app import serve
from transom.drivers.namespace.driver import NamespaceDriver
from transom.model.machine import Probe, Problem
from transom.settings import Settings

async def probe(self):
    return Probe({usable}, (Problem("bubblewrap is missing", "apt install bubblewrap"),))

NamespaceDriver.probe = probe
serve(Settings(state=Path({state!r}), port={port}, images_dir=Path({images!r})), {as_json})
"""


@pytest.fixture
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="transom-app-") as folder:
        yield Path(folder)


def code(
    state: Path, port: int = 0, usable: bool = True, images: Path | None = None, as_json: bool = False
) -> list[str]:
    images = images or state / "images"
    text = SERVE.format(state=str(state), port=port, usable=usable, images=str(images), as_json=as_json)
    return [sys.executable, "-c", text]


@contextmanager
def served(state: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = subprocess.Popen(
        code(state, as_json=True), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate()


def refused(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("transom cannot start: ")]
    assert len(said) == 1, done.stderr
    return said[0]


def test_it_says_where_it_is_and_ends_when_told(state: Path) -> None:
    left = state / "images/removed-sha256-0-1"
    left.mkdir(parents=True)
    with served(state) as (process, ready):
        assert set(ready) == {"url", "token", "key", "key_url"}
        bearer = {"Authorization": f"Bearer {ready['token']}"}
        assert httpx.get(f"{ready['url']}/healthz").json() == {"status": "ok"}
        assert httpx.get(f"{ready['url']}/api/me", headers=bearer).json()["role"] == "administrator"
        refusal = httpx.post(f"{ready['url']}/api/sessions", headers=bearer, json={})
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (503, "no_image")
        client = state / "client.json"
        assert stat.S_IMODE(client.stat().st_mode) == 0o600
        assert json.loads(client.read_text())["token"] == ready["token"]
        until = time.monotonic() + 20
        while left.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not left.exists(), "what a killed removal of an image left goes at the start"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_what_came_of_clones_is_in_the_metrics(state: Path) -> None:
    composition = Composition(Settings(state=state, images_dir=state / "images", driver="qemu"))
    driver = composition._driver()
    assert isinstance(driver, VirtualDriver)
    driver.restores.told("restored")
    shown = composition.metrics.render(dict).decode()
    assert 'transom_machine_restores_total{driver="qemu",outcome="restored"} 1.0' in shown


def test_a_second_start_keeps_the_token_and_gives_a_new_key(state: Path) -> None:
    with served(state) as (process, first):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    with served(state) as (_, second):
        assert second["token"] == first["token"]
        assert second["key"] != first["key"]
        answer = httpx.post(
            f"{second['url']}/api/auth/sign-in",
            json={"key": second["key"]},
            headers={"Origin": second["url"]},
        )
        assert answer.status_code == 200


def test_a_state_folder_has_one_controller(state: Path) -> None:
    with served(state):
        assert "another transom serves" in refused(code(state))


def test_a_port_in_use(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in refused(code(state, port))
        assert "--port" in refused(code(state, port))


def test_a_host_that_cannot_says_what_mends_it(state: Path) -> None:
    assert refused(code(state, usable=False)).endswith("bubblewrap is missing: apt install bubblewrap")


def test_for_programs_the_refusal_is_the_error_of_every_command(state: Path) -> None:
    command = code(state, usable=False, as_json=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr.splitlines()[-1]) == {
        "error": {
            "code": "cannot_start",
            "message": "bubblewrap is missing",
            "mend": "apt install bubblewrap",
        }
    }


def test_a_start_without_an_image_says_what_mends_it_once(state: Path) -> None:
    with served(state) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr
        said = process.stderr.read()
    assert said.count("transom image build") == 1
    assert "there is no image" in said


def test_a_broken_image(state: Path) -> None:
    images = state / "broken"
    images.mkdir()
    (images / "current").write_text("sha256-" + "0" * 64)
    assert "transom image build" in refused(code(state, images=images))


def test_a_state_folder_that_cannot_be(state: Path) -> None:
    (state / "file").write_text("")
    assert "--state" in refused(code(state / "file" / "below"))


def test_a_database_that_is_none(state: Path) -> None:
    (state / "transom.db").write_text("this is no database, however one looks at it" * 100)
    assert "database" in refused(code(state))
