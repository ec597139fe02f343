"""A real controller in a process of its own, as an operator starts it, on a state folder of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from transom.drivers import remains

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`transom serve`, to be started, killed and started again on the same state and port."""

    def __init__(
        self, state: Path, settings: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        self.state = state
        self.port = port or free_port()
        self.settings = dict(settings or {})
        self.process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        log = (self.state / "controller.log").open("a")
        environment = {**os.environ, **self.settings, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "transom",
                "serve",
                "--state",
                str(self.state),
                "--port",
                str(self.port),
                "--json",
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the server did not start:\n{self.log()[-4000:]}")
        self.ready = json.loads(line)
        return self

    def log(self) -> str:
        return (self.state / "controller.log").read_text(errors="replace")

    def kill(self) -> None:
        """kill -9: no handler runs, nothing is said to anybody."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client signed in as the administrator, or by `token`."""
        bearer = token or self.ready["token"]
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {bearer}"}, timeout=20)

    def create(self, **body: Any) -> dict[str, Any]:
        with self.client() as client:
            answer = client.post("/api/sessions", json=body)
            assert answer.status_code == 202, answer.text
            session: dict[str, Any] = answer.json()
            return session

    def session(self, session: str) -> dict[str, Any]:
        with self.client() as client:
            found: dict[str, Any] = client.get(f"/api/sessions/{session}").raise_for_status().json()
            return found

    def machine(self, session: str) -> str:
        """The id of the session's machine now."""
        machine: str = self.session(session)["machine"]
        return machine

    def wait_for(self, session: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """Poll until the session is in one of `states`."""
        end = time.monotonic() + seconds
        found = self.session(session)
        while found["state"] not in states:
            if time.monotonic() > end:
                raise AssertionError(f"{found}\n{self.log()[-3000:]}")
            time.sleep(0.1)
            found = self.session(session)
        return found

    def wait_signin(self, session: str, *stages: str, seconds: float = 90) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            found = self.session(session)
            signin: dict[str, Any] = found["signin"] or {}
            if signin.get("stage") in stages:
                return signin
            if time.monotonic() > end:
                raise AssertionError(f"{found}\n{self.log()[-3000:]}")
            time.sleep(0.2)

    def end_all(self) -> None:
        """Stop every session and wait until its machine is gone, so that nothing outlives the test."""
        with self.client() as client:
            for found in client.get("/api/sessions").json():
                if found["state"] not in ("ended", "failed"):
                    client.delete(f"/api/sessions/{found['id']}")
            end = time.monotonic() + 30
            while any(s["state"] not in ("ended", "failed") for s in client.get("/api/sessions").json()):
                assert time.monotonic() < end, "a session did not end"
                time.sleep(0.1)


@contextmanager
def running_server(settings: Mapping[str, str] | None = None, port: int | None = None) -> Iterator[Server]:
    """A started server; at the end its sessions are ended, it is stopped, and its state is removed."""
    state = Path(tempfile.mkdtemp(prefix="transom-test-"))
    state.chmod(0o711)  # the sandbox's own user passes through on its way to the guest's files
    server = Server(state, settings, port)
    try:
        server.start()
        yield server
    finally:
        try:
            if server.process and server.process.poll() is None:
                server.end_all()
        finally:
            server.terminate()
            end_machines(state / "machines")
            shutil.rmtree(state, ignore_errors=True)


def end_machines(folder: Path) -> None:
    """Warm machines belong to no session and outlive their controller: end what is left of them. One that ended by
    itself while no controller was there has its control groups still."""
    left = {each.machine for each in remains.processes(folder)}
    for machine in left | {machine for machine, _ in remains.groups(folder)}:
        assert remains.end_processes(folder, machine, grace=5, seconds=20), f"{machine} does not end"
        remains.end_groups(folder, machine, seconds=5)
