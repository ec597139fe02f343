"""transom doctor connect: what it says of a machine and of a server that are silent, and where its options stand."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.frames import Close

from tests.unit.transom.cli.conftest import TOKEN, FakeServer, Run
from transom.cli import client, connect
from transom.stream.preflight import NOVNC, WEBSOCKET, Look

SESSION = "ses_aaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
def silent(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server whose machine takes an offer, and says nothing."""
    monkeypatch.setattr("secrets.token_hex", lambda count: "ab" * count)
    monkeypatch.setattr(connect, "_websocket", lambda *_: Look(WEBSOCKET, True, "echoed"))
    monkeypatch.setattr(connect, "_novnc", lambda *_: Look(NOVNC, True, "a screen"))
    path, peer = f"/api/webrtc/session/{SESSION}", f"peer=look-{'ab' * 6}&epoch=1"
    server.answers |= {
        ("GET", f"/api/sessions/{SESSION}"): (200, {"state": "ready"}),
        ("POST", f"{path}/offer"): (202, {}),
        ("GET", f"{path}/answer?{peer}&wait_ms={connect.WAIT_MS}"): (204, {}),
        ("GET", f"{path}/candidate?{peer}"): (200, {"candidates": []}),
        ("GET", "/api/webrtc/ice-servers"): (200, {"ice_servers": []}),
    }
    return server


def test_a_ready_session_whose_stream_server_hangs_is_weak(silent: FakeServer, transom: Run) -> None:
    result = transom("doctor", "connect", SESSION)
    assert result.stdout.startswith("weak     the session is ready, and its machine's stream server does not")
    assert result.exit_code == 0
    silent.answers["GET", f"/api/sessions/{SESSION}"] = (200, {"state": "starting"})
    result = transom("doctor", "connect", SESSION)
    assert "no answer: the session is starting" in result.stdout
    assert result.exit_code == 1


def test_options_before_the_command_hold_as_well(
    silent: FakeServer, transom: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRANSOM_URL")
    monkeypatch.delenv("TRANSOM_TOKEN")
    monkeypatch.setenv("TRANSOM_STATE", str(tmp_path / "nowhere"))
    known = tmp_path / "client.json"
    known.write_text(json.dumps({"url": silent.url, "token": TOKEN}))
    known.chmod(0o600)
    state = ("--state", str(tmp_path))
    for line in (
        ("doctor", *state, "--json", "connect", SESSION),
        ("doctor", "connect", SESSION, *state, "--json"),
        ("doctor", "--json", "--state", "/elsewhere", "connect", *state, SESSION),
    ):
        result = transom(*line)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["standing"] == "weak"
    assert transom("doctor", *state, "connect", SESSION).stdout.startswith("weak")
    assert "nowhere" in transom("doctor", "connect", SESSION).stderr


def test_a_server_that_is_stopped_is_named_soon(monkeypatch: pytest.MonkeyPatch, transom: Run) -> None:
    """The kernel takes connections for it."""
    monkeypatch.setattr(client, "SOON_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        monkeypatch.setenv("TRANSOM_URL", f"http://127.0.0.1:{stopped.getsockname()[1]}")
        monkeypatch.setenv("TRANSOM_TOKEN", TOKEN)
        since = time.monotonic()
        result = transom("doctor", "connect", SESSION)
    assert time.monotonic() - since < 10
    assert result.exit_code == 3
    assert "takes connections and says nothing" in result.stderr


@pytest.mark.parametrize("state", ["ended", "failed", "stopping"])
def test_of_a_session_that_is_over_nothing_is_tried_and_it_says_so(
    server: FakeServer, transom: Run, state: str
) -> None:
    server.answers["GET", f"/api/sessions/{SESSION}"] = (200, {"state": state})
    result = transom("doctor", "connect", SESSION)
    assert result.stdout.startswith("problem  the session is over: nothing was tried")
    assert result.stdout.count("not tried, the session is over") == len(connect.TRIED)
    assert result.exit_code == 1


def test_what_ended_a_websocket_is_in_plain_words() -> None:
    closed = ConnectionClosedError(Close(4410, "stopped"), None)
    assert connect._fault(closed) == "stopped"
    assert connect._fault(ConnectionClosedError(None, None)) == "closed without a word"
    assert connect._fault(TimeoutError()) == "no answer in 5 s"
    assert connect._fault(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert connect._fault(InvalidHandshake()) == "what answers speaks no WebSocket"
