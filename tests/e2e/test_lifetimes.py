"""Sessions end by themselves: nobody watches, or their machine died; and what is kept for inspection goes too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.machines import kill_guest_process
from tests.support.processes import keeper_of
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.machine]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    settings = {
        "TRANSOM_IDLE_SECONDS": "10",
        "TRANSOM_RECONNECT_SECONDS": "10",
        "TRANSOM_FAILED_KEEP_SECONDS": "3",
        "TRANSOM_TICK_SECONDS": "0.5",
    }
    with running_server(settings) as started:
        yield started


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_session_that_nobody_watches_ends_as_idle(server: Server) -> None:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    with server.client() as client:
        for _ in range(4):
            time.sleep(3)
            beat = client.post(f"/api/auth/session/{session}/heartbeat", json={})
            assert beat.status_code == 200, beat.text
    assert server.session(session)["state"] == "ready", "heartbeats keep it"
    ended = server.wait_for(session, "ended", "failed", seconds=40)
    assert (ended["state"], ended["reason"]) == ("ended", "idle")
    with pytest.raises(AssertionError):
        keeper_of(server.machine(session))


def test_a_dead_display_fails_the_session_and_its_folder_is_kept_a_while(server: Server) -> None:
    session = server.create()["id"]
    server.wait_for(session, "ready")
    kill_guest_process(server.machine(session), "Xorg")
    failed = server.wait_for(session, "failed")
    folder = server.state / "machines" / server.machine(session)
    assert failed["reason"] in ("guest_failed", "machine_gone")
    until(lambda: not folder.exists())


def test_a_killed_keeper_fails_its_session_alone(server: Server) -> None:
    first, second = (server.create()["id"] for _ in range(2))
    for session in (first, second):
        server.wait_for(session, "ready")
    os.kill(keeper_of(server.machine(first)), signal.SIGKILL)
    assert server.wait_for(first, "failed")["reason"] == "machine_gone"
    assert server.session(second)["state"] == "ready"
